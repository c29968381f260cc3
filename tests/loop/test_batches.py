"""What becomes of the wells of a plate when something is not as it should be."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from instruments import Analysis, Measurement, StationStoppedError, Verdict, Violation
from instruments.larp_plate import LarpPlateStation
from orchestrator.campaign import check_campaign
from orchestrator.decisions import resolve_doubt
from orchestrator.errors import DotpilotError, InputRefusedError
from orchestrator.events import TrialDispatched
from orchestrator.ledger import Ledger, TrialRow
from orchestrator.loop import create_campaign, drive
from orchestrator.loop._run import CampaignLoop
from orchestrator.replay.verify import verify_campaign
from tests.loop.campaigns import PLATES, SMALL, Silent

ONE_PLATE = {**PLATES, "budget": {"trials": 3}}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'plates.db'}") as opened:
        yield opened


def created(ledger: Ledger, **changes: Any) -> str:
    return create_campaign(ledger, check_campaign({**ONE_PLATE, **changes}))


def states(ledger: Ledger, campaign: str) -> list[tuple[int, int, str]]:
    return [(t.number, t.attempt, t.state) for t in ledger.trials(campaign)]


def seen(rows: list[TrialRow]) -> list[Any]:
    return [(t.recipe, t.conditions, {k: o.value for k, o in t.observables.items()}) for t in rows]


def stop_once(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let the next plate end in this error, after matter has moved."""
    original = LarpPlateStation.run_batch
    failed: list[bool] = []

    def run_batch(self: LarpPlateStation, *args: Any, **kwargs: Any) -> Any:
        made = original(self, *args, **kwargs)
        if not failed:
            failed.append(True)
            raise error
        return made

    monkeypatch.setattr(LarpPlateStation, "run_batch", run_batch)


def test_a_batch_beyond_the_station_s_limit_is_refused_with_the_limit() -> None:
    with pytest.raises(InputRefusedError, match="at most 96 recipes at once, but got 97"):
        check_campaign({**PLATES, "batch": 97})
    # a station that makes one at a time gets the proposals of a step one after the other
    assert check_campaign({**SMALL, "batch": 97}).batch == 97


def test_a_plate_is_one_run_of_the_station(ledger: Ledger) -> None:
    campaign = created(ledger)
    assert drive(ledger, campaign, Silent()) == "finished"
    kinds = [e.type for e in ledger.events(campaign) if e.type.startswith("trial.")]
    order = ["dispatched", "running", "measured", "completed"]
    # every intent before anything runs, every measurement before any is concluded
    assert kinds == [f"trial.{kind}" for kind in order for _ in range(3)]
    intents = [e.read() for e in ledger.events(campaign) if e.type == TrialDispatched.TYPE]
    assert [[(m.trial, m.attempt) for m in i.batch] for i in intents] == [
        [(1, 1), (2, 1), (3, 1)]
    ] * 3  # type: ignore[attr-defined]
    assert len({t.lab_time for t in ledger.trials(campaign)}) == 1
    assert verify_campaign(ledger, campaign).ok


def test_a_station_that_stops_leaves_every_well_in_doubt(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign, whole = created(ledger), created(ledger, name="whole")
    drive(ledger, whole, Silent())
    stop_once(monkeypatch, StationStoppedError("the lid is open"))
    assert drive(ledger, campaign, Silent()) == "stopped"
    assert states(ledger, campaign) == [(n, 1, "in_doubt") for n in (1, 2, 3)]
    assert drive(ledger, campaign, Silent()) == "finished"
    assert seen(ledger.trials(campaign)) == seen(ledger.trials(whole))


def test_a_bug_leaves_every_well_in_doubt_and_fails(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = LarpPlateStation.run_batch
    monkeypatch.setattr(
        LarpPlateStation, "run_batch", lambda self, *a, **k: original(self, *a, **k)[:-1]
    )
    campaign = created(ledger)
    with pytest.raises(DotpilotError, match="one measurement per recipe, but returned 2 for 3"):
        drive(ledger, campaign, Silent())
    assert ledger.campaign(campaign).state == "failed"
    assert Counter(t.state for t in ledger.trials(campaign)) == {"in_doubt": 3}


def test_a_person_decides_well_by_well(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = created(ledger, in_doubt="ask")
    stop_once(monkeypatch, StationStoppedError("the lid is open"))
    drive(ledger, campaign, Silent())
    assert drive(ledger, campaign, Silent()) == "paused"
    resolve_doubt(ledger, campaign, 1, "abandon", "spilt")
    resolve_doubt(ledger, campaign, 2, "repeat", "again")
    resolve_doubt(ledger, campaign, 3, "repeat", "again")
    assert drive(ledger, campaign, Silent()) == "finished"
    assert states(ledger, campaign) == [
        (1, 1, "abandoned"), (2, 2, "completed"), (3, 2, "completed"),
    ]  # fmt: skip
    # the two share a new plate; the one that was given up is not made again
    wells = [t.conditions["wells_on_plate"]["value"] for t in ledger.trials(campaign)[1:]]
    assert wells == [2, 2]


def test_a_verdict_that_stops_the_station_still_concludes_the_other_wells(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = LarpPlateStation.analyse
    campaign = created(ledger)

    def analyse(self: LarpPlateStation, measurement: Measurement) -> Analysis:
        found = original(self, measurement)
        second = measurement.requested == ledger.trial(campaign, 2).recipe
        return Analysis({}, Verdict("stop", ("lamp out",))) if second else found

    monkeypatch.setattr(LarpPlateStation, "analyse", analyse)
    assert drive(ledger, campaign, Silent()) == "stopped"
    assert [s for _, _, s in states(ledger, campaign)] == ["completed", "rejected", "completed"]
    last = ledger.events(campaign)[-1].read()
    assert (last.stop_reason, last.detail) == ("station_stopped", "lamp out")  # type: ignore[attr-defined]


def test_a_stop_is_heeded_by_the_next_process_where_this_one_dies_before_recording_it(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = created(ledger)
    stopping = Analysis({}, Verdict("stop", ("lamp out",)))
    monkeypatch.setattr(LarpPlateStation, "analyse", lambda self, measurement: stopping)
    with monkeypatch.context() as dying:
        dying.setattr(CampaignLoop, "_settle", lambda *_: sys.exit("killed"))
        with pytest.raises(SystemExit):
            drive(ledger, campaign, Silent())
    before = states(ledger, campaign)
    assert ledger.campaign(campaign).state == "running"
    assert drive(ledger, campaign, Silent()) == "stopped"
    assert states(ledger, campaign) == before


def test_a_well_that_the_station_refuses_by_now_is_left_out(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = created(ledger)
    original, first = LarpPlateStation.check, []

    def check(self: LarpPlateStation, recipe: Any) -> Any:
        trials = ledger.trials(campaign)
        if trials and recipe == trials[0].recipe:
            first.append(recipe)
            return [Violation("antisolvent", "toluene", "", "", "no toluene left")]
        return original(self, recipe)

    monkeypatch.setattr(LarpPlateStation, "check", check)
    assert drive(ledger, campaign, Silent()) == "finished"
    assert [s for _, _, s in states(ledger, campaign)] == ["abandoned", "completed", "completed"]
    assert first and ledger.trial(campaign, 2).conditions["wells_on_plate"]["value"] == 2
