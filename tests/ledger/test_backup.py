"""What is restored is what was there; nothing that exists is written over; no half copy stays."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from orchestrator import events as ev
from orchestrator.errors import DotpilotError, InputRefusedError, NotFoundError, SchemaError
from orchestrator.ledger import HEAD, Ledger, _backup, backup, check_integrity, restore
from orchestrator.ledger._tables import metadata
from tests.records import created, finished_campaign, proposed


@pytest.fixture
def target(database: str, tmp_path: Path) -> Iterator[str]:
    """URL of a second, empty database of the same kind."""
    if database.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'restored.db'}"
        return
    import psycopg

    name = f"r{uuid.uuid4().hex[:12]}"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield make_url(database).set(database=name).render_as_string(hide_password=False)
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def rows(ledger: Ledger) -> dict[str, list[str]]:
    """Every row of every table."""
    with ledger.engine.connect() as connection:
        return {
            table.name: sorted(repr(tuple(r)) for r in connection.execute(table.select()))
            for table in metadata.sorted_tables
        }


def test_a_copy_of_a_database_in_use_restores_whole_and_goes_on(
    database: str, target: str, tmp_path: Path
) -> None:
    file = tmp_path / "copy"
    with Ledger.open(database) as ledger:
        done = finished_campaign(ledger)
        open_campaign = ledger.create_campaign(created("open"), actor="test")
        before = rows(ledger)
        with ledger.engine.connect().execution_options(write=True) as writer, writer.begin():
            writer.execute(text("UPDATE campaign SET name = 'half written'"))
            found = backup(database, file)
    assert found == {"file": str(file), "bytes": file.stat().st_size, "revision": HEAD}
    assert file.stat().st_mode & 0o077 == 0, "tokens and leases are nobody else's"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("copy")] == ["copy"]
    assert restore(file, target) == {"file": str(file), "revision": HEAD}
    with Ledger.open(target) as ledger:
        assert rows(ledger) == before
        for campaign in (done, open_campaign):
            assert check_integrity(ledger, campaign).findings == []
        ledger.append(open_campaign, ev.CampaignStarted(), actor="test")
        assert ledger.append(open_campaign, proposed(1, 1), actor="test").seq == 3
        if (path := make_url(target).database) and target.startswith("sqlite"):
            with closing(sqlite3.connect(path)) as connection:
                assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_neither_file_nor_database_is_written_over(
    database: str, target: str, tmp_path: Path
) -> None:
    file = tmp_path / "copy"
    with Ledger.open(database) as ledger:
        finished_campaign(ledger)
        backup(database, file)
        with pytest.raises(InputRefusedError, match="exists and is not written over"):
            backup(database, file)
        before = rows(ledger)
        with pytest.raises(InputRefusedError, match="empty database only"):
            restore(file, database)
        assert rows(ledger) == before
    with Ledger(target) as other, other.engine.begin() as connection:
        connection.execute(text("CREATE TABLE somebody_s (x INTEGER)"))
    with pytest.raises(InputRefusedError, match="somebody_s"):
        restore(file, target)


def test_a_damaged_copy_leaves_the_database_empty(
    database: str, target: str, tmp_path: Path
) -> None:
    file, broken = tmp_path / "copy", tmp_path / "broken"
    with Ledger.open(database) as ledger:
        finished_campaign(ledger, trials=12)
    backup(database, file)
    whole = file.read_bytes()
    broken.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(DotpilotError):
        restore(broken, target)
    assert restore(file, target)["revision"] == HEAD


def test_what_is_no_backup_is_refused(database: str, target: str, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no file"):
        restore(tmp_path / "absent", target)
    (tmp_path / "words").write_text("not a database")
    with pytest.raises(InputRefusedError, match="is not a backup"):
        restore(tmp_path / "words", target)
    other = _backup.ARCHIVE_MAGIC if target.startswith("sqlite") else _backup.SQLITE_MAGIC
    (tmp_path / "other").write_bytes(other)
    with pytest.raises(InputRefusedError, match="one of its kind only"):
        restore(tmp_path / "other", target)
    with pytest.raises(DotpilotError, match=r"no tables|no database"):
        backup(database, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_copy_of_a_newer_dotpilot_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    copy, target = tmp_path / "copy.db", tmp_path / "target.db"
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('v9_0_0')")
    with pytest.raises(SchemaError, match="v9_0_0"):
        restore(copy, f"sqlite:///{target}")
    assert not target.exists()


def _tool(folder: Path, name: str, version: int) -> Path:
    folder.mkdir()
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "{name} (PostgreSQL) {version}.3"\n')
    path.chmod(0o755)
    return path


def test_the_program_that_fits_the_server_is_taken_or_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = {n: _tool(tmp_path / str(n), "pg_dump", n) for n in (15, 18, 17)}
    path = os.pathsep.join(str(t.parent) for t in tools.values())
    monkeypatch.setenv("PATH", f"{path}{os.pathsep}{os.environ['PATH']}")
    assert _backup._program("pg_dump", 17) == tools[17], "not an older one, nor a needlessly newer"
    with pytest.raises(InputRefusedError, match=r"pg_dump of version 90 or newer.*postgresql-cl"):
        _backup._program("pg_dump", 90)
    with pytest.raises(InputRefusedError, match="there is none"):
        _backup._program("pg_absent", 17)


@pytest.mark.postgresql
def test_a_password_is_not_shown_to_the_machine_s_other_users(
    postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def run(command: list[str], env: dict[str, str], **_: Any) -> Any:
        seen.append((command, env.get("PGPASSWORD")))
        return subprocess.CompletedProcess(command, 1, "", "refused")

    monkeypatch.setattr(_backup, "_program", lambda name, _: Path(name))
    url = make_url(postgresql).set(drivername="postgresql+psycopg", password="secret/1")
    with Ledger(url.render_as_string(hide_password=False)) as ledger:
        monkeypatch.setattr(subprocess, "run", run)
        with pytest.raises(DotpilotError, match="pg_dump ended with 1: refused"):
            _backup._archive(ledger.engine, tmp_path / "x")
    command, password = seen[0]
    assert password == "secret/1" and not any("secret" in word for word in command)
