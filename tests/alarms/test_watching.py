"""What the record says that needs a person becomes an alarm, once, by each command."""

import json

import pytest

from orchestrator import events as ev
from orchestrator.alarms import Alarms, AlarmsFile, RecordWatch
from orchestrator.cli import main
from orchestrator.fleet import Fleet, WorkerRegistration, order_stop, report_stop
from orchestrator.ledger import Ledger
from tests.records import created, proposed

SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def told(path):
    lines = path.read_text().splitlines() if path.exists() else []
    return [(a["kind"], a["about"]) for a in map(json.loads, lines)]


@SQLITE
def test_lost_and_unsafe_workers_are_told_once(database, tmp_path):
    log = tmp_path / "log"
    file = AlarmsFile(log=str(log), worker_silence=1e-6)
    with Ledger.open(database) as ledger, Alarms(file, ledger.now) as alarms:
        fleet, watch = Fleet(ledger), RecordWatch(alarms, ledger)
        fleet.register_worker("w", WorkerRegistration(lab="north", station="x", version="1"))
        watch.look()
        watch.look()
        stop = order_stop(ledger, "w", "token:a", "smoke")
        report_stop(ledger, "w", "token:b", stop.number, [], [{"name": "pump", "problem": "?"}], 1)
        watch.look()
        watch.look()
    assert told(log) == [("worker_lost", "w"), ("unsafe", f"w stop {stop.number}")]


@SQLITE
def test_a_doubt_and_a_rest_are_told_and_told_again_only_when_they_come_again(database, tmp_path):
    log = tmp_path / "log"
    with Ledger.open(database) as ledger:
        campaign = ledger.create_with([created(), ev.CampaignStarted()], actor="t")

        def add(*payloads):
            for payload in payloads:
                ledger.append(campaign, payload, actor="t")

        add(proposed(1, 1), ev.TrialDispatched(trial=1, attempt=1, station="bench"))
        add(ev.TrialRunning(trial=1, attempt=1))
        with Alarms(AlarmsFile(log=str(log)), ledger.now) as alarms:
            watch = RecordWatch(alarms, ledger, (campaign,))
            watch.look()
            add(ev.TrialInDoubt(trial=1, attempt=1, found="running", reason="the pump stalled"))
            watch.look()
            add(ev.CampaignPaused(reason="a person is needed"))
            watch.look()
            add(ev.CampaignResumed())
            watch.look()
            add(ev.CampaignPaused(reason="again"))
            watch.look()
    rests = ("waits_for_person", f"{campaign} rests")
    assert told(log) == [("in_doubt", f"{campaign} trial 1"), rests, rests]


CAMPAIGN = """
name: watched
station: flow_synthesis
space:
  - {name: cs_pb_ratio, low: 0.4, high: 1.2}
objectives:
  - {observable: plqy, goal: maximise}
agent: {name: sobol}
budget: {trials: 2}
approval: true
"""


def test_a_campaign_that_waits_for_a_person_is_told_by_launch(tmp_path, capsys):
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    (tmp_path / "alarms.yaml").write_text("log: alarms.jsonl")
    database = f"sqlite:///{tmp_path / 'a.db'}"
    words = ["launch", str(tmp_path / "campaign.yaml"), "--alarms", str(tmp_path / "alarms.yaml")]
    with pytest.raises(SystemExit) as end:
        main(["--db", database, *words, "--json"])
    assert not end.value.code
    campaign = json.loads(capsys.readouterr().out)["campaign"]
    assert told(tmp_path / "alarms.jsonl") == [("waits_for_person", f"{campaign} rests")]


def test_a_wrong_alarms_file_is_refused_before_anything_is_written(tmp_path):
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    (tmp_path / "alarms.yaml").write_text("lgo: alarms.jsonl")
    words = ["launch", str(tmp_path / "campaign.yaml"), "--alarms", str(tmp_path / "alarms.yaml")]
    with pytest.raises(SystemExit) as end:
        main(["--db", f"sqlite:///{tmp_path / 'a.db'}", *words])
    assert end.value.code == 2
    assert not (tmp_path / "a.db").exists()
