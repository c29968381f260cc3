"""What commonly goes wrong with an installation, found without changing anything.

No check loads a numerical library or creates a file, so a broken installation can be examined.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import psutil
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from orchestrator.errors import InputRefusedError
from orchestrator.ledger._engine import parse_url, sqlite_path
from orchestrator.ledger._schema import HEAD, REVISIONS

ROOT = Path(__file__).resolve().parent.parent
OUR_NAMES = ("agents", "instruments", "orchestrator", "surrogate_sim")
OLDEST_PYTHON = (3, 11)
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
LITTLE_SPACE, NO_SPACE = 2**30, 100 * 2**20
NETWORK_FILE_SYSTEMS = frozenset(
    "nfs nfs4 cifs smb smb2 smb3 smbfs 9p afs afpfs ceph glusterfs lustre beegfs webdav "
    "fuse.sshfs fuse.glusterfs fuse.ceph fuse.s3fs fuse.rclone".split()
)
Status = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what was found, and what to do about it (empty where all is well)."""

    name: str
    status: Status
    detail: str
    remedy: str = ""


def diagnose(db_url: str) -> list[Check]:
    """Look at the installation and at the database of this URL; change nothing.

    A database that cannot be reached or read is a failed check, never an exception.
    """
    checks = [python_version(sys.version_info[:3]), libraries(), *_packages()]
    checks.append(threads(os.environ, _processors()))
    try:
        url = parse_url(db_url)
    except InputRefusedError as error:
        remedy = "give --db a URL such as sqlite:///dotpilot.db"
        return [*checks, Check("database", "failed", str(error), remedy)]
    checks.append(database(url))
    path = sqlite_path(url)
    if path is not None:
        checks += [disk(path, shutil.disk_usage), file_system(path, _mounts())]
    return [*checks, *_optional(url)]


def python_version(version: Sequence[int]) -> Check:
    """Tell whether this Python is new enough."""
    found = ".".join(map(str, version))
    if tuple(version[:2]) >= OLDEST_PYTHON:
        return Check("python", "ok", found)
    wanted = ".".join(map(str, OLDEST_PYTHON))
    return Check(
        "python", "failed", f"{found}, but {wanted} or newer is needed", "`make setup` with it"
    )


def read_pins(constraints: Path) -> dict[str, str]:
    """Return the exact versions that a constraints file names, by normalised name."""
    lines = constraints.read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {_normal(name): version.strip() for name, version in pairs}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).strip().lower()


def libraries(constraints: Path = ROOT / "constraints.txt") -> Check:
    """Compare what is installed with what dotpilot requires and was tested with."""
    try:
        required = metadata.requires("dotpilot") or []
    except metadata.PackageNotFoundError:
        return Check("libraries", "failed", "dotpilot is not installed", "run `make setup`")
    needed = [re.split(r"[^\w.-]", r, maxsplit=1)[0] for r in required if "extra ==" not in r]
    missing = [name for name in needed if _version(name) is None]
    if missing:
        detail = f"missing: {', '.join(missing)}"
        return Check("libraries", "failed", detail, "run `make setup`")
    if not constraints.is_file():
        return Check("libraries", "ok", f"{len(needed)} present; no constraints.txt to compare")
    pins = read_pins(constraints)
    other = [
        f"{name} {found} (tested with {pin})"
        for name, pin in pins.items()
        if (found := _version(name)) is not None and found.split("+")[0] != pin
    ]
    if other:
        remedy = "run `make setup`, or expect proposals that differ in their last digits"
        return Check("libraries", "warning", ", ".join(other), remedy)
    return Check("libraries", "ok", f"{len(needed)} present, at the versions of constraints.txt")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _packages() -> list[Check]:
    owners = metadata.packages_distributions()
    return [shadowing(name, owners.get(name, [])) for name in OUR_NAMES]


def shadowing(name: str, owners: Iterable[str], root: Path = ROOT) -> Check:
    """Tell whether the top-level `name` resolves to dotpilot's own package under `root`.

    Args:
        name: One of `OUR_NAMES`.
        owners: The distributions that install something of this name.
        root: The folder that dotpilot's packages lie in.
    """
    spec = importlib.util.find_spec(name)
    places = list(spec.submodule_search_locations or []) if spec is not None else []
    found = places[0] if places else (spec.origin or "" if spec is not None else "")
    label = f"package {name}"
    if not found or Path(found).resolve() != root / name:
        detail = f"is taken from {found or 'nowhere'}, not from {root / name}"
        remedy = "install dotpilot in an environment of its own; look at PYTHONPATH too"
        return Check(label, "failed", detail, remedy)
    others = sorted(set(owners) - {"dotpilot"})
    if others:
        detail = f"is dotpilot's, but {', '.join(others)} installs the same name"
        remedy = f"uninstall {', '.join(others)}, or use an environment of dotpilot's own"
        return Check(label, "warning", detail, remedy)
    return Check(label, "ok", f"from {root}")


def _processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def threads(environment: Mapping[str, str], processors: int) -> Check:
    """Look at the thread settings of the numerical libraries."""
    given = {v: environment[v] for v in THREAD_VARIABLES if v in environment}
    shown = ", ".join(f"{k}={v}" for k, v in given.items()) or "no limit set"
    detail = f"{shown}; {processors} processors"
    bad = [k for k, v in given.items() if not v.isdigit() or not 1 <= int(v) <= processors]
    if bad:
        remedy = f"set {', '.join(bad)} to a number from 1 to {processors}"
        return Check("threads", "warning", detail, remedy)
    return Check("threads", "ok", detail)


def database(url: URL) -> Check:
    """Read the schema revision of a database without creating or changing anything."""
    path = sqlite_path(url)
    try:
        found = _sqlite_revision(path) if path is not None else _server_revision(url)
    except FileNotFoundError:
        return _missing(path or Path())
    except (sqlite3.Error, SQLAlchemyError, ImportError, OSError) as error:
        return _unreadable(error)
    return _revision_check(found)


def _missing(path: Path) -> Check:
    if not path.resolve().parent.is_dir():
        detail = f"none at {path}, and its folder does not exist"
        return Check("database", "warning", detail, f"make the folder: mkdir -p {path.parent}")
    return Check("database", "ok", f"none yet at {path}; `dotpilot launch` creates it")


def _revision_check(found: str | None) -> Check:
    if found == HEAD:
        return Check("database", "ok", f"at schema {HEAD}")
    if found is None:
        return Check("database", "ok", "empty; `dotpilot launch` creates the schema")
    if found == "":
        remedy = "name another database with --db"
        return Check("database", "failed", "holds tables of something else", remedy)
    detail = f"at schema {found}, while this dotpilot has {HEAD}"
    if found in REVISIONS:
        return Check("database", "failed", f"older: {detail}", "run `dotpilot db upgrade`")
    return Check("database", "failed", f"newer: {detail}", "use the dotpilot that made it")


def _unreadable(error: Exception) -> Check:
    first = (str(error).splitlines() or [type(error).__name__])[0]
    if "locked" in first or "busy" in first:
        remedy = "another program holds it; find it (`fuser FILE`) and let it finish"
        return Check("database", "failed", f"locked: {first}", remedy)
    remedy = "check the path or URL, the access rights, and that the server runs"
    return Check("database", "failed", f"cannot be read: {first}", remedy)


def _sqlite_revision(path: Path) -> str | None:
    """Return the revision, None for an empty file, "" for tables of something else."""
    if not path.exists():
        raise FileNotFoundError(path)
    # without a log file beside it nobody has it open: `immutable` then leaves no file behind
    in_use = (
        path.with_name(path.name + "-wal").exists()
        or path.with_name(path.name + "-journal").exists()
    )
    mode = "mode=ro" if in_use else "mode=ro&immutable=1"
    uri = f"file:{quote(str(path.resolve()))}?{mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=0.5)
    try:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = {str(row[0]) for row in rows}
        if "alembic_version" not in tables:
            return "" if tables else None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if row is None else str(row[0])
    finally:
        connection.close()


def _server_revision(url: URL) -> str | None:
    engine = create_engine(url, connect_args={"connect_timeout": 3})
    try:
        with engine.connect() as connection:
            tables = set(inspect(connection).get_table_names())
            if "alembic_version" not in tables:
                return "" if tables else None
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return None if found is None else str(found)
    finally:
        engine.dispose()


def _existing_folder(path: Path) -> Path:
    folder = path.resolve().parent
    while not folder.exists():
        folder = folder.parent
    return folder


def disk(path: Path, usage: Callable[[Path], tuple[int, int, int]]) -> Check:
    """Look at the free space where the database is; `usage` gives (total, used, free) [bytes]."""
    folder = _existing_folder(path)
    free = usage(folder)[2]
    detail = f"{free / 2**30:.1f} GiB free at {folder}"
    if free < NO_SPACE:
        remedy = "free some space before a campaign: a full disk leaves trials in doubt"
        return Check("disk", "failed", detail, remedy)
    if free < LITTLE_SPACE:
        return Check("disk", "warning", detail, "free some space, or move the database")
    return Check("disk", "ok", detail)


def _mounts() -> list[tuple[str, str]]:
    return [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]


def file_system(path: Path, mounts: Iterable[tuple[str, str]]) -> Check:
    """Warn of a network file system under the database; `mounts` are (mount point, type)."""
    folder = _existing_folder(path)
    above = [(p, kind) for p, kind in mounts if folder.is_relative_to(p)]
    kind = max(above, key=lambda m: len(Path(m[0]).parts), default=("", "unknown"))[1]
    if kind.lower() in NETWORK_FILE_SYSTEMS:
        detail = f"{folder} lies on {kind}, where SQLite's locks cannot be relied on"
        remedy = "put the database on a local disk, or use PostgreSQL"
        return Check("file system", "warning", detail, remedy)
    return Check("file system", "ok", f"{folder} lies on {kind}")


def _optional(url: URL) -> list[Check]:
    wanted = url.get_backend_name() == "postgresql"
    driver = importlib.util.find_spec("psycopg") is not None
    if wanted and not driver:
        remedy = "pip install 'dotpilot[postgresql]'"
        first = Check("postgresql driver", "failed", "psycopg is not installed", remedy)
    else:
        detail = f"psycopg {_version('psycopg')}" if driver else "not installed, not needed"
        first = Check("postgresql driver", "ok", detail)
    numba = _version("numba")
    detail = f"numba {numba}" if numba else "numba is not installed, not needed"
    return [first, Check("compiler", "ok", detail)]
