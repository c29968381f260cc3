"""`replay verify` is clean on a true record and finds any single change to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.errors import InputRefusedError
from orchestrator.ledger import Ledger, check_integrity
from orchestrator.replay import verify_campaign
from orchestrator.replay.verify import Verification

TABLES = ("event", "campaign", "trial", "observable", "spectrum", "array")


def verify(path: Path, campaign: str, *, proposals: bool = False) -> Verification:
    with Ledger.open(f"sqlite:///{path}", check=False) as ledger:
        return verify_campaign(ledger, campaign, proposals=proposals)


def intact(path: Path, campaign: str) -> bool:
    """Whether the stored record is as written (the part of verify that needs no station)."""
    with Ledger.open(f"sqlite:///{path}", check=False) as ledger:
        report = check_integrity(ledger, campaign)
    return not report.findings


def dump(path: Path) -> dict[str, list[Any]]:
    """Every row of the record, in order."""
    with closing(sqlite3.connect(path)) as connection:
        return {t: sorted(map(repr, connection.execute(f'SELECT * FROM "{t}"'))) for t in TABLES}


def test_a_true_record_is_clean(record: tuple[Path, str]) -> None:
    found = verify(*record, proposals=True)
    assert found.findings == []
    assert (found.chain_ok, found.tables_ok, found.diverged_at) == (True, True, None)
    assert found.observables_checked == found.observables_ok >= 20
    assert found.proposals_checked == found.proposals_ok == 4
    assert found.max_difference == 0.0


def altered(value: Any) -> Iterator[Any]:
    """Values that differ from `value` by one digit or byte, or in kind."""
    if isinstance(value, bytes):
        middle = len(value) // 2
        yield value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :]
        yield value[:-1]
    elif isinstance(value, str):
        digits = [i for i, c in enumerate(value) if c.isdigit()]
        places = [digits[len(digits) // 2], digits[-1]] if digits else [len(value) // 2]
        for place in places if value else ():
            other = str((int(value[place]) + 1) % 10) if value[place].isdigit() else "~"
            yield value[:place] + other + value[place + 1 :]
        yield value + " "
        yield None
        yield b"\xff\xfe"
    elif isinstance(value, float):
        yield float(np.nextafter(value, np.inf))
        yield "x"
        yield float("inf")
    elif isinstance(value, int):
        yield value + 1
        yield "x"
        yield 2**62
    else:
        yield 1


def unprotected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='trigger'"):
        connection.execute(f"DROP TRIGGER {name}")
    return connection


@pytest.mark.parametrize("table", TABLES)
def test_every_altered_column_is_found(record: tuple[Path, str], table: str) -> None:
    path, campaign = record
    whole = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        columns = [c[1] for c in connection.execute(f'PRAGMA table_info("{table}")')]
        count = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]
    missed, tried = [], 0
    for column in columns:
        for row in sorted({0, count - 1}):
            for place in range(6):
                path.write_bytes(whole)
                with closing(unprotected(path)) as connection:
                    rowid, value = connection.execute(
                        f'SELECT rowid, "{column}" FROM "{table}" ORDER BY rowid LIMIT 1 OFFSET ?',
                        (row,),
                    ).fetchone()
                    others = list(altered(value))
                    if place >= len(others):
                        break
                    try:
                        connection.execute(
                            f'UPDATE "{table}" SET "{column}"=? WHERE rowid=?',
                            (others[place], rowid),
                        )
                    except sqlite3.IntegrityError:
                        continue
                    connection.commit()
                tried += 1
                if intact(path, campaign):
                    missed.append(f"{table}.{column} row {row}: {value!r} -> {others[place]!r}")
    assert missed == []
    assert tried >= 2 * len(columns)


@pytest.mark.parametrize("table", TABLES)
def test_a_missing_row_is_found(record: tuple[Path, str], table: str) -> None:
    path, campaign = record
    with closing(unprotected(path)) as connection:
        connection.execute(f'DELETE FROM "{table}" WHERE rowid=(SELECT max(rowid) FROM "{table}")')
        connection.commit()
    assert not verify(path, campaign).ok


def test_a_cut_off_last_event_is_found_with_its_place(record: tuple[Path, str]) -> None:
    path, campaign = record
    with closing(unprotected(path)) as connection:
        connection.execute("DELETE FROM event WHERE seq=(SELECT max(seq) FROM event)")
        connection.commit()
    found = verify(path, campaign)
    assert any("event_count" in f.what for f in found.findings)


def test_an_end_that_was_cut_off_with_care_is_found_by_a_head_that_was_kept(
    record: tuple[Path, str],
) -> None:
    """The chain that is left is a true chain; only whoever kept the head can tell."""
    path, campaign = record
    whole = verify(path, campaign)
    with Ledger.open(f"sqlite:///{path}") as ledger:
        early = ledger.events(campaign)[5]
    with closing(unprotected(path)) as connection:
        connection.execute("DELETE FROM event WHERE seq >= (SELECT max(seq) FROM event) - 1")
        connection.commit()
    with Ledger.open(f"sqlite:///{path}") as ledger:
        ledger.rebuild()
        assert verify_campaign(ledger, campaign, proposals=False).chain_ok

        def finds(head: str) -> list[str]:
            found = verify_campaign(ledger, campaign, proposals=False, expect_head=head)
            cut = [f for f in found.findings if "expected" in f.what and "head" in f.what]
            assert found.chain_ok is not bool(cut)
            return [f"{f.where} {f.what}" for f in cut]

        assert whole.head is not None
        (cut,) = finds(whole.head)
        assert cut.startswith(f"event {whole.events} is missing: the chain was cut off")
        assert finds(f"{early.seq}:{early.hash}") == [], (
            "an older head must do as long as it is there"
        )
        (other,) = finds(f"{early.seq}:{'0' * 64}")
        assert f"has the hash {early.hash}" in other


@pytest.mark.parametrize(
    "head", ["", "7", "7:abc", f"0:{'a' * 64}", f"7:{'A' * 64}", f"7:{'a' * 64} "]
)
def test_what_is_no_head_is_refused(record: tuple[Path, str], head: str) -> None:
    path, campaign = record
    with Ledger.open(f"sqlite:///{path}") as ledger:
        with pytest.raises(InputRefusedError, match="SEQ:HASH"):
            verify_campaign(ledger, campaign, expect_head=head)


def test_an_altered_event_is_found_with_its_place(record: tuple[Path, str]) -> None:
    path, campaign = record
    with closing(unprotected(path)) as connection:
        connection.execute("UPDATE event SET payload=replace(payload, '5', '6') WHERE seq=7")
        connection.commit()
    found = verify(path, campaign)
    assert found.diverged_at == 7
    assert not found.chain_ok


def test_single_bytes_of_the_file(record: tuple[Path, str]) -> None:
    """A flipped byte is a finding, unless it holds no part of the record."""
    path, campaign = record
    whole = path.read_bytes()
    before = dump(path)
    generator = np.random.default_rng(1)
    found = 0
    for place in generator.integers(0, len(whole), 150):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(generator.integers(8))
        path.write_bytes(bytes(damaged))
        if not intact(path, campaign):
            found += 1
            continue
        assert dump(path) == before, f"byte {place} changed the record and was not found"
    assert found >= 50


def test_a_forged_observable_is_found_even_with_a_new_chain(record: tuple[Path, str]) -> None:
    """Someone who rewrites the event and every hash after it is caught by the raw data."""
    from orchestrator.events import Event, event_hash
    from orchestrator.ledger._fold import fold_tables

    path, campaign = record
    with Ledger.open(f"sqlite:///{path}") as ledger:
        events = ledger.events(campaign)
    forged, prev = [], events[0].prev_hash
    for e in events:
        payload = e.payload
        if e.type == "trial.completed":
            payload = payload.replace('"method":"', '"method":"', 1)
            head, _, tail = payload.partition('"plqy":{')
            payload = head + '"plqy":{' + tail.replace('"value":0.', '"value":0.9', 1)
        digest = event_hash(e.campaign, e.seq, e.type, e.version, e.at, e.actor, payload, prev)
        forged.append(
            Event(e.campaign, e.seq, e.type, e.version, e.at, e.actor, payload, prev, digest)
        )
        prev = digest
    fold_tables(forged)  # still a legal chain
    with closing(unprotected(path)) as connection:
        for e in forged:
            connection.execute(
                "UPDATE event SET payload=?, prev_hash=?, hash=? WHERE seq=?",
                (e.payload, e.prev_hash, e.hash, e.seq),
            )
        connection.commit()
    with Ledger.open(f"sqlite:///{path}") as ledger:
        ledger.rebuild()
    found = verify(path, campaign)
    assert found.chain_ok and found.tables_ok
    assert any("plqy is recorded as" in f.what for f in found.findings)
