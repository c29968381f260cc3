"""Sends alarms from a thread of its own, so that whoever raises one neither waits nor fails."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from types import TracebackType

from orchestrator.alarms._channels import FAILURES, Send, channels
from orchestrator.alarms._file import AlarmsFile
from orchestrator.alarms._model import Alarm, Kind

MOST = 1000  # alarms that may wait
PAUSE = 1.0  # s before a try is made again, doubled each time
LEAVE = 15.0  # s that the last alarms are given when the context ends
_log = logging.getLogger(__name__)


class Alarms:
    """Takes alarms while the context lasts.

    Args:
        file: Who hears of what.
        now: The time (UTC) as text.
        pause: Before a try is made again [s].
    """

    def __init__(self, file: AlarmsFile, now: Callable[[], str], pause: float = PAUSE) -> None:
        self.file, self._now, self._pause = file, now, pause
        self._channels = channels(file)
        self._waiting: queue.Queue[Alarm | None] = queue.Queue(MOST)
        self._told: set[tuple[str, str]] = set()
        self._lock, self._leave = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="dotpilot-alarms", daemon=True)

    def tell(self, kind: Kind, about: str, text: str) -> None:
        """Raise an alarm; the same kind about the same is told once. Never waits, never raises."""
        with self._lock:
            if kind not in self.file.kinds or (kind, about) in self._told:
                return
            self._told.add((kind, about))
        try:
            self._waiting.put_nowait(Alarm(kind, text, about, self._now()))
        except queue.Full:
            _log.error("%d alarms wait already, so this one is not sent: %s", MOST, text)

    def forget(self, kind: Kind, about: str) -> None:
        """Tell of it again when it comes again: what the alarm was about is over."""
        with self._lock:
            self._told.discard((kind, about))

    def __enter__(self) -> Alarms:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave.set()
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            _log.error("alarms that wait are not sent, since the process ends")
        self._thread.join(LEAVE)

    def _run(self) -> None:
        while (alarm := self._waiting.get()) is not None:
            for name, send in self._channels.items():
                self._send(name, send, alarm)

    def _send(self, name: str, send: Send, alarm: Alarm) -> None:
        """Try a channel a bounded number of times; what failed is logged."""
        pause = self._pause
        for attempt in range(1, self.file.attempts + 1):
            try:
                send(alarm)
            except FAILURES as error:
                _log.error(
                    "alarm %r did not go by %s (try %d of %d): %s",
                    alarm.text, name, attempt, self.file.attempts, error,
                )  # fmt: skip
                if attempt < self.file.attempts:
                    self._leave.wait(pause)
                    pause *= 2.0
            else:
                return
