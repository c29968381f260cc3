"""Writers at the same time queue; a replaced owner cannot slip one more event in."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from orchestrator.errors import ConflictError, DotpilotError, TransitionError
from orchestrator.ledger import Ledger, Ownership, check_integrity
from orchestrator.ledger._statements import Statements, write_cursor
from tests.records import created, finished_campaign, proposed

WRITERS = 4


def test_writers_at_the_same_time_make_one_chain(database: str) -> None:
    with Ledger.open(database) as ledger:
        campaign = ledger.create_campaign(created(), actor="test")
        start = Barrier(WRITERS)

        def write(writer: int) -> None:
            start.wait(timeout=30)
            for n in range(5):
                number = 1 + writer * 5 + n
                ledger.append(campaign, proposed(number, number), actor=f"writer {writer}")

        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(write, range(WRITERS)))
        events = ledger.events(campaign)
        assert [e.seq for e in events] == list(range(1, 2 + 5 * WRITERS))
        assert len({e.actor for e in events}) == 1 + WRITERS
        assert check_integrity(ledger, campaign).findings == []


def test_one_of_many_becomes_the_owner(database: str) -> None:
    with Ledger.open(database) as ledger:
        campaign = ledger.create_campaign(created(), actor="test")
        start = Barrier(WRITERS)

        def take(_: int) -> Ownership | ConflictError:
            start.wait(timeout=30)
            try:
                return ledger.acquire(campaign)
            except ConflictError as error:
                return error

        with ThreadPoolExecutor(WRITERS) as pool:
            found = list(pool.map(take, range(WRITERS)))
        owners = [f for f in found if isinstance(f, Ownership)]
        assert [o.token for o in owners] == [1]
        owners[0].release()


def test_a_take_over_waits_for_an_append_under_way(database: str) -> None:
    """Else the new owner could decide on a record that the old one is still adding to."""
    with Ledger.open(database) as ledger, ThreadPoolExecutor(1) as pool:
        campaign = ledger.create_campaign(created(), actor="test")
        ledger.acquire(campaign).release()
        taken = Event()

        def take_over() -> int:
            with ledger.acquire(campaign) as ownership:
                taken.set()
                return ownership.token

        with write_cursor(ledger.engine) as cursor:
            Statements(ledger.engine.dialect).head(cursor, campaign)
            future = pool.submit(take_over)
            assert not taken.wait(timeout=0.3)
        assert future.result(timeout=30) == 2


def test_a_trial_is_numbered_and_a_campaign_created_once(database: str) -> None:
    with Ledger.open(database) as ledger:
        campaign = ledger.create_campaign(created(), actor="test")
        ledger.append(campaign, proposed(1, 1), actor="test")
        with pytest.raises(TransitionError, match="has a trial 1"):
            ledger.append(campaign, proposed(2, 1), actor="test")
        with pytest.raises(TransitionError, match="created once"):
            ledger.append(campaign, created(), actor="test")
        assert len(ledger.events(campaign)) == 2


def test_what_the_database_refuses_is_a_refusal_and_leaves_nothing(database: str) -> None:
    with Ledger.open(database) as ledger:
        campaign = finished_campaign(ledger, trials=1)
        with pytest.raises(DotpilotError, match="the database refused it"):
            with write_cursor(ledger.engine) as cursor:
                cursor.execute("INSERT INTO owner (campaign, token) VALUES ('stray', 1)")
                cursor.execute("UPDATE event SET actor='me'")
        with ledger.engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM owner").scalar() == 0
        assert check_integrity(ledger, campaign).findings == []


def test_an_up_to_date_database_opens_without_alembic(tmp_path: object) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    Ledger.open(url).close()
    code = (
        "import sys; from orchestrator.ledger import Ledger; "
        f"Ledger.open({url!r}).close(); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


@pytest.mark.parametrize("query", ["synchronous=off", "mode=ro", "synchronous=full&x=1"])
def test_other_options_of_a_url_are_refused(tmp_path: object, query: str) -> None:
    with pytest.raises(DotpilotError, match="options of a sqlite URL"):
        Ledger.open(f"sqlite:///{tmp_path}/x.db?{query}")


@pytest.mark.parametrize(("query", "level"), [("", 2), ("?synchronous=normal", 1)])
def test_every_event_is_synced_unless_the_url_says_otherwise(
    tmp_path: object, query: str, level: int
) -> None:
    with Ledger.open(f"sqlite:///{tmp_path}/x.db{query}") as ledger:
        with ledger.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == level
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
