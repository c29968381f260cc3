"""Workers inside the test's own process: they lease, run a real simulated station, and report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from instruments import AttemptKey, Station, create_station
from orchestrator.fleet import (
    Fleet,
    Lease,
    Result,
    ServedLoop,
    WorkerRegistration,
    result_document,
)
from orchestrator.ledger import Ledger


def register(fleet: Fleet, worker: str = "w1", lab: str = "north", **more: Any) -> None:
    """Register a worker of the flow line."""
    given = {"lab": lab, "station": "flow_synthesis", **more}
    fleet.register_worker(worker, WorkerRegistration(**given))


@dataclass
class Bench:
    """One lab: runs whatever it leases."""

    fleet: Fleet
    worker: str = "w1"
    dispensed: list[tuple[str, int, int]] = field(default_factory=list)

    def run(self, lease: Lease) -> list[Result]:
        """Run a lease's attempts and return their results."""
        station: Station = create_station(lease.station, lease.simulated, seed=lease.lab_seed)
        station.open()
        station.restore(lease.restore)
        results = []
        for m in lease.members:
            self.dispensed.append((lease.campaign, m.trial, m.attempt))
            measurement = station.run(m.recipe, AttemptKey(m.trial, m.attempt))
            document = result_document(measurement, m.trial, m.attempt, station.lab_time)
            results.append(Result.model_validate(document))
        station.close()
        return results

    def once(self) -> bool:
        """Lease, run and report; tell whether there was something to do."""
        lease = self.fleet.grant(self.worker)
        if lease is None:
            return False
        self.fleet.heartbeat(lease.lease, lease.fence, "running")
        self.fleet.result(lease.lease, lease.fence, self.run(lease))
        return True


def serve(ledger: Ledger, campaign: str, *benches: Bench, steps: int = 200) -> str:
    """Run a campaign's loop and its labs in turn until it rests; return its state."""
    with ledger.acquire(campaign) as ownership:
        loop = ServedLoop(ledger, campaign, ownership.token)
        for _ in range(steps):
            busy = loop.tick()
            busy = any([b.once() for b in benches]) or busy
            if not busy:
                break
    return ledger.campaign(campaign).state
