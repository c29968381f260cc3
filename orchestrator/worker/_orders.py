"""The open ear of a worker: an emergency stop reaches it at once, whatever it is doing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from time import monotonic
from types import TracebackType
from typing import Any

from orchestrator.client import Client
from orchestrator.errors import DotpilotError
from orchestrator.worker._station_bay import StationBay

LISTEN = 2.0  # s that one request is kept open; short, so that a worker ends within it
PAUSE = 1.0  # s until a server that could not be reached is asked again
_AGAIN = 0.5  # s between two rounds while a run that was stopped has not ended yet


class Orders:
    """Listens for orders while the context lasts, and carries a stop out.

    Devices are made safe from this thread at once. What the run under way still tells them before
    its next step is undone by further rounds, until it has ended.

    Args:
        client: For this alone; it must not try again for long.
        worker: Name of the worker.
        bay: Holds the station.
        stopped: Called with the reason when a stop arrives, before the devices are told.
        ended: Set once nothing runs that could move a device.
        listen: How long one request is kept open [s].
    """

    def __init__(
        self,
        client: Client,
        worker: str,
        bay: StationBay,
        stopped: Callable[[str], None],
        ended: threading.Event,
        listen: float = LISTEN,
    ) -> None:
        self._client, self._worker, self._bay = client, worker, bay
        self._stopped, self._ended, self._listen = stopped, ended, listen
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dotpilot-orders")

    def __enter__(self) -> Orders:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave.set()
        self._thread.join()

    def _run(self) -> None:
        self._bay.warm()
        while not self._leave.is_set():
            try:
                order = self._client.orders(self._worker, wait=self._listen)["stop"]
            except (DotpilotError, OSError):  # silence: the heartbeats judge it
                self._leave.wait(PAUSE)
                continue
            if order is not None:
                self._carry_out(order)
                return

    def _carry_out(self, order: Mapping[str, Any]) -> None:
        self._stopped(str(order["reason"]))
        began = monotonic()
        safe, problems = self._bay.stop()
        self._report(order, safe, problems, monotonic() - began)
        while not (self._ended.is_set() or self._leave.is_set()):
            self._ended.wait(_AGAIN)
            before = (safe, problems)
            safe, problems = self._bay.stop()
            if (safe, problems) != before:
                self._report(order, safe, problems, monotonic() - began)

    def _report(
        self,
        order: Mapping[str, Any],
        safe: list[str],
        problems: Mapping[str, str],
        seconds: float,
    ) -> None:
        try:
            self._client.report_stop(self._worker, int(order["stop"]), safe, problems, seconds)
        except (DotpilotError, OSError):  # it is stopped all the same; the server shows `stopping`
            return
