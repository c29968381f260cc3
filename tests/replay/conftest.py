"""One finished campaign of the simulated flow line, made once per session and copied per test."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.campaign import check_campaign
from orchestrator.ledger import Ledger
from orchestrator.loop import create_campaign, drive
from tests.loop.campaigns import SMALL, Silent


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A database file with one finished campaign, and the campaign's identifier."""
    path = tmp_path_factory.mktemp("finished") / "whole.db"
    with Ledger.open(f"sqlite:///{path}") as ledger:
        campaign = create_campaign(ledger, check_campaign(SMALL))
        drive(ledger, campaign, Silent())
        with ledger.engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.connection.cursor().execute("PRAGMA journal_mode=DELETE")
    return path, campaign


@pytest.fixture
def record(finished: tuple[Path, str], tmp_path: Path) -> tuple[Path, str]:
    """A copy of the finished record that a test may damage."""
    copy = tmp_path / "copy.db"
    copy.write_bytes(finished[0].read_bytes())
    return copy, finished[1]
