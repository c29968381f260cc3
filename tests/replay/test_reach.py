"""Verify speaks of one moment of the record, and never takes a closed door for an altered one."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from orchestrator.cli import main
from orchestrator.errors import StorageError
from orchestrator.events import CampaignDraining, CampaignStarted
from orchestrator.ledger import Ledger, check_integrity
from orchestrator.ledger import _engine as engines
from orchestrator.replay import verify_campaign
from tests.records import created
from tests.replay.test_verify import unprotected


def test_an_event_that_is_written_meanwhile_is_no_difference(database: str) -> None:
    """A live campaign appends between the reading of its chain and that of its read tables."""
    with Ledger.open(database) as ledger, Ledger.open(database) as writer:
        campaign = ledger.create_with([created()], actor="test")
        written: list[str] = []

        def append_once(*context: Any) -> None:
            if "FROM event" in context[2] and not written:
                written.append(context[2])
                writer.append(campaign, CampaignDraining(reason="live"), actor="test")

        writer.append(campaign, CampaignStarted(), actor="test")
        event.listen(ledger.engine, "after_cursor_execute", append_once)
        report = check_integrity(ledger, campaign)
    assert written, "nothing was appended while the record was read"
    assert report.findings == []


@pytest.mark.parametrize("damaged", ["x", 9e999, -9e999, 0.5])
def test_a_damaged_number_of_an_event_is_a_finding(
    record: tuple[Path, str], damaged: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path, campaign = record
    with closing(unprotected(path)) as connection:
        connection.execute("UPDATE event SET seq=? WHERE seq=7", (damaged,))
        connection.commit()
    with pytest.raises(SystemExit) as stop:
        main(["replay", "verify", campaign, "--json", "--db", f"sqlite:///{path}"])
    assert stop.value.code == 20, capsys.readouterr().err


def test_a_locked_database_says_nothing_about_the_record(
    record: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, campaign = record
    monkeypatch.setattr(engines, "PRAGMAS", ("PRAGMA busy_timeout=10",))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SystemExit) as stop:
            main(["replay", "verify", campaign, "--db", f"sqlite:///{path}"])
    assert stop.value.code == 1
    assert "cannot be reached" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_says_nothing_about_the_record(
    record: tuple[Path, str],
) -> None:
    path, campaign = record
    path.chmod(0)
    with Ledger.open(f"sqlite:///{path}", check=False) as ledger, pytest.raises(StorageError):
        verify_campaign(ledger, campaign)


def test_a_server_that_is_down_says_nothing_about_the_record() -> None:
    url = "postgresql://nobody@127.0.0.1:1/none"
    with Ledger.open(url, check=False) as ledger, pytest.raises(StorageError):
        verify_campaign(ledger, "c1")


def test_a_column_that_is_gone_is_damage_although_the_driver_calls_it_operational(
    record: tuple[Path, str],
) -> None:
    path, campaign = record
    with closing(unprotected(path)) as connection:
        connection.execute("ALTER TABLE trial RENAME COLUMN lab_time TO other")
    with Ledger.open(f"sqlite:///{path}", check=False) as ledger:
        found = verify_campaign(ledger, campaign, proposals=False)
    assert any(OperationalError.__name__ in f.what for f in found.findings)
