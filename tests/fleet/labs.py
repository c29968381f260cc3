"""Workers inside the test's own process: they lease, run a real simulated station, and report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from instruments import AttemptKey, BatchStation, Measurement, Station, create_station
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
        keys = [AttemptKey(m.trial, m.attempt) for m in lease.members]
        recipes = [m.recipe for m in lease.members]
        self.dispensed += [(lease.campaign, k.trial, k.attempt) for k in keys]
        made: Sequence[Measurement]
        if station.description.max_batch > 1:
            made = cast(BatchStation, station).run_batch(recipes, keys)
        else:
            made = [station.run(recipes[0], keys[0])]
        now = station.lab_time
        station.close()
        return [
            Result.model_validate(result_document(m, k.trial, k.attempt, now, doses_of(m)))
            for m, k in zip(made, keys, strict=True)
        ]

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
            done = sum(b.once() for b in benches)
            if not busy and not done:
                break
    return ledger.campaign(campaign).state


def doses_of(measurement: Any) -> dict[str, Any]:
    """Return a measurement's doses as a worker reports them."""
    return {s: {"least": d.least, "most": d.most} for s, d in measurement.doses.items()}
