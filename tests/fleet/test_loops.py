"""The loops of served campaigns: plates, approval, parallel labs, takeover."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any

import pytest

from orchestrator.campaign import check_campaign
from orchestrator.errors import ConflictError
from orchestrator.events import CampaignDraining, TrialAdded, TrialApproved
from orchestrator.executor import PoolExecutor
from orchestrator.fleet import Fleet, LoopRunner, ServedLoop, proposed_step, proposed_through
from orchestrator.ledger import Ledger, check_integrity, dose_rows
from orchestrator.loop import create_campaign, drive
from orchestrator.replay import verify_campaign
from tests.fleet.labs import Bench, register, serve
from tests.loop.campaigns import PLATES, SMALL, Silent


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        yield opened


def launched(ledger: Ledger, document: dict[str, Any] = SMALL, **more: Any) -> str:
    campaign = check_campaign({**document, **more})
    return create_campaign(ledger, campaign, dispatch="fleet", start=True)


def test_plates_are_leased_whole(ledger: Ledger) -> None:
    """The wells of a step share a run, so one worker must get all of them with one lease."""
    local = create_campaign(ledger, check_campaign(PLATES))
    drive(ledger, local, Silent())
    served, fleet = launched(ledger, PLATES), Fleet(ledger)
    register(fleet, station="larp_plate")
    bench = Bench(fleet)
    assert serve(ledger, served, bench) == "finished"
    assert [t.observables for t in ledger.trials(served)] == [
        t.observables for t in ledger.trials(local)
    ]
    assert [len(lease.members) for lease in fleet.leases(served)] == [3, 1]
    assert verify_campaign(ledger, served).findings == []


def test_a_budget_of_matter_ends_a_served_campaign_before_it_is_exceeded(ledger: Ledger) -> None:
    """Labs must not be offered a run that could draw more than the campaign may."""
    budget = {"trials": 6, "stocks": {"lead_bromide": "1 mL"}}
    served, fleet = launched(ledger, SMALL, budget=budget), Fleet(ledger)
    register(fleet)
    assert serve(ledger, served, Bench(fleet)) == "finished"
    assert ledger.campaign(served).stop_reason == "budget_spent"
    drawn = [r.doses["lead_bromide"].most for r in dose_rows(ledger, None, served)]
    assert drawn and sum(drawn) <= 1000.0
    assert len(drawn) < 6


def test_two_labs_share_a_step(ledger: Ledger) -> None:
    """Each trial must say which lab made it, and each lab must carry on from its own state."""
    served, fleet = launched(ledger), Fleet(ledger)
    register(fleet, "w1", lab="north")
    register(fleet, "w2", lab="south")
    assert serve(ledger, served, Bench(fleet, "w1"), Bench(fleet, "w2")) == "finished"
    assert [t.lab for t in ledger.trials(served)] == ["north", "south"] * 2
    assert check_integrity(ledger, served).findings == []


def test_a_drain_lets_what_runs_end(ledger: Ledger) -> None:
    served, fleet = launched(ledger), Fleet(ledger)
    register(fleet)
    bench = Bench(fleet)
    with ledger.acquire(served) as ownership:
        loop = ServedLoop(ledger, served, ownership.token)
        while loop.tick():
            pass
        lease = fleet.grant("w1")
        assert lease is not None
        ledger.append(served, CampaignDraining(reason="evening"), actor="person")
        assert not loop.tick() and ledger.campaign(served).state == "draining"
        assert fleet.grant("w1") is None
        fleet.result(lease.lease, lease.fence, bench.run(lease))
        while loop.tick():
            pass
    assert ledger.campaign(served).state == "paused"
    assert [t.state for t in ledger.trials(served)] == ["completed", "proposed"]


def test_approval_and_a_persons_recipe(ledger: Ledger) -> None:
    """Nothing may be offered before a person approved it; a person's own recipe counts too."""
    served, fleet = launched(ledger, approval=True, batch=1), Fleet(ledger)
    register(fleet)
    bench = Bench(fleet)
    assert serve(ledger, served, bench) == "running"
    own = TrialAdded(trial=2, step=1, recipe=ledger.trial(served, 1).recipe, note="again")
    ledger.append(served, own, actor="person")
    for number in (1, 2):
        ledger.append(served, TrialApproved(trial=number, attempt=1, reason="yes"), actor="person")
    assert serve(ledger, served, bench) == "running"
    assert [t.state for t in ledger.trials(served)] == ["completed", "completed", "proposed"]
    assert ledger.trial(served, 2).origin["note"] == "again"
    assert verify_campaign(ledger, served).findings == []


def test_a_decision_on_an_old_record_is_taken_again(ledger: Ledger) -> None:
    """A recipe that a person adds while the agent thinks must be in the history it thinks on."""
    served = launched(ledger, batch=1)
    with ledger.acquire(served) as ownership:
        loop = ServedLoop(ledger, served, ownership.token)
        original, added = loop.propose, []

        def slow(*arguments: Any) -> Any:
            step = original(*arguments)
            if not added:
                added.append(step.proposals[0].recipe)
                own = TrialAdded(trial=1, step=0, recipe=added[0], note="mine first")
                ledger.append(served, own, actor="person")
            return step

        loop.propose = slow
        while loop.tick():
            pass
    assert [t.origin.get("note") for t in ledger.trials(served)] == ["mine first"]


def test_agents_answer_the_same_in_another_process(ledger: Ledger) -> None:
    """Where an agent computes must not show in what it proposes, nor may a dead process."""
    served = launched(ledger)
    row = ledger.campaign(served)
    here = proposed_step(row, [], 1, 1, 2)
    with PoolExecutor(1) as pool:
        propose = proposed_through(pool)
        assert propose(row, [], 1, 1, 2) == here
        assert isinstance(pool.submit(os._exit, 1).exception(), BrokenExecutor)
        assert propose(row, [], 1, 1, 2) == here


def test_a_stale_loop_can_do_nothing(ledger: Ledger) -> None:
    served = launched(ledger)
    with ledger.acquire(served) as ownership:
        stale = ServedLoop(ledger, served, ownership.token)
    with ledger.acquire(served), pytest.raises(ConflictError, match="stale"):
        stale.tick()


def _until(done: Callable[[], bool], what: str) -> None:
    waited = threading.Event()
    for _ in range(600):
        if done():
            return
        waited.wait(0.1)
    raise AssertionError(f"{what} did not happen within a minute")


def test_a_runner_drives_all_campaigns(database: str) -> None:
    """Campaigns must finish without anybody calling their loops, and be let go of afterwards."""
    with Ledger.open(database) as ledger:
        fleet = Fleet(ledger)
        register(fleet)
        campaigns = [launched(ledger, seed=n) for n in (1, 2)]
        stop = threading.Event()

        def work() -> None:
            bench = Bench(fleet)
            while not stop.is_set():
                bench.once() or stop.wait(0.05)

        worker = threading.Thread(target=work)
        worker.start()
        try:
            with LoopRunner(ledger, poll_s=0.05) as runner:
                _until(
                    lambda: all(ledger.campaign(c).state == "finished" for c in campaigns),
                    "the end of both campaigns",
                )
                _until(lambda: runner.campaigns == [], "the release of both campaigns")
        finally:
            stop.set()
            worker.join()
        for campaign in campaigns:
            with ledger.acquire(campaign):
                pass
            assert check_integrity(ledger, campaign).findings == []
