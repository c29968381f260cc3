"""An emergency stop through the server reaches a worker, idle or busy, within two seconds."""

import threading
from contextlib import contextmanager
from time import monotonic

import pytest

from orchestrator.access import create_token
from orchestrator.cli import main
from orchestrator.client import Client, Retries
from orchestrator.errors import DotpilotError, ForbiddenError, NotFoundError
from orchestrator.ledger import Ledger
from orchestrator.worker import Orders, Outbox, StationBay, StationFile, Worker
from tests.worker.doubles import wait_for
from tests.worker.server import running_server

SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
PUMPS = {"pumps": {"driver": "harvard_elite11", "timeout": 0.3}}
CAMPAIGN = {
    "name": "stopped",
    "station": "flow_synthesis",
    "space": [{"name": "cs_pb_ratio", "low": 0.4, "high": 1.2}],
    "objectives": [{"observable": "plqy", "goal": "maximise"}],
    "agent": {"name": "sobol"},
    "budget": {"trials": 400},
    "in_doubt": "ask",
}


@contextmanager
def working(url, token, folder, **pumps):
    """A worker of a line on emulated wires, as the command makes it; gives its problems."""
    instruments = {"pumps": {**PUMPS["pumps"], **pumps}}
    file = StationFile(station="flow_synthesis", lab="lab-a", instruments=instruments)
    said, problems, made, bays = [], [], [], []
    hasty = Retries(attempts=1)

    def work():
        bay = StationBay(file)
        bays.append(bay)
        with (
            Client(url, token) as client,
            Client(url, token, retries=hasty) as beats,
            Client(url, token, retries=hasty) as ear,
            Outbox(folder / "outbox.db") as outbox,
        ):
            worker = Worker(client, beats, file, "w", outbox, bay, said.append, poll=0.2)
            made.append(worker)
            with Orders(ear, "w", bay, worker.stopped, worker.idle, 0.5):
                try:
                    worker.run()
                except DotpilotError as error:
                    problems.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        with Client(url, token) as client:
            wait_for(lambda: client.workers()["workers"])
            wait_for(lambda: bays[0]._spare is not None, seconds=30.0)
            yield client, said, problems
    finally:
        made[0].drain("the test is over")
        thread.join()


@SQLITE
def test_an_idle_worker_makes_its_devices_safe_and_says_so(database, tmp_path):
    with running_server(database) as (url, token), working(url, token, tmp_path) as at:
        client, _, problems = at
        began = monotonic()
        stop = client.stop_worker("w", "smoke")
        assert monotonic() - began < 2.0
        assert (stop["state"], stop["reason"], stop["by"][:6]) == ("stopped", "smoke", "token:")
        assert len(stop["safe"]) > 20 and stop["unconfirmed"] == []
        assert client.last_stop("w") == stop
        wait_for(lambda: problems)
        assert "smoke" in problems[0]
        (worker,) = client.workers()["workers"]
        assert worker["state"] == "stopped", "it would get leases still"


@SQLITE
def test_a_running_worker_breaks_off_and_its_trial_is_in_doubt(database, tmp_path):
    with running_server(database) as (url, token), working(url, token, tmp_path) as at:
        client, said, problems = at
        campaign = client.create_campaign(CAMPAIGN)["campaign"]
        wait_for(lambda: any("running" in line for line in said), seconds=60.0)
        began = monotonic()
        stop = client.stop_worker("w", "smoke")
        assert monotonic() - began < 2.0
        assert stop["state"] == "stopped"
        wait_for(lambda: problems, seconds=30.0)
        trials = client.trials(campaign)["trials"]
        assert {t["state"] for t in trials} <= {"completed", "in_doubt", "proposed", "rejected"}
        assert not [t for t in trials if t["state"] in ("running", "dispatched")]


@SQLITE
def test_a_dead_pump_is_named_and_the_others_are_safe(database, tmp_path):
    with (
        running_server(database) as (url, token),
        working(url, token, tmp_path, absent=["toluene"]) as (client, _, _),
    ):
        stop = client.stop_worker("w")
        assert [u["name"] for u in stop["unconfirmed"]] == ["toluene"]
        assert len(stop["safe"]) > 20


@SQLITE
def test_the_command_stops_a_lab_by_its_name(database, tmp_path, monkeypatch, capsys):
    with running_server(database) as (url, token), working(url, token, tmp_path):
        monkeypatch.setenv("DOTPILOT_TOKEN", token)
        with pytest.raises(SystemExit) as end:
            main(["--url", url, "station", "stop", "lab-a", "--reason", "drill"])
        assert not end.value.code
        assert "devices safe after" in capsys.readouterr().out
        with pytest.raises(SystemExit) as end:
            main(["--url", url, "station", "stop", "nobody"])
        assert end.value.code == 3


@SQLITE
def test_who_may_stop_and_what_a_silent_worker_shows(database):
    with running_server(database) as (url, token), Ledger.open(database) as ledger:
        with Client(url, token) as client:
            with pytest.raises(NotFoundError):
                client.stop_worker("w")
            body = {"lab": "lab-a", "station": "flow_synthesis", "simulated": None, "version": "1",
                    "safe_within": 60.0, "details": {}}  # fmt: skip
            client.register_worker("w", body)
            assert client.orders("w") == {"stop": None}
            stop = client.stop_worker("w", wait=0.1)
            assert (stop["state"], stop["reported_at"]) == ("stopping", None)
            assert client.orders("w")["stop"]["stop"] == stop["stop"]
            with pytest.raises(NotFoundError, match="by number"):
                client.report_stop("w", stop["stop"] + 7, [], {}, 0.1)
            done = client.report_stop("w", stop["stop"], ["a"], {"b": "dead"}, 0.1)
            assert done["state"] == "stopped" and done["unconfirmed"][0]["name"] == "b"
            assert client.orders("w") == {"stop": None}
        other = create_token(ledger, ["lab:execute"], lab="lab-b").text
        with Client(url, other) as stranger, pytest.raises(ForbiddenError, match="another lab"):
            stranger.stop_worker("w")
