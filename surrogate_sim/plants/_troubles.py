"""What goes wrong with the streams of a line: it clogs, and air enters with a stock.

Times are drawn one after another from a generator, as of a Poisson process on the plant's clock.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

CLOGGED = 0.4  # share of a stream that a clog lets through (assumed: clearly clogged, not blocked)
BUBBLE = 30.0  # µL of air at once (assumed: an air pocket of a syringe change)
TRAIL = 1.5  # volumes of the line until the last of the air is out (assumed: bubbles stick)
SWELLING = 0.3
"""Relative rise of the velocity while air is in the line (assumed: it expands by about as much
from a syringe's pressure to the outlet's)."""


class Troubles:
    """Clogs and bubbles of one line.

    A clog stays until the plant is made anew, which stands for a rinsed line.

    Args:
        generator: Of times and inlets; None where nothing ever happens.
        clog: Clogs per hour [1/h].
        bubble: Bubbles per hour [1/h].
    """

    def __init__(
        self, generator: np.random.Generator | None = None, clog: float = 0.0, bubble: float = 0.0
    ) -> None:
        self._generator, self._clog, self._bubble = generator, clog, bubble
        self._air: dict[str, float] = {}
        self._entered = -math.inf  # µL that were fed when air last entered
        self._next = math.inf
        self.open_share = 1.0
        self._draw(0.0)

    def copy(self) -> Troubles:
        """Return one of the same present; what befalls this one later leaves that one alone."""
        other = Troubles()
        other._air, other._entered = dict(self._air), self._entered
        other.open_share = self.open_share
        return other

    def begin(self, clock: float) -> None:
        """Draw the first time from `clock` [s] on."""
        self._draw(clock)

    def until_change(self, clock: float, flows: Mapping[str, float]) -> float:
        """Time to the next trouble, or to the end of the air in an inlet [s]; infinite if none."""
        ends = [left / flows[n] for n, left in self._air.items() if flows.get(n, 0.0) > 0.0]
        return max(min([self._next - clock, *ends]), 1e-6)

    def liquid(self, flows: Mapping[str, float]) -> dict[str, float]:
        """Those of the flows that bring liquid and not air."""
        if not self._air:
            return dict(flows)
        return {name: flow for name, flow in flows.items() if name not in self._air}

    def has_air(self, inlet: str) -> bool:
        """Whether an inlet brings air."""
        return inlet in self._air

    def pass_time(
        self, clock: float, seconds: float, flows: Mapping[str, float], fed: float
    ) -> None:
        """Let air flow on, and what is due befall the line.

        Args:
            clock: When the time has passed [s].
            seconds: How long it was [s].
            flows: Of the inlets in it [µL/s].
            fed: Volume that was fed so far [µL].
        """
        if any(flows.get(n, 0.0) > 0.0 for n in self._air):
            self._entered = fed
        left = {n: v - flows.get(n, 0.0) * seconds for n, v in self._air.items()}
        self._air = {n: v for n, v in left.items() if v > 1e-9}
        while self._generator is not None and self._next <= clock + 1e-9:
            if self._generator.uniform() * (self._clog + self._bubble) < self._clog:
                self.open_share = CLOGGED
            elif flowing := sorted(n for n, q in flows.items() if q > 0.0):
                inlet = flowing[int(self._generator.integers(len(flowing)))]
                self._air[inlet] = self._air.get(inlet, 0.0) + BUBBLE
                self._entered = fed
            self._draw(self._next)

    def swelling(self, fed: float, volume: float) -> float:
        """Velocity over that of the fed streams, at `volume` [µL] downstream of the inlets."""
        passing = fed - self._entered <= TRAIL * volume
        return 1.0 + SWELLING if passing else 1.0

    def _draw(self, clock: float) -> None:
        rate = (self._clog + self._bubble) / 3600.0
        if self._generator is not None and rate > 0.0:
            self._next = clock + float(self._generator.exponential(1.0 / rate))


__all__ = ["Troubles"]
