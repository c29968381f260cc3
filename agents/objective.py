"""What a campaign wants of its observables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Goal = Literal["minimise", "maximise", "target", "constraint"]


@dataclass(frozen=True, slots=True)
class Objective:
    """One wish on one observable, in the observable's declared unit.

    `target` uses `value` and `tolerance` (both given); `minimise` and `maximise` may carry
    `min` or `max` as an acceptance bound; `constraint` has `min`, `max` or both. Values of a
    `later` one come hours or days after the trial, if at all: a completed trial without one waits
    for it, and has not failed to give it.
    """

    observable: str
    goal: Goal
    value: float | None = None
    tolerance: float | None = None
    min: float | None = None
    max: float | None = None
    unit: str = ""
    later: bool = False

    def bounds(self) -> tuple[float | None, float | None]:
        """Return the (low, high) within which this objective counts as met."""
        if self.goal == "target" and self.value is not None and self.tolerance is not None:
            return self.value - self.tolerance, self.value + self.tolerance
        return self.min, self.max
