"""The ledger's contract, on both databases."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from orchestrator import events as ev
from orchestrator.errors import (
    ConflictError,
    InputRefusedError,
    NotFoundError,
    RecordError,
    SchemaError,
    TransitionError,
)
from orchestrator.ledger import Ledger, check_integrity, fold
from orchestrator.ledger._schema import HEAD, migrate, upgrade
from tests.records import completed, created, finished_campaign, measured, proposed, run_trial


def test_a_record_reads_back_as_it_was_written(database: str) -> None:
    with Ledger.open(database) as ledger:
        campaign = finished_campaign(ledger)
    with Ledger.open(database) as ledger:
        row = ledger.campaign(campaign)
        assert (row.state, row.stop_reason, row.name) == ("finished", "budget_spent", "record")
        trials = ledger.trials(campaign)
        assert [t.number for t in trials] == [1, 2, 3]
        assert trials[1].observables["peak"].value == 520.0
        assert trials[1].predicted == {"peak": {"mean": 519.5, "sd": 1.5}}
        stored = ledger.spectra(campaign, 2)[0]
        np.testing.assert_array_equal(stored.values, measured(2)[1][1])
        assert stored.values.dtype == np.float32
        assert row.event_count == len(ledger.events(campaign)) == 18


def test_read_tables_equal_a_fold_and_can_be_rebuilt(database: str) -> None:
    with Ledger.open(database) as ledger:
        campaign = finished_campaign(ledger)
        before = (ledger.campaign(campaign), ledger.trials(campaign))
        folded = fold(ledger.events(campaign))
        assert (folded.campaign, folded.trials) == before
        assert ledger.rebuild() == 1
        assert (ledger.campaign(campaign), ledger.trials(campaign)) == before
        report = check_integrity(ledger, campaign)
        assert report.chain_ok and report.tables_ok and report.findings == []


def test_an_illegal_move_is_refused_and_leaves_nothing(database: str) -> None:
    with Ledger.open(database) as ledger:
        campaign = ledger.create_campaign(created(), actor="test")
        ledger.append(campaign, ev.CampaignStarted(), actor="test")
        ledger.append(campaign, proposed(1, 1), actor="test")
        with pytest.raises(TransitionError, match="trial 1 is proposed"):
            ledger.append(campaign, completed(1), actor="test")
        with pytest.raises(NotFoundError, match="no trial 9"):
            ledger.append(campaign, ev.TrialRunning(trial=9, attempt=1), actor="test")
        intent = ev.TrialDispatched(trial=1, attempt=2, station="bench")
        with pytest.raises(TransitionError, match="attempt 1"):
            ledger.append(campaign, intent, actor="test")
        assert len(ledger.events(campaign)) == 3
        assert check_integrity(ledger, campaign).findings == []


def test_one_owner_at_a_time_and_stale_tokens_are_fenced(database: str) -> None:
    with Ledger.open(database) as ledger:
        campaign = ledger.create_campaign(created(), actor="test")
        with ledger.acquire(campaign) as first:
            with pytest.raises(ConflictError, match="one owner"):
                ledger.acquire(campaign)
            ledger.append(campaign, ev.CampaignStarted(), actor="test", token=first.token)
        with ledger.acquire(campaign) as second:
            assert second.token > first.token
            with pytest.raises(ConflictError, match="stale"):
                ledger.append(campaign, proposed(1, 1), actor="test", token=first.token)


def _own_and_die(url: str, campaign: str) -> None:
    Ledger.open(url).acquire(campaign)
    os._exit(9)


def test_a_dead_owner_is_replaced_at_once(database: str) -> None:
    with Ledger.open(database) as ledger:
        campaign = ledger.create_campaign(created(), actor="test")
        process = multiprocessing.get_context("spawn").Process(
            target=_own_and_die, args=(database, campaign)
        )
        process.start()
        process.join()
        assert process.exitcode == 9
        with ledger.acquire(campaign) as ownership:
            assert ownership.token == 2


def test_an_owner_elsewhere_keeps_its_lease_until_it_runs_out(database: str) -> None:
    with Ledger.open(database) as ledger:
        campaign = ledger.create_campaign(created(), actor="test")
        ledger.acquire(campaign).release()
        with ledger.engine.execution_options(write=True).begin() as connection:
            statement = "UPDATE owner SET holder='x', host='elsewhere', expires=:t"
            connection.execute(text(statement), {"t": time.time() + 60.0})
        with pytest.raises(ConflictError):
            ledger.acquire(campaign)
        with ledger.engine.execution_options(write=True).begin() as connection:
            connection.execute(text("UPDATE owner SET expires=:t"), {"t": time.time() - 1.0})
        ledger.acquire(campaign).release()


def test_events_cannot_be_changed_through_the_database(database: str) -> None:
    with Ledger.open(database) as ledger:
        finished_campaign(ledger)
        for statement in ("UPDATE event SET actor='me'", "DELETE FROM event"):
            with pytest.raises(Exception, match="never changed"):
                with ledger.engine.execution_options(write=True).begin() as connection:
                    connection.execute(text(statement))


def test_several_events_are_recorded_all_or_none(database: str) -> None:
    with Ledger.open(database) as ledger:
        orphan = ev.TrialRunning(trial=1, attempt=1)
        with pytest.raises(NotFoundError, match="no trial 1"):
            ledger.create_with([created(), orphan], actor="test")
        with pytest.raises(RecordError, match="begin with campaign.created"):
            ledger.create_with([orphan], actor="test")
        with pytest.raises(TransitionError, match="trial 1 is proposed"):
            ledger.create_with([created(), proposed(1, 1), completed(1)], actor="test")
        assert ledger.campaigns() == []


def test_a_campaign_is_found_by_id_beginning_and_unique_name(database: str) -> None:
    with Ledger.open(database) as ledger:
        one = ledger.create_campaign(created("one"), actor="test")
        ledger.create_campaign(created("two"), actor="test")
        ledger.create_campaign(created("two"), actor="test")
        assert ledger.campaign(one[:7]).id == one
        assert ledger.campaign("one").id == one
        with pytest.raises(NotFoundError, match="must name one"):
            ledger.campaign("two")
        with pytest.raises(NotFoundError, match="no campaign"):
            ledger.campaign("_")


def test_migrations_go_down_and_up_again(database: str) -> None:
    with Ledger.open(database) as ledger:
        migrate(ledger.engine, "base")
        with pytest.raises(SchemaError, match="dotpilot db upgrade"):
            Ledger.open(database, create=False)
        migrate(ledger.engine, HEAD)
        finished_campaign(ledger)


def test_the_migrated_schema_is_the_declared_one(database: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from orchestrator.ledger._tables import metadata

    with Ledger.open(database) as ledger, ledger.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_a_newer_schema_is_refused(database: str) -> None:
    with Ledger.open(database) as ledger:
        with ledger.engine.execution_options(write=True).begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num='v9_0_0'"))
    for action in (Ledger.open, upgrade):
        with pytest.raises(SchemaError, match="newer dotpilot"):
            action(database)


def test_the_first_schema_can_be_upgraded_and_continued(tmp_path: Path) -> None:
    fixture = Path(__file__).parent / "fixtures" / "v0_1_0.db"
    copy = tmp_path / "old.db"
    copy.write_bytes(fixture.read_bytes())
    url = f"sqlite:///{copy}"
    upgrade(url)
    with Ledger.open(url) as ledger:
        row = ledger.campaign("record")
        assert check_integrity(ledger, row.id).findings == []
        number = len(ledger.trials(row.id)) + 1
        ledger.append(row.id, proposed(number, number), actor="test")
        run_trial(ledger, row.id, number)
        assert check_integrity(ledger, row.id).findings == []


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://x/y", "sqlite://", "sqlite:////no/such/folder/x.db"]
)
def test_an_unusable_url_is_refused(url: str) -> None:
    with pytest.raises(InputRefusedError, match="--db must"):
        Ledger.open(url)


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(SchemaError, match="theirs"):
        Ledger.open(f"sqlite:///{path}")
