"""Structure peaks in small-angle scattering: where they lie and how wide they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

Array = NDArray[np.float64]
WINDOW = (0.28, 1.35)
"""Scattering vectors within which structure peaks are sought [1/nm]."""
BEYOND = 1.35
"""Above this the structure factor is 1 and the form factor can be fitted alone [1/nm]."""
LEAST = 0.15
"""Height over 1 that counts as a peak."""
_SIGMAS = 6.0
_ORDER_SIGMAS = 5.0
_ORDER_REACH = 0.06


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
    noise = error / math.sqrt(3.0)
    smooth = np.convolve(value, np.full(3, 1.0 / 3.0), mode="same")
    found = []
    for i in range(3, len(axis) - 3):
        near = slice(max(i - 6, 0), i + 7)
        if smooth[i] < smooth[near].max() or smooth[i] < 1.0 + LEAST:
            continue
        sides = min(smooth[max(i - 14, 0) : i].min(), smooth[i + 1 : i + 15].min())
        drop = max(smooth[max(i - 14, 0) : i].min(), smooth[i + 1 : i + 15].min())
        if smooth[i] - drop < max(_SIGMAS * noise[i], 0.25 * (smooth[i] - min(sides, 1.0))):
            continue
        found.append(_measure(axis, value, error, i, drop))
    return found


def order_position(q: Array, factor: Array, deviation: Array, expected: float) -> float:
    """Position of a weak peak near where an order is expected [1/nm]; NaN where none stands out.

    A Gaussian over a parabola, by weighted least squares; centre (within `_ORDER_REACH` of
    `expected`) and width are searched, and the height must be five of its errors. A blind search
    needs more, as it looks at every bin.

    Args:
        q: Shape (n,) [1/nm].
        factor: Structure factor, shape (n,).
        deviation: Of each value, shape (n,).
        expected: [1/nm]
    """
    inside = np.abs(q / expected - 1.0) < 2.0 * _ORDER_REACH
    axis, weight = q[inside], 1.0 / deviation[inside]
    best = (_ORDER_SIGMAS, math.nan)
    for centre in expected * np.linspace(1.0 - _ORDER_REACH, 1.0 + _ORDER_REACH, 101):
        for sigma in (0.006, 0.009, 0.013):
            bell = np.exp(-0.5 * ((axis - centre) / sigma) ** 2)
            offset = axis - centre
            basis = np.column_stack([bell, np.ones_like(axis), offset, offset**2])
            basis *= weight[:, None]
            covariance = np.linalg.inv(basis.T @ basis)
            height = float((covariance @ (basis.T @ (factor[inside] * weight)))[0])
            clear = height / math.sqrt(covariance[0, 0])
            if clear > best[0]:
                best = (clear, float(centre))
    return best[1]


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


@dataclass(frozen=True, slots=True)
class Lattice:
    """A face-centred orthorhombic lattice: layers along its axes, rising [nm], coherent size."""

    axes: tuple[float, float, float]
    domain: float
    misfit: float


_HKL = np.array([i for i in product(range(4), repeat=3)
                 if any(i) and len({x % 2 for x in i}) == 1], dtype=np.float64)  # fmt: skip
_TIMES = 2.0 ** (_HKL > 0.0).sum(axis=1)
_LATTICE_RANGE = (0.28, 0.80)


def fit_lattice(q: Array, factor: Array, shortest: float, resolution: float) -> Lattice:
    """Fit the reflections of a face-centred orthorhombic lattice.

    The layers' spacings, one width and the scale are free; strengths follow multiplicities over
    the square of q.

    Args:
        q: Shape (n,) [1/nm].
        factor: Structure factor, shape (n,).
        shortest: First guess of the shortest spacing [nm].
        resolution: FWHM of the instrument [1/nm].
    """
    inside = (q > _LATTICE_RANGE[0]) & (q < _LATTICE_RANGE[1])
    axis, value = q[inside], factor[inside]

    def basis(x: Array) -> Array:
        cell = 2.0 * x[0] * np.array([1.0, x[1], x[1] * x[2]])
        centres = 2.0 * np.pi * np.sqrt(((_HKL / cell) ** 2).sum(axis=1))
        bells = np.exp(-0.5 * ((axis[:, None] - centres) / x[3]) ** 2) @ _TIMES / axis**2
        return np.column_stack([bells, np.ones_like(axis)])

    def left(x: Array) -> Array:
        columns = basis(x)
        scale = np.linalg.lstsq(columns, value, rcond=None)[0]
        return np.asarray(value - columns @ scale)

    bounds = ([0.9 * shortest, 1.0, 1.0, 0.003], [1.1 * shortest, 1.3, 1.3, 0.05])
    starts = [(shortest, b, c, 0.01) for b in (1.03, 1.1, 1.17) for c in (1.03, 1.1, 1.17)]
    fits = [least_squares(left, s, bounds=bounds, max_nfev=60) for s in starts]
    best = min(fits, key=lambda f: float(f.cost))
    a, second, third, sigma = (float(v) for v in best.x)
    rms = math.sqrt(2.0 * float(best.cost) / len(axis)) / max(float(np.std(value)), 1e-9)
    return Lattice(
        (a, a * second, a * second * third), domain_size(2.3548 * sigma, resolution), rms
    )
