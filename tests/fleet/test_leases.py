"""What a lease promises, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from orchestrator.campaign import check_campaign
from orchestrator.errors import ConflictError, InputRefusedError, NotFoundError
from orchestrator.fleet import Failure, Fleet, Lease, LeaseLostError, Result, ServedLoop
from orchestrator.ledger import Ledger, check_integrity
from orchestrator.loop import create_campaign, drive
from orchestrator.replay import verify_campaign
from tests.fleet.labs import Bench, register, serve
from tests.loop.campaigns import SMALL, Silent


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    with Ledger.open(database) as opened:
        yield opened


def launched(ledger: Ledger, **more: Any) -> str:
    campaign = check_campaign({**SMALL, **more})
    return create_campaign(ledger, campaign, dispatch="fleet", start=True)


def offered(ledger: Ledger, **more: Any) -> tuple[Fleet, str]:
    """A running campaign whose first step is offered, and its fleet with one worker."""
    fleet, campaign = Fleet(ledger), launched(ledger, **more)
    register(fleet)
    with ledger.acquire(campaign) as ownership:
        loop = ServedLoop(ledger, campaign, ownership.token)
        while loop.tick():
            pass
    return fleet, campaign


def result_of(lease: Lease, lab_time: float = 10.0) -> list[Result]:
    """A result without spectra for each attempt of a lease."""
    return [Result(trial=m.trial, attempt=m.attempt, lab_time=lab_time) for m in lease.members]


def states(ledger: Ledger, campaign: str) -> list[str]:
    return [t.state for t in ledger.trials(campaign)]


def lapse(ledger: Ledger) -> None:
    with ledger.engine.execution_options(write=True).begin() as connection:
        connection.execute(text("UPDATE lease SET expires = 1 WHERE state = 'leased'"))


def grant(fleet: Fleet, worker: str = "w1") -> Lease:
    lease = fleet.grant(worker)
    assert lease is not None
    return lease


def test_a_served_campaign_has_the_record_of_a_local_one(ledger: Ledger) -> None:
    """The same seed must give the same recipes, raw data and observables, wherever it runs."""
    local = create_campaign(ledger, check_campaign(SMALL))
    drive(ledger, local, Silent())
    served = launched(ledger)
    fleet = Fleet(ledger)
    register(fleet)
    assert serve(ledger, served, Bench(fleet)) == "finished"
    mine, theirs = ledger.trials(served), ledger.trials(local)
    for name in ("recipe", "achieved", "observables", "verdict", "state", "history_hash"):
        assert [getattr(t, name) for t in mine] == [getattr(t, name) for t in theirs], name
    assert {(t.lab, t.worker) for t in mine} == {("north", "w1")}
    found = verify_campaign(ledger, served)
    assert found.findings == [] and found.observables_checked and found.proposals_checked


def test_a_grant_is_the_intent(ledger: Ledger) -> None:
    """A trial that a worker may run must be dispatched in the record before it hears of it."""
    fleet, campaign = offered(ledger)
    lease = grant(fleet)
    assert states(ledger, campaign) == ["dispatched", "proposed"]
    assert lease.fence == 1 and lease.members[0].recipe == ledger.trial(campaign, 1).recipe
    fleet.heartbeat(lease.lease, lease.fence)
    fleet.heartbeat(lease.lease, lease.fence, "filling")
    assert states(ledger, campaign) == ["running", "proposed"]
    assert fleet.result(lease.lease, lease.fence, result_of(lease)).state == "done"
    assert states(ledger, campaign) == ["measured", "proposed"]
    assert check_integrity(ledger, campaign).findings == []


def test_a_lapsed_lease_is_a_doubt_and_a_late_result_is_evidence(ledger: Ledger) -> None:
    """A worker that wakes late must change nothing, but what it measured must not be lost."""
    fleet, campaign = offered(ledger)
    lease = grant(fleet)
    lapse(ledger)
    assert fleet.sweep() == 1 and fleet.sweep() == 0
    assert ledger.trial(campaign, 1).state == "in_doubt"
    with pytest.raises(LeaseLostError, match="stale"):
        fleet.heartbeat(lease.lease, lease.fence)
    for _ in range(2):  # sent again, it is kept once
        with pytest.raises(LeaseLostError, match="kept as evidence"):
            fleet.result(lease.lease, lease.fence, result_of(lease))
    (late,) = fleet.late_results(campaign, 1)
    assert (late.attempt, late.worker, late.result.lab_time) == (1, "w1", 10.0)
    assert ledger.trial(campaign, 1).state == "in_doubt"


def test_a_result_counts_once(ledger: Ledger) -> None:
    """An answer that the network lost makes a worker send again; that must change nothing."""
    fleet, campaign = offered(ledger)
    lease = grant(fleet)
    first = fleet.result(lease.lease, lease.fence, result_of(lease))
    count = ledger.event_count(campaign)
    assert fleet.result(lease.lease, lease.fence, result_of(lease)) == first
    with pytest.raises(ConflictError, match="one result"):
        fleet.result(lease.lease, lease.fence, result_of(lease, 11.0))
    assert ledger.event_count(campaign) == count and fleet.late_results(campaign, 1) == []


def test_data_that_cannot_be_analysed_fail_no_campaign(ledger: Ledger) -> None:
    """One lab's rubbish must not stop the others: it is refused, with the reason, thrice."""
    fleet, campaign = offered(ledger, batch=1, budget={"trials": 1})
    for _ in range(3):
        lease = grant(fleet)
        fleet.result(lease.lease, lease.fence, result_of(lease))
        serve(ledger, campaign)
    trial = ledger.trial(campaign, 1)
    assert (trial.state, trial.attempt) == ("rejected", 3)
    assert trial.verdict and "cannot be analysed" in trial.verdict["reasons"][0]
    assert ledger.campaign(campaign).state == "finished"
    assert verify_campaign(ledger, campaign).findings == []


def test_results_must_fit_the_lease(ledger: Ledger) -> None:
    fleet, campaign = offered(ledger)
    lease = grant(fleet)
    with pytest.raises(InputRefusedError, match="one result for each attempt"):
        fleet.result(lease.lease, lease.fence, [Result(trial=2, attempt=1)])
    assert fleet.lease(lease.lease).state == "leased"
    assert ledger.trial(campaign, 1).state == "dispatched"


def test_how_a_lease_may_fail(ledger: Ledger) -> None:
    """The agent must be told a failure from a refusal from a doubt."""
    fleet, campaign = offered(ledger, batch=4)
    made = [grant(fleet) for _ in range(4)]
    kinds = ("failed", "refused", "unknown", "stopped")
    for lease, kind in zip(made, kinds, strict=True):
        fleet.fail(lease.lease, lease.fence, Failure(kind=kind, reason="clogged"))
    assert states(ledger, campaign) == ["failed", "abandoned", "in_doubt", "in_doubt"]
    assert fleet.workers("w1")[0].state == "stopped" and fleet.grant("w1") is None


def test_a_lease_that_moved_nothing_can_be_given_back(ledger: Ledger) -> None:
    fleet, campaign = offered(ledger, batch=1)
    lease = grant(fleet)
    assert fleet.give_back(lease.lease, lease.fence, "the worker drains").state == "offered"
    assert states(ledger, campaign) == ["approved"]
    again = grant(fleet)
    assert (again.lease, again.fence, again.members[0].attempt) == (lease.lease, 2, 1)
    with pytest.raises(LeaseLostError):
        fleet.result(lease.lease, lease.fence, result_of(lease))


def test_a_paused_campaign_grants_nothing(ledger: Ledger) -> None:
    from orchestrator.events import CampaignPaused

    fleet, campaign = offered(ledger)
    held = grant(fleet)
    ledger.append(campaign, CampaignPaused(reason="lunch"), actor="person")
    assert fleet.grant("w1") is None
    assert fleet.heartbeat(held.lease, held.fence).pause


def test_who_may_lease_what(ledger: Ledger) -> None:
    """A recipe must not reach a lab that the campaign does not name, or another truth."""
    fleet, _ = offered(ledger, labs=["north"], batch=1)
    register(fleet, "south", lab="south")
    register(fleet, "other", simulated={"hidden": 99})
    register(fleet, "cuvette", station="anion_exchange")
    assert [fleet.grant(w) for w in ("south", "other", "cuvette")] == [None, None, None]
    register(fleet, "same", simulated={"hidden": 3})
    assert fleet.grant("same") is not None
    with pytest.raises(NotFoundError, match="register"):
        fleet.grant("nobody")
    with pytest.raises(ConflictError, match="one lab"):
        register(fleet, "south", lab="north")


def _heard_of(ledger: Ledger, worker: str, ago: float) -> None:
    """Let a worker have been heard of so long ago [s], by the database's clock."""
    now = Fleet(ledger).workers(worker)[0].seen_ago
    with ledger.engine.execution_options(write=True).begin() as connection:
        connection.execute(
            text("UPDATE worker SET seen = seen + :now - :ago WHERE id = :id"),
            {"now": now, "ago": ago, "id": worker},
        )


def test_a_name_is_one_instance_s_while_it_is_heard_from(ledger: Ledger) -> None:
    fleet, _ = offered(ledger)
    register(fleet, "two", instance="a")
    register(fleet, "two", instance="a")  # started again
    for other in ("b", None):
        with pytest.raises(ConflictError, match="'two' is held by another .* once it was silent"):
            register(fleet, "two", instance=other)
        with pytest.raises(ConflictError, match="held by another"):
            fleet.grant("two", instance=other)
    _heard_of(ledger, "two", 55.0)
    with pytest.raises(ConflictError, match="heard from 55 s ago"):
        register(fleet, "two", instance="b")
    assert fleet.grant("two", instance="a") is not None
    _heard_of(ledger, "two", 65.0)
    register(fleet, "two", instance="b")
    with pytest.raises(ConflictError, match="held by another"):
        fleet.grant("two", instance="a")


def test_asking_for_work_keeps_a_name_and_asking_in_vain_does_not(ledger: Ledger) -> None:
    fleet = Fleet(ledger)
    register(fleet, instance="a")
    _heard_of(ledger, "w1", 50.0)
    with pytest.raises(ConflictError, match="held by another"):
        fleet.grant("w1", instance="b")
    assert fleet.workers("w1")[0].seen_ago > 40.0, "another's request is no sign of life"
    assert fleet.grant("w1", instance="a") is None
    assert fleet.workers("w1")[0].seen_ago < 40.0


def test_cancel_reaches_offers_and_workers(ledger: Ledger) -> None:
    fleet, campaign = offered(ledger)
    held = grant(fleet)
    assert fleet.cancel(campaign) == 1
    assert fleet.grant("w1") is None and fleet.heartbeat(held.lease, held.fence).cancel


def test_nothing_is_granted_twice(database: str) -> None:
    """Many workers that ask at once must get different attempts."""
    with Ledger.open(database) as ledger:
        fleet, campaign = offered(ledger, batch=12, budget={"trials": 12})
        for n in range(6):
            register(fleet, f"t{n}")
        taken: list[int] = []
        lock = threading.Lock()

        def ask(worker: str) -> None:
            while lease := fleet.grant(worker):
                with lock:
                    taken.append(lease.members[0].trial)

        threads = [threading.Thread(target=ask, args=(f"t{n}",)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(taken) == list(range(1, 13))
        assert check_integrity(ledger, campaign).findings == []
