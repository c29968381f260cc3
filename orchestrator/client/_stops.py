"""Calls of emergency stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

Document = dict[str, Any]


class _Calls(Protocol):
    def _get(self, *parts: str, **query: Any) -> Document: ...

    def _put(self, *parts: str, body: Mapping[str, Any]) -> Document: ...

    def _post(
        self,
        *parts: str,
        body: Mapping[str, Any] | None = None,
        key: bool = False,
        again: bool = True,
        timeout: float | None = None,
    ) -> Document: ...


class StopCalls:
    """The part of a `Client` that stops workers and tells them so."""

    def stop_worker(self: _Calls, worker: str, reason: str = "", *, wait: float = 3.0) -> Document:
        """Stop a worker's station, waiting up to `wait` [s] for what it says came of it."""
        body = {"reason": reason, "wait_s": wait}
        return self._post("workers", worker, "stop", body=body)

    def last_stop(self: _Calls, worker: str) -> Document:
        """Return the latest stop of a worker."""
        return self._get("workers", worker, "stop")

    def orders(self: _Calls, worker: str, *, wait: float = 0.0) -> Document:
        """Return what a worker is to do at once, `{"stop": ...}`, waiting up to `wait` [s]."""
        return self._get("workers", worker, "orders", wait=wait)

    def report_stop(
        self: _Calls,
        worker: str,
        stop: int,
        safe: Sequence[str],
        unconfirmed: Mapping[str, str],
        seconds: float,
    ) -> Document:
        """Say what came of an order to stop."""
        told = [{"name": n, "problem": p[:4000]} for n, p in unconfirmed.items()]
        body = {"stop": stop, "safe": list(safe), "unconfirmed": told, "seconds": seconds}
        return self._put("workers", worker, "stop", body=body)
