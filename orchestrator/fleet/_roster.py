"""Workers: how they register, and whose a name is."""

from __future__ import annotations

from orchestrator.errors import ConflictError, NotFoundError
from orchestrator.events import canonical
from orchestrator.fleet._models import WorkerRegistration, WorkerRow
from orchestrator.fleet._reader import FleetReader
from orchestrator.fleet._rows import worker_of
from orchestrator.ledger import Ledger

LEASE_S = 60.0
# A worker is heard from every 25 s at most: a wait for work of 5 s that is noted every 5 s, or a
# heartbeat every 20 s. Whoever is silent for longer, and for a lease, has lost its name [s].
SILENT_S = 30.0


class Roster(FleetReader):
    """The workers of one ledger; may be shared by threads.

    Args:
        ledger: The record.
        lease_s: How long a lease lasts in silence, unless a worker asks otherwise [s].
    """

    def __init__(self, ledger: Ledger, lease_s: float = LEASE_S) -> None:
        super().__init__(ledger)
        self.lease_s = lease_s

    def register_worker(
        self, worker: str, registration: WorkerRegistration, token: str | None = None
    ) -> WorkerRow:
        """Register a worker, or what changed of it; it is ready for leases afterwards.

        Raises:
            ConflictError: another lab's worker has this name, or another instance that was heard
                from within the time of a lease.
        """
        known = [w for w in self.workers(worker) if w.lab != registration.lab]
        if known:
            raise ConflictError(
                f"a worker's name belongs to one lab, but {worker!r} is of {known[0].lab!r}; "
                "choose another name"
            )
        values = {
            "id": worker,
            "lab": registration.lab,
            "station": registration.station,
            "hidden": canonical(registration.simulated) if registration.simulated else None,
            "details": canonical({**registration.details, "instance": registration.instance}),
            "version": registration.version,
            "token": token,
            "at": self.ledger.now(),
            "safe_within": registration.safe_within,
            "silence": self._silence,
        }
        with self.ledger.writing() as cursor:
            taken = self._sql.run(cursor, "worker", values).rowcount
        row = self.workers(worker)[0]
        if not taken:
            raise self._held_by(row)
        return row

    @property
    def _silence(self) -> float:
        return max(self.lease_s, SILENT_S)

    def _held_by(self, row: WorkerRow) -> ConflictError:
        """Say that a name is another process's."""
        where = ", ".join(f"{k} {row.details[k]}" for k in ("host", "process") if k in row.details)
        return ConflictError(
            f"a worker's name is one process's at a time, but {row.worker!r} is held by another "
            f"({where or 'of its own instance'}), heard from {row.seen_ago:.0f} s ago; stop that "
            "one, or give this one another --name; if it is gone and its outbox with it, try "
            f"again once it was silent for {self._silence:g} s"
        )

    def _polled(self, worker: str, instance: str | None) -> None:
        values = {"id": worker, "instance": instance}
        with self.ledger.writing() as cursor:
            if self._sql.run(cursor, "polled", values).rowcount:
                return
            found = [worker_of(row) for row in self._sql.all(cursor, "workers", {"id": worker})]
        if not found:
            raise NotFoundError(f"there is no worker {worker!r}; register it first")
        if found[0].details.get("instance") not in (None, instance):
            raise self._held_by(found[0])
