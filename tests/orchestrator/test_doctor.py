"""`dotpilot doctor` must see what is wrong, and must leave everything as it found it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator import doctor
from orchestrator.doctor import Check, diagnose
from orchestrator.ledger import HEAD, Ledger


def _database(path: Path, revision: str | None) -> Check:
    """Make a write-ahead database of this revision and look at it; its files must stay."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    if revision is not None:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
        connection.commit()
    connection.close()
    before = _state(path.parent)
    check = _look(path)
    assert _state(path.parent) == before, "looking must change nothing"
    return check


def _look(path: Path) -> Check:
    return doctor.database(doctor.parse_url(f"sqlite:///{path}"))


def _state(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_missing_database_is_reported_and_not_created(tmp_path: Path) -> None:
    check = _look(tmp_path / "none.db")
    assert check.status == "ok" and "none yet" in check.detail
    assert _state(tmp_path) == {}


def test_missing_folder_is_a_warning_with_its_remedy(tmp_path: Path) -> None:
    check = _look(tmp_path / "no" / "x.db")
    assert check.status == "warning" and "mkdir" in check.remedy
    assert _state(tmp_path) == {}


@pytest.mark.parametrize(
    ("revision", "status", "word"),
    [(HEAD, "ok", "at schema"), ("v9_9_9", "failed", "newer"), (None, "ok", "empty")],
)
@pytest.mark.parametrize("name", ["plain.db", "a b#1.db"])
def test_revision_is_read_without_touching_the_file(
    tmp_path: Path, revision: str | None, status: str, word: str, name: str
) -> None:
    check = _database(tmp_path / name, revision)
    assert check.status == status and word in check.detail


def test_older_schema_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "REVISIONS", ("v0_0_1", HEAD))
    check = _database(tmp_path / "old.db", "v0_0_1")
    assert check.status == "failed" and "older" in check.detail
    assert "dotpilot db upgrade" in check.remedy


def test_database_of_something_else(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    check = _look(tmp_path / "x.db")
    assert check.status == "failed" and "something else" in check.detail


def test_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"not a database at all" * 100)
    check = _look(tmp_path / "x.db")
    assert check.status == "failed" and "cannot be read" in check.detail


def test_locked_database_is_reported_quickly(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    holder.execute("CREATE TABLE t (n INTEGER)")
    check = _look(path)
    holder.close()
    assert check.status == "failed" and "locked" in check.detail


def test_open_log_of_another_process_is_read(tmp_path: Path) -> None:
    """What stands only in the write-ahead log of a running campaign counts too."""
    path = tmp_path / "x.db"
    writer = sqlite3.connect(path)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("CREATE TABLE alembic_version (version_num TEXT)")
    writer.execute("INSERT INTO alembic_version VALUES (?)", (HEAD,))
    writer.commit()
    check = _look(path)
    writer.close()
    assert check.status == "ok" and HEAD in check.detail


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/x"])
def test_unusable_url_is_a_failed_check(url: str) -> None:
    last = diagnose(url)[-1]
    assert (last.name, last.status) == ("database", "failed") and last.remedy


def test_unreachable_server_is_a_failed_check() -> None:
    checks = {c.name: c for c in diagnose("postgresql://nobody@127.0.0.1:1/none")}
    assert checks["database"].status == "failed" and checks["database"].remedy
    assert "disk" not in checks


def test_shadowed_name_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another distribution's `agents`, first on the path, must fail the check."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "__init__.py").touch()
    assert doctor.shadowing("agents", ["dotpilot"]).status == "ok"
    monkeypatch.delitem(sys.modules, "agents", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    check = doctor.shadowing("agents", ["dotpilot"])
    assert check.status == "failed" and str(tmp_path) in check.detail


def test_second_owner_of_a_name_is_a_warning() -> None:
    check = doctor.shadowing("instruments", ["dotpilot", "other-lab"])
    assert check.status == "warning" and "other-lab" in check.detail


def test_libraries_are_compared_with_the_pins(tmp_path: Path) -> None:
    pins = tmp_path / "constraints.txt"
    pins.write_text("# pins\nNumPy==1.0.0\nnot-installed==1\n")
    check = doctor.libraries(pins)
    assert check.status == "warning" and "numpy" in check.detail
    assert "not-installed" not in check.detail


@pytest.mark.parametrize(
    ("environment", "status"),
    [
        ({}, "ok"),
        ({"OMP_NUM_THREADS": "2"}, "ok"),
        ({"OMP_NUM_THREADS": "64"}, "warning"),
        ({"MKL_NUM_THREADS": "many"}, "warning"),
        ({"OPENBLAS_NUM_THREADS": "0"}, "warning"),
    ],
)
def test_threads(environment: dict[str, str], status: str) -> None:
    assert doctor.threads(environment, processors=2).status == status


@pytest.mark.parametrize(
    ("free", "status"), [(2**40, "ok"), (2**29, "warning"), (2**20, "failed")]
)
def test_disk(tmp_path: Path, free: int, status: str) -> None:
    check = doctor.disk(tmp_path / "x.db", lambda _: (2**40, 0, free))
    assert check.status == status


def test_network_file_system_is_told_by_the_innermost_mount(tmp_path: Path) -> None:
    mounts = [("/", "ext4"), (str(tmp_path), "nfs4")]
    assert doctor.file_system(tmp_path / "x.db", mounts).status == "warning"
    local = [("/", "nfs4"), (str(tmp_path), "ext4")]
    assert doctor.file_system(tmp_path / "x.db", local).status == "ok"


def test_python_too_old() -> None:
    assert doctor.python_version((3, 10, 4)).status == "failed"


def test_every_trouble_has_a_remedy_and_nothing_heavy_is_loaded(tmp_path: Path) -> None:
    code = (
        "import sys; from orchestrator.doctor import diagnose\n"
        "found = diagnose(sys.argv[1])\n"
        "assert all(c.remedy for c in found if c.status != 'ok'), found\n"
        "heavy = {'torch', 'scipy', 'matplotlib', 'botorch'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    url = f"sqlite:///{tmp_path}/no/x.db"
    environment = {**os.environ, "OMP_NUM_THREADS": "9999"}
    subprocess.run([sys.executable, "-c", code, url], check=True, env=environment)


def test_a_ledger_of_either_kind_is_seen_at_head(database: str) -> None:
    empty = doctor.database(doctor.parse_url(database))
    assert empty.status == "ok" and ("empty" in empty.detail or "none yet" in empty.detail)
    with Ledger.open(database, create=True):
        check = doctor.database(doctor.parse_url(database))
    assert (check.status, check.detail) == ("ok", f"at schema {HEAD}")
