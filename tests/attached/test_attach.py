"""A later measurement: recorded once, in every state, seen by the agent from then on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator import events as ev
from orchestrator.campaign import check_campaign
from orchestrator.decisions import attach_measurement
from orchestrator.documents import attachments
from orchestrator.errors import InputRefusedError, TransitionError
from orchestrator.fleet import Fleet, ServedLoop, proposed_step
from orchestrator.ledger import Ledger, check_integrity, upgrade
from orchestrator.loop import Planner, create_campaign, drive, history
from orchestrator.replay import fork_campaign, verify_campaign, view_campaign
from tests.attached.campaigns import LATER, created_with_later, seen, sizes, stated
from tests.fleet.labs import Bench, register
from tests.loop.campaigns import Silent
from tests.records import completed, measured, proposed, run_trial
from tests.report import stories

FIXTURES = Path(__file__).parents[1] / "ledger" / "fixtures"


@pytest.fixture
def record(database: str) -> Iterator[tuple[Ledger, str]]:
    """A running campaign without a station, trial 1 completed and trial 2 proposed."""
    with Ledger.open(database) as ledger:
        campaign = ledger.create_campaign(created_with_later(), actor="test")
        ledger.append(campaign, ev.CampaignStarted(), actor="test")
        ledger.append(campaign, proposed(1, 1, 2), actor="test")
        run_trial(ledger, campaign, 1)
        yield ledger, campaign


def test_the_newest_value_holds_and_the_history_stays(record: tuple[Ledger, str]) -> None:
    ledger, campaign = record
    attach_measurement(ledger, campaign, 1, seen(measured_at="2026-11-25T10:00:00+01:00"))
    first = ledger.trial(campaign, 1)
    assert first.observables["tem_size"].method == "TEM: mean@1"
    assert first.observables["peak"].value == 519.0, "the station's own value stays"
    attach_measurement(ledger, campaign, 1, stated("tem_size", 8.0, se=0.3))
    trial = ledger.trial(campaign, 1)
    assert (trial.observables["tem_size"].value, trial.state) == (8.0, "completed")
    old, new = attachments(ledger, campaign)[1]
    assert (old["holds"], new["holds"]) == ([], ["tem_size"])
    assert old["observables"]["tem_size"]["value"] == first.observables["tem_size"].value
    assert old["measured_at"] == "2026-11-25T09:00:00+00:00", "one clock for all"
    assert check_integrity(ledger, campaign).findings == []
    ledger.rebuild(campaign)
    assert ledger.trial(campaign, 1) == trial, "the read tables follow from the events alone"


def test_the_bytes_of_the_file_are_kept_as_they_were(record: tuple[Ledger, str]) -> None:
    ledger, campaign = record
    data = bytes(range(256)) * 3
    attach_measurement(ledger, campaign, 1, stated("tem_size", 9.0, data=data, file="a/b.tif"))
    (event,) = ledger.events_of(campaign, ("trial.observed",), 1)
    payload = event.read()
    assert isinstance(payload, ev.TrialObserved)
    assert ledger.array(payload.evidence.array_sha256).tobytes() == data
    assert (payload.evidence.name, payload.evidence.size) == ("b.tif", 768)


def test_asked_twice_it_is_recorded_once(record: tuple[Ledger, str]) -> None:
    ledger, campaign = record
    for request in ("k1", "k1", "k2", None):
        attach_measurement(ledger, campaign, 1, seen(), request=request)
    assert len(ledger.events_of(campaign, ("trial.observed",))) == 1
    attach_measurement(ledger, campaign, 1, stated("tem_size", 8.0), request="k3")
    attach_measurement(ledger, campaign, 1, seen(), request="k1")
    assert ledger.trial(campaign, 1).observables["tem_size"].value == 8.0, "a late echo is none"
    with pytest.raises(InputRefusedError, match="key stands for one request"):
        attach_measurement(ledger, campaign, 1, stated("tem_size", 7.0), request="k1")
    attach_measurement(ledger, campaign, 1, seen())
    assert len(ledger.events_of(campaign, ("trial.observed",))) == 3, "back to the first value"


def test_what_the_station_measured_is_replaced_only_on_purpose(
    record: tuple[Ledger, str],
) -> None:
    ledger, campaign = record
    with pytest.raises(InputRefusedError, match="say --correct to replace"):
        attach_measurement(ledger, campaign, 1, stated("peak", 521.0))
    with pytest.raises(InputRefusedError, match="correct: belongs to what the station"):
        attach_measurement(ledger, campaign, 1, stated("tem_size", 9.0, correct=True))
    attach_measurement(ledger, campaign, 1, stated("peak", 2.38, unit="eV", correct=True))
    assert ledger.trial(campaign, 1).observables["peak"].value == pytest.approx(520.94, abs=0.01)
    (entry,) = attachments(ledger, campaign)[1]
    assert entry["corrects"] == ["peak"]
    assert history(ledger.trials(campaign))[0].observables["peak"].value > 520.0


def test_nothing_is_attached_to_what_was_not_made(record: tuple[Ledger, str]) -> None:
    ledger, campaign = record
    with pytest.raises(TransitionError, match="trial 2 is proposed"):
        attach_measurement(ledger, campaign, 2, seen())
    attach_measurement(ledger, campaign, 1, seen())
    (event,) = ledger.events_of(campaign, ("trial.observed",))
    payload = event.read()
    assert isinstance(payload, ev.TrialObserved)
    for wrong in ({"trial": 2}, {"attempt": 2}):
        with pytest.raises(TransitionError):
            ledger.append(campaign, payload.model_copy(update=wrong), actor="test")


def test_a_rejected_or_failed_trial_keeps_it_and_the_agent_is_not_told(
    record: tuple[Ledger, str],
) -> None:
    ledger, campaign = record
    ledger.append(campaign, ev.TrialDispatched(trial=2, attempt=1, station="bench"), actor="test")
    ledger.append(campaign, ev.TrialRunning(trial=2, attempt=1), actor="test")
    raw, arrays = measured(2)
    ledger.append(campaign, raw, actor="test", arrays=arrays)
    verdict = ev.VerdictRecord(kind="repeat", reasons=("noise",))
    refused = ev.TrialRejected(**completed(2).model_dump() | {"verdict": verdict})
    ledger.append(campaign, refused, actor="test")
    attach_measurement(ledger, campaign, 2, seen())
    trial = ledger.trial(campaign, 2)
    assert trial.state == "rejected" and "tem_size" in trial.observables
    assert history([trial])[0].observables == {}
    assert check_integrity(ledger, campaign).findings == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (stated("colour", 1.0), "has no 'colour'; it has peak, tem_size"),
        (seen("tem_size", note="  "), "note: must say why"),
        (seen("tem_size", "tem_size"), "once each"),
        (seen("tem_size", data=b"x" * (64 * 2**20 + 1)), "1 byte to 64 MiB"),
        (stated("tem_size", 9.0, file="bad\nname"), "printable name"),
        (seen("tem_size", measured_at="2026-11-25T10:00:00"), "it has no offset"),
        (seen("tem_size", measured_at="yesterday"), "ISO 8601"),
        (stated("tem_size", 9.0, se=-1.0), "se must not be negative"),
        (stated("tem_size", 1e40), "at most 1e\\+30"),
    ],
)
def test_a_mistake_is_refused_and_nothing_is_written(
    record: tuple[Ledger, str], given: Any, said: str
) -> None:
    ledger, campaign = record
    before = ledger.event_count(campaign)
    with pytest.raises(InputRefusedError, match=said):
        attach_measurement(ledger, campaign, 1, given)
    assert ledger.event_count(campaign) == before


class Attaching(Silent):
    """Attaches the sizes of each trial while the loop runs on."""

    def __init__(self, ledger: Ledger, campaign: str) -> None:
        self.ledger, self.campaign = ledger, campaign

    def ended(self, trial: Any) -> None:
        """The microscope is quick today."""
        data = sizes(9.0 + 3.0 / trial.number, seed=trial.number)
        attach_measurement(self.ledger, self.campaign, trial.number, seen(data=data))


def test_values_come_in_beside_the_running_loop(database: str) -> None:
    document = {**LATER, "agent": {"name": "bayes", "initial": 2}, "stop": {}}
    with Ledger.open(database) as ledger, Ledger.open(database) as other:
        campaign = create_campaign(ledger, check_campaign(document))
        assert drive(ledger, campaign, Attaching(other, campaign)) == "finished"
        assert "tem_size" in ledger.trial(campaign, 4).predicted, "the agent learnt from them"
        found = verify_campaign(ledger, campaign)
        assert found.findings == [] and found.proposals_ok == 4
        hashes = [t.history_hash for t in ledger.trials(campaign)]
        assert len(set(hashes)) == 4


def test_a_value_that_comes_while_the_agent_thinks_is_seen_or_comes_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proposal is what follows from the events before it, whenever somebody else writes."""
    think = Planner.propose
    with Ledger.open(f"sqlite:///{tmp_path}/x.db") as ledger:
        campaign = create_campaign(ledger, check_campaign(LATER))

        def slowly(self: Planner, *given: Any) -> Any:
            made = think(self, *given)
            for past in given[0]:
                if past.state == "completed" and "tem_size" not in past.observables:
                    attach_measurement(ledger, campaign, past.number, seen(data=sizes(12.0)))
            return made

        monkeypatch.setattr(Planner, "propose", slowly)
        assert drive(ledger, campaign, Silent()) == "finished"
        monkeypatch.undo()
        assert verify_campaign(ledger, campaign).findings == []
        events = [e.type for e in ledger.events(campaign)]
        assert events.count("trial.observed") == 3 and events.count("step.proposed") == 4


@pytest.fixture
def finished(database: str) -> Iterator[tuple[Ledger, str]]:
    """A campaign that spent its budget before anybody looked at the sizes."""
    with Ledger.open(database) as ledger:
        campaign = create_campaign(ledger, check_campaign(LATER))
        assert drive(ledger, campaign, Silent()) == "finished"
        yield ledger, campaign


def test_a_finished_campaign_takes_values_but_does_not_go_on(
    finished: tuple[Ledger, str],
) -> None:
    ledger, campaign = finished
    end = len(ledger.events(campaign))
    assert view_campaign(ledger, campaign, end)["best"] is None, "no size is known yet"
    attach_measurement(ledger, campaign, 2, seen())
    assert drive(ledger, campaign, Silent()) == "finished"
    row = ledger.campaign(campaign)
    assert (row.stop_reason, row.event_count) == ("budget_spent", end + 1)
    assert view_campaign(ledger, campaign, end)["best"] is None, "the past stays as it was"
    assert view_campaign(ledger, campaign, end + 1)["best"]["trial"] == 2
    assert verify_campaign(ledger, campaign).findings == []


def test_a_fork_carries_the_values_and_asks_the_stop_rules_anew(
    finished: tuple[Ledger, str],
) -> None:
    ledger, campaign = finished
    end = ledger.event_count(campaign)
    attach_measurement(ledger, campaign, 2, seen(data=sizes(20.0)))
    attach_measurement(ledger, campaign, 2, seen(data=sizes(9.0)))
    early = fork_campaign(ledger, campaign, end)
    assert attachments(ledger, early) == {}, "at that event nothing was attached yet"
    late = fork_campaign(ledger, campaign, end + 2)
    assert [a["holds"] for a in attachments(ledger, late)[2]] == [[], ["tem_size"]]
    assert drive(ledger, late, Silent()) == "finished"
    assert ledger.campaign(late).stop_reason == "target_reached"
    assert len(ledger.trials(late)) == 4, "the target was reached without another trial"
    for fork in (early, late):
        assert verify_campaign(ledger, fork).findings == []
    again = fork_campaign(ledger, late, ledger.event_count(late))
    (old, new) = (e.read() for e in ledger.events_of(again, ("trial.observed",)))
    assert isinstance(new, ev.TrialObserved) and new.origin["campaign"] == campaign
    assert isinstance(old, ev.TrialObserved) and old.origin["actor"] == "person"


def test_a_paused_campaign_that_reached_its_target_meanwhile_finishes(tmp_path: Path) -> None:
    with Ledger.open(f"sqlite:///{tmp_path}/x.db") as ledger:
        document = {**LATER, "approval": True, "batch": 2}
        campaign = create_campaign(ledger, check_campaign(document))
        assert drive(ledger, campaign, Silent()) == "paused"
        for number in (1, 2):
            approved = ev.TrialApproved(trial=number, attempt=1, reason="x")
            ledger.append(campaign, approved, actor="person")
        assert drive(ledger, campaign, Silent()) == "paused"
        attach_measurement(ledger, campaign, 1, seen())
        assert drive(ledger, campaign, Silent()) == "finished"
        row, trials = ledger.campaign(campaign), ledger.trials(campaign)
        assert row.stop_reason == "target_reached"
        assert [t.state for t in trials] == ["completed", "completed", "abandoned", "abandoned"]
        assert verify_campaign(ledger, campaign).findings == []


def test_waiting_for_values_is_no_lack_of_improvement(tmp_path: Path) -> None:
    with Ledger.open(f"sqlite:///{tmp_path}/x.db") as ledger:
        document = {**LATER, "stop": {"no_improvement": 2}}
        campaign = create_campaign(ledger, check_campaign(document))
        drive(ledger, campaign, Silent())
        row = ledger.campaign(campaign)
        assert (row.stop_reason, len(ledger.trials(campaign))) == ("budget_spent", 4)


def test_a_record_of_the_first_schema_takes_values_once_it_is_upgraded(tmp_path: Path) -> None:
    copy = tmp_path / "old.db"
    copy.write_bytes((FIXTURES / "v0_1_0.db").read_bytes())
    upgrade(f"sqlite:///{copy}")
    with Ledger.open(f"sqlite:///{copy}") as ledger:
        campaign = ledger.campaign("record").id
        with pytest.raises(InputRefusedError, match="has no 'tem_size'; it has peak"):
            attach_measurement(ledger, campaign, 1, seen())
        attach_measurement(ledger, campaign, 1, stated("peak", 520.5, se=0.2, correct=True))
        assert ledger.trial(campaign, 1).observables["peak"].value == 520.5
        assert check_integrity(ledger, campaign).findings == []


def test_values_of_imported_records_can_be_corrected(tmp_path: Path) -> None:
    """They hold no station, so nothing but the value itself is checked again."""
    with Ledger.open(f"sqlite:///{tmp_path}/x.db") as ledger:
        campaign = stories.imported(ledger)
        name = next(iter(ledger.trial(campaign, 1).observables))
        unit = ledger.trial(campaign, 1).observables[name].unit
        attach_measurement(ledger, campaign, 1, stated(name, 1.5, unit=unit, correct=True))
        found = verify_campaign(ledger, campaign)
        assert found.findings == [] and found.observables_checked == 1


def test_a_served_loop_asks_anew_when_a_value_came_while_the_agent_thought(
    tmp_path: Path,
) -> None:
    with Ledger.open(f"sqlite:///{tmp_path}/x.db") as ledger:
        checked = check_campaign({**LATER, "budget": {"trials": 3}})
        campaign = create_campaign(ledger, checked, dispatch="fleet", start=True)
        fleet = Fleet(ledger)
        register(fleet)
        bench, asked = Bench(fleet), []

        def propose(row: Any, trials: Any, step: int, first: int, n: int) -> Any:
            made = proposed_step(row, trials, step, first, n)
            asked.append(step)
            for trial in trials:
                if "tem_size" not in trial.observables:
                    attach_measurement(ledger, campaign, trial.number, seen(data=sizes(12.0)))
            return made

        with ledger.acquire(campaign) as ownership:
            loop = ServedLoop(ledger, campaign, ownership.token, propose)
            while loop.tick() or bench.once():
                pass
        assert ledger.campaign(campaign).state == "finished"
        assert asked == [1, 2, 2, 3, 3], "each later step is asked for once more"
        assert verify_campaign(ledger, campaign).findings == []
