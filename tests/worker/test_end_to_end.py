"""Server, worker and `--url launch`: the same documents and recipes as one process alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.cli import main
from orchestrator.client import Client, Retries
from orchestrator.errors import NotFoundError, UnauthenticatedError
from orchestrator.worker import Outbox, StationBay, Worker, read_station_file
from tests.worker.server import running_server

ROOT = Path(__file__).parents[2]
STATION = ROOT / "examples" / "stations" / "flow.yaml"
Run = Callable[..., tuple[int, Any, str]]
SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object) -> tuple[int, Any, str]:
        with pytest.raises(SystemExit) as stop:
            main([*map(str, words), "--json"])
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), json.loads(out) if out else None, err

    return call


@pytest.fixture
def served(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, str]]:
    """A server with one worker of the flow line."""
    with running_server(database) as (url, token):
        monkeypatch.setenv("DOTPILOT_TOKEN", token)
        file = read_station_file(STATION)
        with (
            Client(url, token) as client,
            Client(url, token, retries=Retries(attempts=1)) as beats,
        ):

            def work() -> None:  # an outbox belongs to the thread that opened it
                with Outbox(tmp_path / "outbox.db") as outbox:
                    worker.append(
                        Worker(client, beats, file, "w", outbox, StationBay(file), said.append,
                               poll=0.3)
                    )  # fmt: skip
                    ready.set()
                    worker[0].run()

            worker: list[Worker] = []
            said: list[str] = []
            ready = threading.Event()
            thread = threading.Thread(target=work)
            thread.start()
            ready.wait(10)
            try:
                yield url, token
            finally:
                worker[0].drain("the test is over")
                thread.join()


def _same(local: dict[str, Any], remote: dict[str, Any]) -> None:
    own = {"campaign", "created_at", "events"}
    assert {k: v for k, v in local.items() if k not in own} == {
        k: v for k, v in remote.items() if k not in own
    }


def test_a_served_campaign_is_the_local_one(
    run: Run, served: tuple[str, str], tmp_path: Path
) -> None:
    url, _ = served
    green = yaml.safe_load((ROOT / "examples" / "flow_green.yaml").read_text())
    green |= {"agent": {"name": "sobol"}, "budget": {"trials": 3}, "batch": 2}
    path = tmp_path / "green.yaml"
    path.write_text(yaml.safe_dump(green))
    local = ("--db", f"sqlite:///{tmp_path / 'local.db'}")
    remote = ("--url", url)
    _, alone, _ = run("launch", path, *local)
    code, shared, err = run("launch", path, *remote)
    assert code == 0 and "trial 3 of 3: completed" in err
    _same(alone, shared)
    first, second = (run("trials", d["campaign"], *at)[1]["trials"]
                     for d, at in ((alone, local), (shared, remote)))  # fmt: skip
    assert first == second, "recipes, read-backs, observables and reasons, number by number"
    name = shared["campaign"]
    assert run("show", name, *remote)[1] == shared
    assert run("list", *remote)[1]["campaigns"][0]["state"] == "finished"
    code, found, _ = run("replay", "verify", name, *remote)
    assert (code, found["findings"], found["proposals_ok"]) == (0, [], 3)
    viewed = run("replay", "view", name, "--at", 3, *remote)[1]
    assert (viewed["trials"], viewed["at"]) == (2, 3)
    forked = run("fork", name, "--at", shared["events"], "--seed", 9, *remote)[1]
    assert (forked["parent"], forked["state"], forked["seed"]) == (name, "draft", 9)
    assert (
        run("station", "show", "flow_synthesis", *remote)[1]
        == run("station", "show", "flow_synthesis")[1]
    )
    assert run("agent", "show", "sobol", *remote)[1] == run("agent", "show", "sobol")[1]


@SQLITE
def test_approval_pause_and_abort_over_a_server(
    run: Run, served: tuple[str, str], tmp_path: Path
) -> None:
    from tests.loop.campaigns import SMALL

    url, token = served
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump({**SMALL, "approval": True}))
    remote = ("--url", url)
    with Client(url, token) as client:
        made = client.create_campaign(yaml.safe_load(path.read_text()))["campaign"]
        client.event_page(made, 2, wait=10.0)
        assert [t["state"] for t in client.trials(made)["trials"]] == ["proposed", "proposed"]
    approved = run("approve", made, 1, *remote)[1]["trials"]
    assert [t["trial"] for t in approved] == [1]
    assert run("pause", made, *remote)[1]["state"] == "paused"
    code, stopped, _ = run("abort", made, "--reason", "enough", *remote)
    assert (code, stopped["state"]) == (0, "stopped")
    assert run("show", "nothing", *remote)[0] == 3
    code, _, err = run("launch", ROOT / "examples" / "bad" / "bad_range.yaml", *remote)
    assert code == 2
    assert err == run("launch", ROOT / "examples" / "bad" / "bad_range.yaml")[2]


@SQLITE
def test_a_person_works_over_a_server(run: Run, served: tuple[str, str], tmp_path: Path) -> None:
    url, token = served
    remote = ("--url", url)
    file = yaml.safe_load((ROOT / "examples" / "by_hand" / "flask.yaml").read_text())
    file |= {"agent": {"name": "sobol"}, "budget": {"trials": 1}}
    with Client(url, token) as client:
        client.put_station(
            yaml.safe_load((ROOT / "examples" / "stations" / "bench_by_hand.yaml").read_text())
        )
        made = client.create_campaign(file)["campaign"]
        client.event_page(made, 2, wait=10.0)
        (tmp_path / "a.yaml").write_text("observables: {peak_emission: {value: 2.4, unit: eV}}")
        (tmp_path / "b.yaml").write_text("observables: {plqy: {value: 0.5}}")
        assert run("ask", made, *remote)[1]["trial"] == 1
        assert (
            run("tell", made, 1, "--results", tmp_path / "a.yaml", "--partial", *remote)[1][
                "state"
            ]
            == "running"
        )
        told = run("tell", made, 1, "--results", tmp_path / "b.yaml", *remote)[1]
        assert told["state"] == "completed" and set(told["observables"]) == {
            "peak_emission",
            "plqy",
        }
        assert client.wait(made)["state"] == "finished"
        assert run("replay", "verify", made, *remote)[0] == 0


@SQLITE
def test_events_are_followed_once_each_and_refusals_are_the_local_ones(
    served: tuple[str, str],
) -> None:
    from tests.loop.campaigns import SMALL

    url, token = served
    with Client(url, token) as client:
        made = client.create_campaign({**SMALL, "budget": {"trials": 2}})["campaign"]
        seen = []
        for event in client.events(made):
            seen.append(event["seq"])
            if event["type"] == "campaign.finished":
                break
        assert seen == list(range(1, len(seen) + 1))
        assert client.wait(made)["events"] == len(seen)
        assert client.spectra(made, 1)["spectra"][0]["values"]
        with pytest.raises(NotFoundError):
            client.campaign("nothing")
    with Client(url, "dotp_wrongwro_ng") as stranger, pytest.raises(UnauthenticatedError):
        stranger.campaigns()


@SQLITE
def test_ctrl_c_lets_go_of_a_campaign_that_goes_on(
    run: Run, served: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestrator.cli import _watch
    from tests.loop.campaigns import SMALL

    said = _watch.Watch.event

    def interrupted(self: _watch.Watch, event: dict[str, Any]) -> None:
        said(self, event)
        if event["type"] == "step.proposed":
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(_watch.Watch, "event", interrupted)
    (tmp_path / "small.yaml").write_text(yaml.safe_dump({**SMALL, "approval": True}))
    code, found, err = run("launch", tmp_path / "small.yaml", "--url", served[0])
    assert (code, found["state"]) == (130, "running")
    assert f"drain {found['campaign']}" in err


@SQLITE
def test_a_worker_process_runs_a_trial_and_drains(database: str, tmp_path: Path) -> None:
    from tests.loop.campaigns import SMALL

    (tmp_path / "flow.yaml").write_text(STATION.read_text())
    with running_server(database) as (url, token), Client(url, token) as client:
        words = ["worker", "--server", url, "--station", str(tmp_path / "flow.yaml")]
        code = "import sys; from orchestrator.cli import main; main(sys.argv[1:])"
        process = subprocess.Popen(
            [sys.executable, "-c", code, *words, "--dispense-log", str(tmp_path / "log")],
            env={**os.environ, "DOTPILOT_TOKEN": token},
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            made = client.create_campaign({**SMALL, "batch": 1})["campaign"]
            for event in client.events(made):
                if event["type"] == "trial.completed":
                    break
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == 130 and "draining" in err
        leases = client.leases("lab-a-flow_synthesis")
        assert not leases, "a drained worker holds nothing"
        begun = [e for e in client.event_page(made)["events"] if e["type"] == "trial.dispatched"]
    lines = (tmp_path / "log").read_text().splitlines()
    assert 1 <= len(lines) <= len(begun)
    assert {json.loads(line)["trial"] for line in lines} <= {e["payload"]["trial"] for e in begun}
    assert list(tmp_path.glob("lab-a-flow_synthesis.outbox.db"))


def test_a_worker_that_finds_no_server_says_so(tmp_path: Path, run: Run) -> None:
    (tmp_path / "s.yaml").write_text(STATION.read_text().replace("60", "0.5"))
    code, _, err = run("worker", "--station", tmp_path / "s.yaml", "--once",
                       "--server", "http://127.0.0.1:9")  # fmt: skip
    assert code == 5 and "cannot be reached" in err
    code, _, err = run("worker", "--station", tmp_path / "s.yaml")
    assert code == 2 and "--server" in err
