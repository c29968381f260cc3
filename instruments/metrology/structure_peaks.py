"""Structure peaks in small-angle scattering: where they lie and how wide they are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
WINDOW = (0.28, 1.35)
"""Scattering vectors within which structure peaks are sought [1/nm]."""
BEYOND = 1.35
"""Above this the structure factor is 1 and the form factor can be fitted alone [1/nm]."""
LEAST = 0.35
"""Height over 1 that counts as a peak."""
_SIGMAS = 6.0


@dataclass(frozen=True, slots=True)
class Peak:
    """One peak of the structure factor: position, its error, FWHM [1/nm], height over 1."""

    position: float
    position_se: float
    width: float
    height: float


def structure_factor(counts: Array, model: Array, floor: Array) -> tuple[Array, Array]:
    """Structure factor and its standard deviation, shapes (n,).

    Args:
        counts: Shape (n,).
        model: Counts of unstructured crystals, without background, shape (n,).
        floor: Counts of background and agglomerates, shape (n,).
    """
    base = np.maximum(model, 1e-9)
    return (counts - floor) / base, np.sqrt(np.maximum(counts, 1.0)) / base


def find_peaks(q: Array, factor: Array, deviation: Array) -> list[Peak]:
    """Peaks within `WINDOW`, by rising position.

    A maximum counts where it stands `LEAST` over 1, six deviations over what lies on both sides,
    and highest within its own width.

    Args:
        q: Shape (n,) [1/nm].
        factor: Structure factor, shape (n,).
        deviation: Of each value, shape (n,).
    """
    inside = (q >= WINDOW[0]) & (q <= WINDOW[1])
    axis, value, error = q[inside], factor[inside], deviation[inside]
    smooth = np.convolve(value, np.full(3, 1.0 / 3.0), mode="same")
    found = []
    for i in range(3, len(axis) - 3):
        near = slice(max(i - 6, 0), i + 7)
        if smooth[i] < smooth[near].max() or smooth[i] < 1.0 + LEAST:
            continue
        sides = min(smooth[max(i - 14, 0) : i].min(), smooth[i + 1 : i + 15].min())
        drop = max(smooth[max(i - 14, 0) : i].min(), smooth[i + 1 : i + 15].min())
        if smooth[i] - drop < max(_SIGMAS * error[i], 0.25 * (smooth[i] - min(sides, 1.0))):
            continue
        found.append(_measure(axis, value, error, i, drop))
    return found


def _measure(axis: Array, value: Array, error: Array, at: int, foot: float) -> Peak:
    """Position by the centroid of the top half, width where half the height is crossed."""
    half = 0.5 * (value[at - 1 : at + 2].mean() + foot)
    low, high = at, at
    while low > 0 and value[low - 1] > half:
        low -= 1
    while high < len(axis) - 1 and value[high + 1] > half:
        high += 1
    weight = np.maximum(value[low : high + 1] - half, 1e-9)
    part = axis[low : high + 1]
    position = float(weight @ part / weight.sum())
    spread = float(np.sqrt(((part - position) ** 2 * error[low : high + 1] ** 2).sum()))
    step = float(axis[1] - axis[0])
    left = _crossing(axis, value, low, -1, half)
    right = _crossing(axis, value, high, 1, half)
    se = math.hypot(spread / float(weight.sum()), step / math.sqrt(12.0) / len(part))
    return Peak(position, se, right - left, float(value[at] - 1.0))


def _crossing(axis: Array, value: Array, at: int, step: int, level: float) -> float:
    beyond = at + step
    if not 0 <= beyond < len(axis):
        return float(axis[at])
    fall = value[at] - value[beyond]
    part = (value[at] - level) / fall if fall > 0.0 else 0.0
    return float(axis[at] + np.clip(part, 0.0, 1.0) * (axis[beyond] - axis[at]))


def domain_size(width: float, resolution: float) -> float:
    """Coherent size 2 pi / FWHM [nm], the instrument's FWHM removed in quadrature [1/nm]."""
    own = math.sqrt(max(width**2 - resolution**2, (0.2 * width) ** 2))
    return 2.0 * math.pi / own
