"""Where a flow line departs from its setpoints: distributors of parallel lines, stepping pumps."""

from __future__ import annotations

import math
import zlib

import numpy as np

from surrogate_sim.parameters import FlowParameters

STROKE = 25.0  # µL that a syringe pump delivers per turn of its spindle (assumed)


def uneven(p: FlowParameters, channel: int | None, inlet: str) -> float:
    """Share of an inlet that a parallel line gets, over an even share; 1 for a line alone.

    Each stream is split by its own distributor; the pattern is the laboratory's own.
    """
    if channel is None:
        return 1.0
    key = [p.seed or 0, channel, zlib.crc32(inlet.encode())]
    score = np.random.default_rng(np.random.SeedSequence(key)).standard_normal()
    return float(np.exp(p.flow["maldistribution"] * np.clip(score, -2.5, 2.5)))


def ripple(p: FlowParameters, inlet: str, delivered: float) -> float:
    """Flow over its mean after `delivered` [µL]; only a hidden lab's pumps step."""
    if p.seed is None:
        return 1.0
    phase = math.pi * p.keyed_normal("phase", inlet)
    return 1.0 + p.flow["pump_ripple"] * math.sin(2.0 * math.pi * delivered / STROKE + phase)
