"""Compiled parts of a step of cohorts: uptake, growth, what they hold, births and mergers.

`boost` is the solubility beside a dot over that of a flat face, e^(alpha / L). Constants `k` as in
`surrogate_sim.population.Rates`; lengths [nm], times [s], dots [µM], formula units [mM]. Loops
are short and without branches, so that compilers turn them into vectors.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
SMALLEST = 0.6
"""Size below which a dot that shrinks is dissolved: about a unit cell [nm]."""
_ALIKE = 0.03  # nuclei of the youngest cohort's size, within this share, join it
_HIGHEST = 60.0  # of an exponent, far above what any dot has


@njit(cache=True, fastmath=True, error_model="numpy", inline="always")
def united(first: float, edge: float, second: float, other: float) -> float:
    """Size of `first` dots of `edge` and `second` of `other` that keeps number and volume.

    Newton's method for the cube root, from the mean size: three steps reach rounding for sizes
    that differ by less than a half.
    """
    total = max(first + second, 1e-300)
    cube = (first * edge * edge * edge + second * other * other * other) / total
    mean = (first * edge + second * other) / total
    for _ in range(3):
        mean -= (mean * mean * mean - cube) / (3.0 * mean * mean)
    return mean if first + second > 0.0 else edge


@njit(cache=True)
def merge(number: Array, size: Array, boost: Array, count: int, capillary: float) -> int:
    """Join the two neighbours that differ least in size; number and volume are kept."""
    best, least = 1, 1e300
    for i in range(1, count):
        apart = abs(size[i] - size[i - 1]) * (number[i] + number[i - 1])
        if apart < least:
            best, least = i, apart
    before = best - 1
    size[before] = united(number[before], size[before], number[best], size[best])
    boost[before] = math.exp(min(capillary / size[before], _HIGHEST))
    number[before] += number[best]
    for i in range(best, count - 1):
        number[i], size[i], boost[i] = number[i + 1], size[i + 1], boost[i + 1]
    return count - 1


@njit(cache=True)
def bear(
    number: Array,
    size: Array,
    boost: Array,
    count: int,
    room: int,
    born: float,
    seed: float,
    capillary: float,
) -> int:
    """Add `born` nuclei of size `seed`, to the youngest cohort where they are as large."""
    young = count - 1
    if count > 0 and abs(size[young] - seed) < _ALIKE * seed:
        size[young] = united(number[young], size[young], born, seed)
        number[young] += born
        boost[young] = math.exp(min(capillary / size[young], _HIGHEST))
        return count
    number[count], size[count] = born, seed
    boost[count] = math.exp(min(capillary / seed, _HIGHEST))
    if count < room:
        return count + 1
    return merge(number, size, boost, count + 1, capillary)


@njit(cache=True)
def drop_dissolved(number: Array, size: Array, boost: Array, count: int) -> int:
    """Let go of cohorts below the smallest size; return how many are left."""
    kept = 0
    for i in range(count):
        if size[i] >= SMALLEST:
            number[kept], size[kept], boost[kept] = number[i], size[i], boost[i]
            kept += 1
    return kept


@njit(cache=True, fastmath=True, inline="always")
def sum_of(values: Array, count: int) -> float:
    """Sum of the first `count`, never 0."""
    total = 1e-9
    for i in range(count):
        total += values[i]
    return total


@njit(cache=True, fastmath=True, error_model="numpy", inline="always")
def uptake(
    number: Array, size: Array, boost: Array, lean: Array, count: int, k: Array, factor: float
) -> tuple[float, float]:
    """How fast dots take up monomer per excess [1/s], and what they give back [mM/s].

    Writes the velocity per excess of each size into `lean` [nm/(s mM)].
    """
    pull, hold, swift, scale = 0.0, 0.0, k[0] * k[3], 3e-3 * factor
    for i in range(count):
        lean[i] = swift / (k[3] + size[i])
        take = scale * number[i] * size[i] * size[i] * lean[i]
        pull += take
        hold += take * boost[i]
    return pull, k[1] * hold


@njit(cache=True, fastmath=True, error_model="numpy", inline="always")
def grow(
    size: Array,
    boost: Array,
    lean: Array,
    grown: Array,
    count: int,
    k: Array,
    middle: float,
    dt: float,
) -> None:
    """Write sizes after `dt` at a monomer concentration `middle` into `grown` (midpoint rule).

    The solubility at half a step follows from that at its start, by a series where it changes
    little (to 1e-4 of it). `lean` is overwritten.
    """
    swift, solubility, capillary, length = k[0] * k[3], k[1], k[2], k[3]
    squares = 0.0
    for i in range(count):
        half = size[i] + 0.5 * dt * lean[i] * (middle - solubility * boost[i])
        half = max(half, 0.5 * size[i])
        inverse = 1.0 / (half * size[i] * (length + half))
        lean[i] = swift * inverse * half * size[i]
        grown[i] = capillary * (size[i] - half) * inverse * (length + half)
        squares += grown[i] * grown[i]
    if squares < 0.04:
        for i in range(count):
            x = grown[i]
            eased = solubility * boost[i] * (1.0 + x * (1.0 + x * (0.5 + x / 6.0)))
            grown[i] = max(size[i] + dt * lean[i] * (middle - eased), 0.1)
    else:
        for i in range(count):
            eased = solubility * boost[i] * math.exp(min(grown[i], _HIGHEST))
            grown[i] = max(size[i] + dt * lean[i] * (middle - eased), 0.1)


@njit(cache=True, fastmath=True, error_model="numpy", inline="always")
def weigh(
    number: Array, size: Array, grown: Array, held: Array, count: int, factor: float, least: float
) -> tuple[float, float, float]:
    """Matter in grown dots [mM], the largest relative step of those above `least`, the smallest.

    Cohorts below the smallest size count as dissolved; `held` is overwritten.
    """
    total, largest, smallest, scale = 0.0, 0.0, 1e9, 1e-3 * factor
    for i in range(count):
        held[i] = scale * number[i] * grown[i] * grown[i] * grown[i]
        total += held[i]
    for i in range(count):
        edge = grown[i]
        if edge < smallest:
            smallest = edge
        if held[i] > least:
            change = abs(edge - size[i])
            if change > largest * size[i]:
                largest = change / size[i]
    if smallest < SMALLEST:
        for i in range(count):
            if grown[i] < SMALLEST:
                total -= held[i]
    return total, largest, smallest


@njit(cache=True, fastmath=True, error_model="numpy", inline="always")
def settle(size: Array, grown: Array, boost: Array, count: int, capillary: float) -> None:
    """Take up grown sizes, and the solubilities that belong to them.

    These follow from the last ones by a series to 1e-12 where they change little.
    """
    squares = 0.0
    for i in range(count):
        size[i] = capillary * (size[i] - grown[i]) / (grown[i] * size[i])
        squares += size[i] * size[i]
    if squares < 0.06:
        for i in range(count):
            x = size[i]
            tail = 1.0 + x / 5.0 * (1.0 + x / 6.0 * (1.0 + x / 7.0 * (1.0 + x / 8.0)))
            boost[i] *= 1.0 + x * (1.0 + x / 2.0 * (1.0 + x / 3.0 * (1.0 + x / 4.0 * tail)))
            size[i] = grown[i]
    else:
        for i in range(count):
            size[i] = grown[i]
        boosts(size, boost, count, capillary)


@njit(cache=True)
def boosts(size: Array, boost: Array, count: int, capillary: float) -> None:
    """Write solubility over that of a flat face, e^(alpha / L)."""
    for i in range(count):
        boost[i] = math.exp(min(capillary / size[i], _HIGHEST))


@njit(cache=True, fastmath=True, error_model="numpy", inline="always")
def mean_monomer(monomer: float, rate: float, pull: float, hold: float, dt: float) -> float:
    """Mean monomer of a step, which relaxes towards the balance of feed and uptake [mM]."""
    middle = monomer + 0.5 * dt * rate
    x = pull * dt
    if x > 1e-9:
        steady = (rate + hold) / pull
        middle = steady + (monomer - steady) * (-math.expm1(-x) / x)
    return max(middle, 0.0)
