"""One run of the service under fire, and the comparison of its record with the labs' own logs."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestrator.client import Client
from orchestrator.ledger import Ledger
from orchestrator.replay import verify_campaign
from tests.chaos.processes import CLI, ROOT, PostgreSQL, Service, counted, free_port, ready, until

LEASE_S = 4.0
ENDS = ("trial.completed", "trial.failed", "trial.abandoned", "trial.rejected")


@dataclass(frozen=True)
class Plan:
    """What is run: trials in all, the seed of everything random, and how much goes wrong.

    Attributes:
        rate: Share of the workers' requests that are delayed, cut or duplicated.
        pause: Mean time between two kills [s]; a process takes several to start.
        keep: A folder for the processes' logs, where they are to be read afterwards.
    """

    trials: int
    seed: int
    workers: int = 4
    campaigns: int = 10
    rate: float = 0.1
    pause: float = 5.0
    keep: Path | None = None


def campaign(plan: Plan, number: int) -> dict[str, Any]:
    """Return the campaign file of one campaign."""
    return {
        "name": f"chaos {number}",
        "station": "flow_synthesis",
        "lab": {"hidden": 3, "model": "reduced"},
        "space": [
            {"name": "lead_concentration", "low": 3, "high": 12, "unit": "mmol/L"},
            {"name": "flow_velocity", "low": 20, "high": 90, "unit": "mm/s"},
        ],
        "objectives": [
            {"observable": "peak_emission", "goal": "target", "value": 510, "tolerance": 1},
        ],
        "agent": {"name": "random"},
        "batch": 4,
        "budget": {"trials": -(-plan.trials // plan.campaigns)},
        "seed": plan.seed % 1000 + number,
    }


@contextmanager
def _database() -> Iterator[PostgreSQL]:
    with tempfile.TemporaryDirectory(prefix="dotpilot-pg-", ignore_cleanup_errors=True) as data:
        database = PostgreSQL(Path(data))
        try:
            yield database
        finally:
            database.close()


@contextmanager
def _proxy(plan: Plan, port: int, backends: list[int], folder: Path) -> Iterator[dict[str, int]]:
    counts: dict[str, int] = {}
    words = [str(port), str(plan.seed), str(plan.rate), *map(str, backends)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.proxy", *words],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield counts
    finally:
        process.terminate()
        counts.update(json.loads(process.communicate()[0] or "{}"))


def _token(url: str, folder: Path, scope: str) -> str:
    words = ["token", "create", "--scope", scope, "--db", url, "--json"]
    made = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CLI, *words],
        capture_output=True, text=True, check=True, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return str(json.loads(made.stdout)["token"])


def _services(
    plan: Plan, url: str, ports: list[int], entry: int, folder: Path, token: str
) -> list[Service]:
    lease = ["--lease", str(LEASE_S)]
    found = [
        Service(
            f"api{i}", ["serve", "--db", url, "--port", str(port), "--no-loops", *lease], folder
        )
        for i, port in enumerate(ports)
    ]
    found += [Service(f"loops{i}", ["loops", "--db", url, *lease], folder) for i in range(2)]
    for i in range(plan.workers):
        station = folder / f"station{i}.yaml"
        station.write_text(yaml.safe_dump({"station": "flow_synthesis", "lab": f"lab{i % 2}"}))
        words = ["worker", "--server", f"http://127.0.0.1:{entry}", "--station", str(station)]
        words += ["--name", f"w{i}", "--state", str(folder / f"state{i}")]
        words += ["--dispense-log", str(folder / f"dispensed{i}.jsonl")]
        found.append(Service(f"worker{i}", words, folder, {"DOTPILOT_TOKEN": token}))
    return found


def _fire(
    plan: Plan, rng: random.Random, database: PostgreSQL, services: list[Service], client: Client,
    campaigns: list[str], limit: float,
) -> list[str]:  # fmt: skip
    """Kill something now and then until every campaign has finished; return what was killed."""
    killed: list[str] = []
    each = {_kind(v): v for v in (*services, None)}  # one of every kind before any comes again
    first = rng.sample(sorted(each), len(each))
    end = time.monotonic() + limit
    while time.monotonic() < end:
        time.sleep(rng.uniform(0.5, 1.5) * plan.pause)
        if all(client.campaign(c)["state"] == "finished" for c in campaigns):
            return killed
        victim = each[first.pop()] if first else rng.choice([*services, None])
        killed.append(_kind(victim))
        if victim is None:
            database.restart()
            continue
        victim.kill()
        time.sleep(rng.uniform(0.0, plan.pause))
        victim.start()
    raise AssertionError(f"the campaigns did not finish within {limit:g} s")


def _kind(victim: Service | None) -> str:
    return "database" if victim is None else victim.name.rstrip("0123456789")


def run(plan: Plan) -> dict[str, Any]:
    """Run everything; return the figures and `problems`, which should be empty."""
    rng = random.Random(plan.seed)
    began = time.monotonic()
    with ExitStack() as stack:
        made = stack.enter_context(tempfile.TemporaryDirectory(prefix="dotpilot-chaos-"))
        folder = plan.keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        database = stack.enter_context(_database())
        url, token = database.url, _token(database.url, folder, "admin")
        ports, entry = [free_port(), free_port()], free_port()
        faults = stack.enter_context(_proxy(plan, entry, ports, folder))
        services = _services(plan, url, ports, entry, folder, token)
        try:
            for service in services:
                service.start()
            until(lambda: all(map(ready, ports)), "both servers being ready", 120.0)
            client = stack.enter_context(_Either(ports, token))
            campaigns = [
                client.create(
                    campaign(plan, n), "c" + "".join(rng.choices("abcdefghjkmnpqrstvwxyz", k=9))
                )
                for n in range(plan.campaigns)
            ]
            killed = _fire(
                plan, rng, database, services, client, campaigns, 300.0 + plan.trials * 4
            )
        finally:
            for service in services:
                service.stop()
        figures = _compare(url, campaigns, folder)
    return {
        "seed": plan.seed,
        "seconds": round(time.monotonic() - began, 1),
        "campaigns": len(campaigns),
        **figures,
        "killed": counted(killed),
        "requests": dict(sorted(faults.items())),
    }


class _Either:
    """Asks whichever server is alive; the person who watches has the same trouble as anybody."""

    def __init__(self, ports: list[int], token: str) -> None:
        self._clients = [Client(f"http://127.0.0.1:{p}", token) for p in ports]

    def __enter__(self) -> _Either:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()

    def _try(self, method: str, *arguments: Any, **named: Any) -> Any:
        for attempt in range(60):
            try:
                return getattr(self._clients[attempt % 2], method)(*arguments, **named)
            except Exception as error:
                last = error
                time.sleep(0.5)
        raise AssertionError(f"no server answers: {last}")

    def create(self, file: dict[str, Any], identifier: str) -> str:
        """Create and start a campaign once, however often it has to be asked for."""
        return str(self._try("create_campaign", file, id=identifier)["campaign"])

    def campaign(self, campaign: str) -> dict[str, Any]:
        """Return a campaign's document."""
        return dict(self._try("campaign", campaign))


def _compare(url: str, campaigns: list[str], folder: Path) -> dict[str, Any]:
    """Compare the record with itself and with what the labs say that they dispensed."""
    problems: list[str] = []
    intents: Counter[tuple[str, int, int, str]] = Counter()
    ended: Counter[tuple[str, int, int]] = Counter()
    trials = doubts = late = 0
    with Ledger.open(url) as ledger:
        for c in campaigns:
            for event in ledger.events(c):
                payload: Any = event.read()
                if event.type == "trial.dispatched":
                    intents[c, payload.trial, payload.attempt, payload.worker] += 1
                elif event.type in ENDS:
                    ended[c, payload.trial, getattr(payload, "attempt", 0)] += 1
                doubts += event.type == "trial.in_doubt"
            rows = ledger.trials(c)
            trials += len(rows)
            problems += [
                f"{c} trial {t.number} is {t.state}"
                for t in rows
                if t.state not in ("completed", "failed", "rejected", "abandoned")
            ]
            found = verify_campaign(ledger, c)
            problems += [f"{c}: {f.where}: {f.what}" for f in found.findings]
            late += sum(len(_late(ledger, c, t.number)) for t in rows)
    problems += [f"{key} ended {n} times" for key, n in ended.items() if n != 1]
    dispensed = _dispensed(folder)
    problems += [
        f"{key} was dispensed {n} times for {intents[key]} intents"
        for key, n in dispensed.items()
        if n > intents[key]
    ]
    made = {key[:3] for key in dispensed}
    problems += [f"{key} ended, but nobody dispensed it" for key in ended if key not in made]
    return {
        "trials": trials,
        "intents": sum(intents.values()),
        "dispensed": sum(dispensed.values()),
        "in_doubt": doubts,
        "late_results": late,
        "problems": problems,
    }


def _late(ledger: Ledger, campaign_id: str, trial: int) -> list[Any]:
    from orchestrator.fleet import Fleet

    return Fleet(ledger).late_results(campaign_id, trial)


def _dispensed(folder: Path) -> Counter[tuple[str, int, int, str]]:
    found: Counter[tuple[str, int, int, str]] = Counter()
    for path in sorted(folder.glob("dispensed*.jsonl")):
        worker = f"w{path.stem.removeprefix('dispensed')}"
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            found[entry["campaign"], entry["trial"], entry["attempt"], worker] += 1
    return found
