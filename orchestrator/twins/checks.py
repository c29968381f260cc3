"""A published figure as numbers that can be checked: what one row of the table asks of a twin."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from surrogate_sim.parameters import TwinParameters

Use = Literal["C", "H", "Z", "D"]
STRICT = 1e-9
"""An ordering is met by a difference above this, so that equality does not pass."""


@dataclass(frozen=True)
class Check:
    """One number of a row beside its band. A row passes when all of its checks do.

    Attributes:
        label: What the number is, in words.
        ours: What the twin's instrument and analysis gave; NaN where they gave none.
        low: Least value that passes.
        high: Greatest value that passes.
        unit: Unit of `ours` and the band.
        use: C calibration, H held out, Z from no or hardly any parameter, D diagnostic.
        kind: Which quantity (`peak_nm`, `size_nm`, ...): the null model predicts the mean of
            the published calibration values of the same kind; `difference`: it predicts 0.
        published: The published value, where it is a number.
    """

    label: str
    ours: float
    low: float
    high: float
    unit: str
    use: Use
    kind: str
    published: float | None = None

    @property
    def passed(self) -> bool:
        """Whether the twin's number is within the band."""
        return self.low <= self.ours <= self.high

    def null(self, means: dict[str, float]) -> bool:
        """Whether a constant (the calibration mean of this kind, `means`) would have passed."""
        value = 0.0 if self.kind == "difference" else means.get(self.kind, math.nan)
        return self.low <= value <= self.high


def above(label: str, ours: float, use: Use, unit: str = "", least: float = STRICT) -> Check:
    """Return the check of an ordering: a difference that must exceed `least`."""
    return Check(label, ours, least, math.inf, unit, use, "difference")


def below(label: str, ours: float, use: Use, unit: str = "", most: float = -STRICT) -> Check:
    """Return the check of an ordering: a difference that must stay below `most`."""
    return Check(label, ours, -math.inf, most, unit, use, "difference")


def difference(
    label: str, ours: float, low: float, high: float, use: Use, unit: str = ""
) -> Check:
    """Return the check of a difference between two conditions against its band."""
    return Check(label, ours, low, high, unit, use, "difference")


RowFunction = Callable[[TwinParameters], tuple[Check, ...]]
"""Runs what a row needs on a lab with these parameters; short enough to run often."""
