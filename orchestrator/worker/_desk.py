"""Where leases are asked for and ended: a server, or a database in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

Document = dict[str, Any]


class Desk(Protocol):
    """What a client of the API does about leases."""

    def register_worker(self, worker: str, registration: Mapping[str, Any]) -> Document:
        """Say who works."""

    def leases(self, worker: str) -> Sequence[Document]:
        """Return the leases that a worker holds."""

    def lease(
        self,
        worker: str,
        *,
        wait: float = 0.0,
        lease_s: float | None = None,
        campaign: str | None = None,
    ) -> Document | None:
        """Ask for work."""

    def heartbeat(
        self, lease: str, fence: int, progress: str = "", *, lease_s: float | None = None
    ) -> Document:
        """Keep a lease."""

    def send_result(self, lease: str, body: Mapping[str, Any]) -> Document:
        """Report measurements."""

    def send_failure(self, lease: str, body: Mapping[str, Any]) -> Document:
        """Report a failure."""

    def give_back(self, lease: str, fence: int, reason: str) -> Document:
        """Return a lease for which nothing was moved."""
