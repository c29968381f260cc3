"""Named steps of a procedure, and how long each takes on the station's clock."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

PREFIX = "step_"
"""Of the conditions of a measurement that say how long a step took [s]."""
_OTHER = re.compile(r"[^a-z]+")


class Now(Protocol):
    """Tells the time."""

    def now(self) -> float:
        """Seconds."""
        ...


def step_of(text: str) -> str:
    """Return the name of the step that a text of progress tells; numbers in it do not matter."""
    return PREFIX + _OTHER.sub("_", text.lower()).strip("_")


class Steps:
    """Times the steps that a procedure tells of, and passes the texts on.

    Args:
        clock: The station's.
        say: Takes the texts.
    """

    def __init__(self, clock: Now, say: Callable[[str], None]) -> None:
        self._clock, self._say = clock, say
        self._took: dict[str, float] = {}
        self._step, self._began = "", 0.0

    def __call__(self, text: str) -> None:
        """Begin a step; the one before has ended."""
        self._end()
        self._step, self._began = step_of(text), self._clock.now()
        self._say(text)

    def took(self) -> dict[str, float]:
        """End the last step; return how long each took so far [s], repeated ones together."""
        self._end()
        return dict(self._took)

    def _end(self) -> None:
        if self._step:
            seconds = self._clock.now() - self._began
            self._took[self._step] = self._took.get(self._step, 0.0) + seconds
        self._step = ""
