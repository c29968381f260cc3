"""Whatever is changed in the file behind dotpilot's back is found, and named, by the check."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator.ledger import IntegrityReport, Ledger, check_integrity
from tests.records import finished_campaign

TABLES = ("event", "campaign", "trial", "observable", "spectrum", "array")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, str]:
    """A database file with one finished campaign of one trial, its triggers dropped."""
    path = tmp_path_factory.mktemp("whole") / "whole.db"
    with Ledger.open(f"sqlite:///{path}") as ledger:
        campaign = finished_campaign(ledger, trials=1)
    with closing(sqlite3.connect(path)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='trigger'"):
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.commit()
    return path.read_bytes(), campaign


@pytest.fixture
def copy(whole: tuple[bytes, str], tmp_path: Path) -> tuple[Path, str]:
    path = tmp_path / "copy.db"
    path.write_bytes(whole[0])
    return path, whole[1]


def check(path: Path, campaign: str) -> IntegrityReport:
    with Ledger.open(f"sqlite:///{path}", check=False) as ledger:
        return check_integrity(ledger, campaign)


def others(value: Any) -> Iterator[Any]:
    """Values that differ from `value` in one digit or byte, in kind, or wildly."""
    match value:
        case bytes():
            yield bytes([value[0] ^ 1]) + value[1:]
            yield value + b"\0"
            yield value.decode("latin-1")
            yield 2**40
        case str():
            digits = [i for i, c in enumerate(value) if c.isdigit()]
            for place in {digits[0], digits[-1]} if digits else {0} if value else ():
                c = value[place]
                new = str((int(c) + 1) % 10) if c.isdigit() else chr(ord(c) ^ 1)
                yield value[:place] + new + value[place + 1 :]
            yield from (value + "\0", value.upper() + " ", value.encode(), b"\xff\xfe", 7)
        case float():
            yield from (value * (1 + 1e-15) + 5e-324, -value - 1.0, "1e400", 1e999, b"\0")
        case int():
            yield from (value + 1, -value - 1, 2**62, 0.5, "x", b"1")
        case None:
            yield from ("", 1, b"")


def _cells(connection: sqlite3.Connection, table: str) -> Iterator[tuple[str, int, Any]]:
    columns = [c[1] for c in connection.execute(f'PRAGMA table_info("{table}")')]
    for row in connection.execute(f'SELECT rowid, * FROM "{table}"').fetchall():
        for column, value in zip(columns, row[1:], strict=True):
            yield column, row[0], value


@pytest.mark.parametrize("table", TABLES)
def test_every_column_of_every_row(copy: tuple[Path, str], table: str) -> None:
    path, campaign = copy
    url = f"sqlite:///{path}?synchronous=normal"
    missed, tried = [], 0
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as connection,
        Ledger.open(url, check=False) as ledger,
    ):
        connection.execute("PRAGMA synchronous=OFF")
        assert check_integrity(ledger, campaign).findings == []
        for column, rowid, value in list(_cells(connection, table)):
            update = f'UPDATE "{table}" SET "{column}"=? WHERE rowid=?'
            for other in others(value):
                try:
                    connection.execute(update, (other, rowid))
                except (sqlite3.IntegrityError, OverflowError):
                    continue
                stored = f'SELECT "{column}" IS ? FROM "{table}" WHERE rowid=?'
                if not connection.execute(stored, (value, rowid)).fetchone()[0]:
                    tried += 1
                    if not check_integrity(ledger, campaign).findings:
                        missed.append(f"{table}.{column} {value!r} -> {other!r}")
                connection.execute(update, (value, rowid))
        assert check_integrity(ledger, campaign).findings == []
    assert missed == []
    assert tried > 30


@pytest.mark.parametrize("table", TABLES)
def test_every_missing_row(copy: tuple[Path, str], table: str) -> None:
    path, campaign = copy
    whole = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        rowids = [r for (r,) in connection.execute(f'SELECT rowid FROM "{table}"')]
    for rowid in rowids:
        path.write_bytes(whole)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f'DELETE FROM "{table}" WHERE rowid=?', (rowid,))
            connection.commit()
        assert check(path, campaign).findings, f"row {rowid} of {table}"


@pytest.mark.parametrize("table", ["trial", "observable", "spectrum"])
def test_a_row_without_events_is_found(copy: tuple[Path, str], table: str) -> None:
    path, campaign = copy
    for owner in (campaign, "stray"):
        with closing(sqlite3.connect(path)) as connection:
            row = list(connection.execute(f'SELECT * FROM "{table}"').fetchone())
            row[:2] = [owner, 99]
            marks = ",".join("?" * len(row))
            connection.execute(f'INSERT INTO "{table}" VALUES ({marks})', row)
            connection.commit()
        found = check(path, campaign)
        assert found.chain_ok and not found.tables_ok
        assert "follows from no event" in {f.what for f in found.findings}


def test_an_altered_event_is_named_and_what_it_would_change(copy: tuple[Path, str]) -> None:
    path, campaign = copy
    with closing(sqlite3.connect(path)) as connection:
        statement = "UPDATE event SET payload=replace(payload,'519.0','519.1') WHERE type=?"
        connection.execute(statement, ("trial.completed",))
        connection.commit()
    found = check(path, campaign)
    assert not found.chain_ok
    places = {f.where: f.what for f in found.findings}
    assert places["event 7"] == "trial.completed does not hash to its hash"
    assert places["trial 1 attempt 1 peak"] == "value is 519.0, the events say 519.1"


def test_a_removed_event_is_named(copy: tuple[Path, str]) -> None:
    path, campaign = copy
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM event WHERE seq=5")
        connection.commit()
    found = check(path, campaign)
    assert ("event 5", 5) in {(f.where, f.seq) for f in found.findings}


def test_a_campaign_whose_row_has_another_identifier(copy: tuple[Path, str]) -> None:
    path, campaign = copy
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE campaign SET id='elsewhere'")
        connection.commit()
    found = check(path, campaign)
    places = {f.where: f.what for f in found.findings}
    assert places[f"campaign {campaign}"] == "is missing"
    assert places["campaign of campaign 'elsewhere'"] == "follows from no event"


def test_a_file_that_is_cut_short(copy: tuple[Path, str]) -> None:
    path, campaign = copy
    whole = path.read_bytes()
    for size in range(4096, len(whole), 4096):
        path.write_bytes(whole[:size])
        assert check(path, campaign).findings, f"cut to {size} bytes"


def _dump(path: Path) -> dict[str, list[str]]:
    with closing(sqlite3.connect(path)) as connection:
        return {t: sorted(map(repr, connection.execute(f'SELECT * FROM "{t}"'))) for t in TABLES}


def test_bytes_of_the_file(copy: tuple[Path, str]) -> None:
    """A changed byte is found, or has changed nothing that the record consists of."""
    path, campaign = copy
    whole, before = path.read_bytes(), _dump(path)
    generator = random.Random(20261121)
    used = [i for i, b in enumerate(whole) if b]
    found = 0
    for place in generator.sample(used, 150):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        if check(path, campaign).findings:
            found += 1
        else:
            assert _dump(path) == before, f"byte {place} changed the record and was not found"
    assert found > 75
