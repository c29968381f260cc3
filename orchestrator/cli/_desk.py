"""The desk of a database in this process: leases without a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.cli._service import Document
from orchestrator.fleet import Failure, Fleet, LeaseAnswer, Result, WorkerRegistration


class FleetDesk:
    """Does on a fleet what a client does at a server.

    Args:
        fleet: Its leases.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def register_worker(self, worker: str, registration: Mapping[str, Any]) -> Document:
        """Say who works."""
        given = WorkerRegistration.model_validate(registration)
        return self._fleet.register_worker(worker, given).document()

    def leases(self, worker: str) -> Sequence[Document]:
        """Return the leases that a worker holds."""
        return [lease.document() for lease in self._fleet.leases(worker=worker)]

    def lease(
        self,
        worker: str,
        *,
        wait: float = 0.0,
        lease_s: float | None = None,
        campaign: str | None = None,
    ) -> Document | None:
        """Ask for work; nobody waits here."""
        found = self._fleet.grant(worker, lease_s, campaign)
        return None if found is None else found.document()

    def heartbeat(
        self, lease: str, fence: int, progress: str = "", *, lease_s: float | None = None
    ) -> Document:
        """Keep a lease."""
        found = self._fleet.heartbeat(lease, fence, progress, lease_s)
        return {"expires_in": found.expires_in, "cancel": found.cancel, "pause": found.pause}

    def send_result(self, lease: str, body: Mapping[str, Any]) -> Document:
        """Report measurements."""
        results = [Result.model_validate(r) for r in body["results"]]
        return _answer(self._fleet.result(lease, int(body["fence"]), results))

    def send_failure(self, lease: str, body: Mapping[str, Any]) -> Document:
        """Report a failure."""
        failure = Failure.model_validate({k: v for k, v in body.items() if k != "fence"})
        return _answer(self._fleet.fail(lease, int(body["fence"]), failure))

    def give_back(self, lease: str, fence: int, reason: str) -> Document:
        """Return a lease for which nothing was moved."""
        return _answer(self._fleet.give_back(lease, fence, reason))


def _answer(found: LeaseAnswer) -> Document:
    return {"state": found.state, "digest": found.digest}
