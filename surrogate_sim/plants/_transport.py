"""What a point of the line holds: the history of feeding, in cumulative-volume coordinates."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import gammainc


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of stream that was fed under constant flows.

    Attributes:
        end: Total volume fed when the stretch was complete [µL].
        flows: Liquid flow of each inlet [µL/s].
        carrier: Name of the segmenting phase.
    """

    end: float
    flows: Mapping[str, float]
    carrier: str


class StreamHistory:
    """Remembers fed segments and weighs them at a point downstream."""

    def __init__(self, resting: Segment) -> None:
        self._segments: deque[Segment] = deque([resting])
        self.total = resting.end

    def copy(self) -> StreamHistory:
        """Return a history of its own with the same stretches, which do not change."""
        other = StreamHistory(self._segments[0])
        other._segments, other.total = self._segments.copy(), self.total
        return other

    def feed(self, volume: float, flows: Mapping[str, float], carrier: str) -> None:
        """Append `volume` [µL] fed under these flows, merging with an equal stretch."""
        if volume <= 0.0:
            return
        self.total += volume
        last = self._segments[-1]
        if last.flows == flows and last.carrier == carrier:
            self._segments.pop()
        self._segments.append(Segment(self.total, dict(flows), carrier))

    def forget(self, beyond: float) -> None:
        """Drop what was fed more than `beyond` [µL] ago."""
        while len(self._segments) > 1 and self._segments[1].end < self.total - beyond:
            self._segments.popleft()

    def at(self, volume: float, tanks: float) -> dict[str, float]:
        """Return the share of each inlet's liquid at a point `volume` [µL] downstream.

        The wash-out is that of `tanks` equal tanks in series: a gamma distribution of the volume
        since entry with mean `volume` (Levenspiel, Chemical Reaction Engineering).
        """
        segments = list(self._segments)
        ends = np.array([s.end for s in segments])
        # ages of the boundaries between segments; the oldest segment reaches back for ever
        age = (self.total - ends) * tanks / volume
        passed = np.append(gammainc(tanks, age), 0.0)
        weights = np.empty(len(segments))
        weights[0] = 1.0 - passed[0]
        weights[1:] = passed[:-2] - passed[1:-1]
        shares: dict[str, float] = {}
        for weight, segment in zip(weights, segments, strict=True):
            total = sum(segment.flows.values())
            if total <= 0.0 or weight <= 0.0:
                continue
            for name, flow in segment.flows.items():
                if flow > 0.0:
                    shares[name] = shares.get(name, 0.0) + float(weight) * flow / total
        scale = sum(shares.values())
        return {name: value / scale for name, value in shares.items()} if scale > 0.0 else {}
