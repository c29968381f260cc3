"""Heartbeats from a thread while the station runs, and what their answers ask for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from orchestrator.client import Client, LostLeaseError
from orchestrator.errors import DotpilotError

LONGEST = 20.0  # s between heartbeats at most, so that a cancel arrives within that time


class Heartbeats:
    """Keeps one lease alive while the context lasts.

    Args:
        client: For heartbeats alone; it must not try again for longer than a period.
        lease: The lease document.
        lease_s: Length to ask for again [s]; None is the server's own.
        period: Between heartbeats at most [s].
        clock: Seconds, steadily increasing.
    """

    def __init__(
        self,
        client: Client,
        lease: Mapping[str, Any],
        lease_s: float | None,
        period: float,
        clock: Callable[[], float],
    ) -> None:
        self._client, self._lease, self._lease_s, self._clock = client, lease, lease_s, clock
        self._period = min(period, float(lease["expires_in"]) / 3.0, LONGEST)
        self._lock = threading.Lock()
        self._progress = ""
        self._cancel = self._lost = False
        self._silent_since: float | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dotpilot-heartbeat")

    def say(self, progress: str) -> None:
        """Let the next heartbeat say this."""
        with self._lock:
            self._progress = progress[:500]

    @property
    def cancelled(self) -> bool:
        """Whether the server asked to break the run off."""
        with self._lock:
            return self._cancel

    @property
    def lost(self) -> bool:
        """Whether the lease is somebody else's by now; the result can be evidence only."""
        with self._lock:
            return self._lost

    @property
    def silence(self) -> float:
        """How long neither contact nor the lease has been there [s]; 0 while both are."""
        with self._lock:
            if self._silent_since is None:
                return 0.0
            return self._clock() - self._silent_since

    def __enter__(self) -> Heartbeats:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._period):
            with self._lock:
                progress = self._progress
            started = self._clock()
            try:
                answer = self._client.heartbeat(
                    self._lease["lease"], self._lease["fence"], progress, lease_s=self._lease_s
                )
            except LostLeaseError:
                with self._lock:
                    self._lost = True
                    self._silent_since = self._silent_since or started
                return
            except DotpilotError:  # unreachable, or an answer that is none: silence either way
                with self._lock:
                    if self._silent_since is None:
                        self._silent_since = started
            else:
                with self._lock:
                    self._silent_since = None
                    self._cancel = self._cancel or bool(answer["cancel"])
