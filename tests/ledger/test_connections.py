"""A server that restarted is met with a new connection, not with the dead one."""

from __future__ import annotations

import pytest

from orchestrator.ledger import Ledger, _engine
from tests.records import finished_campaign


@pytest.mark.postgresql
def test_a_connection_that_died_while_it_rested_is_replaced(
    postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    monkeypatch.setattr(_engine, "TRUSTED_S", -1.0)
    with Ledger.open(postgresql) as ledger:
        campaign = finished_campaign(ledger)
        with psycopg.connect(postgresql, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        assert ledger.campaign(campaign).state == "finished"
