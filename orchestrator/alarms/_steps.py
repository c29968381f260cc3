"""How long the steps of a procedure take, learned from the record, and an alarm beyond that."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

import numpy as np

from instruments.steps import PREFIX, step_of
from orchestrator.alarms._file import AlarmsFile
from orchestrator.alarms._sender import Alarms

QUANTILE = 0.99


class Durations:
    """Durations of steps by name [s].

    Args:
        file: How many must be known, and what holds before.
    """

    def __init__(self, file: AlarmsFile) -> None:
        self._file = file
        self._seen: dict[str, list[float]] = defaultdict(list)

    def learn(self, conditions: Mapping[str, Mapping[str, Any]]) -> None:
        """Take up what the conditions of a measurement say of its steps."""
        for name, said in conditions.items():
            if name.startswith(PREFIX):
                self._seen[name].append(float(said["value"]))

    def limit(self, step: str) -> tuple[float, str]:
        """Return how long a step may take [s], and where that is from."""
        seen, file = self._seen.get(step, []), self._file
        if len(seen) >= file.step_samples:
            return float(np.quantile(seen, QUANTILE)), f"p99 of {len(seen)}"
        if seen:
            told = f"{file.step_multiple:g} times the longest of {len(seen)}"
            return file.step_multiple * max(seen), told
        return file.step_planned, "planned"


class StepWatch:
    """Raises an alarm while a step of a trial takes longer than it may.

    Args:
        alarms: Takes the alarm.
        durations: What is known of the steps.
        where: Names the station.
    """

    def __init__(self, alarms: Alarms, durations: Durations, where: str) -> None:
        self._alarms, self.durations, self._where = alarms, durations, where
        self._timer: threading.Timer | None = None
        self._count = 0

    def step(self, text: str) -> None:
        """A step begins; the one before has ended."""
        self.end()
        self._count += 1
        name = step_of(text)
        limit, source = self.durations.limit(name)
        said = (
            f"the step {text!r} at {self._where} takes longer than {limit:.3g} s ({source}); look "
            "at the station"
        )
        about = f"{self._where}, {name.removeprefix(PREFIX)}, step {self._count}"
        self._timer = threading.Timer(limit, self._alarms.tell, ("step_stalled", about, said))
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        """No step is under way."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
        self._timer = None

    def learn(self, measured: Iterable[Mapping[str, Mapping[str, Any]]]) -> None:
        """Take up the conditions of measurements."""
        for conditions in measured:
            self.durations.learn(conditions)

    def __enter__(self) -> StepWatch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()
