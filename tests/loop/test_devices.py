"""A campaign on real drivers over wires that lose telegrams: nothing false, nothing doubled."""

import pytest

from orchestrator.campaign import check_campaign
from orchestrator.events import TrialInDoubt
from orchestrator.ledger import Ledger
from orchestrator.loop import create_campaign, drive
from tests.loop.campaigns import Silent

CAMPAIGN = {
    "name": "wires",
    "station": "flow_synthesis",
    "space": [
        {"name": "flow_velocity", "low": 20, "high": 60, "unit": "mm/s"},
        {"name": "cs_pb_ratio", "low": 0.4, "high": 1.2},
    ],
    "objectives": [{"observable": "plqy", "goal": "maximise"}],
    "agent": {"name": "bayes", "initial": 4},
    "budget": {"trials": 6},
    "seed": 5,
}


def run(path, instruments, **more):
    lab = {"hidden": 3} | ({"instruments": instruments} if instruments else {})
    with Ledger.open(f"sqlite:///{path}") as ledger:
        campaign = create_campaign(ledger, check_campaign({**CAMPAIGN, "lab": lab, **more}))
        state = drive(ledger, campaign, Silent())
        return state, ledger.trials(campaign), ledger.events(campaign), ledger.campaign(campaign)


def told(rows):
    return [
        (r.state, r.recipe, r.achieved, {n: o.value for n, o in r.observables.items()})
        for r in rows
    ]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return run(tmp_path_factory.mktemp("plain") / "a.db", None)


def test_drivers_on_wires_make_the_same_campaign(plain, tmp_path):
    state, rows, events, _ = run(tmp_path / "a.db", {"pumps": {"driver": "harvard_elite11"}})
    assert state == "finished"
    assert told(rows) == told(plain[1])


def test_a_lost_trial_is_in_doubt_and_made_again_as_if_nothing_had_happened(plain, tmp_path):
    faults = {"seed": 4, "spare": 100, "mute": 0.002, "half": 0.001}
    part = {"driver": "harvard_elite11", "timeout": 0.05, "faults": faults}
    state, rows, events, _ = run(tmp_path / "a.db", {"pumps": part})
    doubts = [e.read() for e in events if e.type == TrialInDoubt.TYPE]
    assert doubts, "the wire was to lose some trial"
    assert all("DeviceTimeoutError" in d.reason for d in doubts)
    assert state == "finished"
    assert told(rows) == told(plain[1])


def test_a_campaign_that_asks_waits_for_a_person(tmp_path):
    faults = {"seed": 4, "spare": 100, "mute": 0.01}
    part = {"driver": "harvard_elite11", "timeout": 0.05, "faults": faults}
    state, rows, _, _ = run(tmp_path / "a.db", {"pumps": part}, in_doubt="ask")
    assert state == "paused"
    assert rows[-1].state == "in_doubt"


def test_a_dead_device_stops_the_station(tmp_path):
    faults = {"seed": 4, "spare": 60, "lost": 1.0}
    part = {"driver": "harvard_elite11", "timeout": 0.02, "faults": faults}
    state, rows, _, row = run(tmp_path / "a.db", {"pumps": part})
    assert (state, row.stop_reason) == ("stopped", "station_stopped")
    assert rows[-1].state == "in_doubt"
