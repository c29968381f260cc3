"""Compiled inner loops of the population balance: growth fluxes and coalescence.

Arrays hold numbers of particles per bin [µM]; volumes are in formula units per particle.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


@njit(cache=True)
def growth_numbers(number: Array, edges: Array, speed: Array, flux: Array) -> None:
    """Write the number of particles that cross each edge into `flux`, shape (n + 1,) [µM/s].

    Upwind with van Leer's harmonic slope (van Leer 1974), second order where the profile is
    smooth. Nothing enters from below; what shrinks past the lowest edge leaves; the top is shut.

    Args:
        number: Shape (n,), per bin [µM].
        edges: Shape (n + 1,) [nm].
        speed: Shape (n + 1,), growth velocity at the edges [nm/s].
        flux: Shape (n + 1,), overwritten.
    """
    count = number.shape[0]
    flux[0] = 0.0
    flux[count] = 0.0
    first = number[0] / (edges[1] - edges[0])
    if speed[0] < 0.0:
        flux[0] = speed[0] * first
    for face in range(1, count):
        donor = face - 1 if speed[face] > 0.0 else face
        width = edges[donor + 1] - edges[donor]
        density = number[donor] / width
        if 0 < donor < count - 1:
            below = edges[donor] - edges[donor - 1]
            above = edges[donor + 2] - edges[donor + 1]
            left = (density - number[donor - 1] / below) / (0.5 * (width + below))
            right = (number[donor + 1] / above - density) / (0.5 * (width + above))
            product = left * right
            if product > 0.0:
                slope = 2.0 * product / (left + right)
                density += 0.5 * width * slope if donor == face - 1 else -0.5 * width * slope
        flux[face] = speed[face] * density


@njit(cache=True)
def coalesce(
    number: Array, share: Array, kernel: float, target: Indices, lower: Array, change: Array
) -> None:
    """Add the change by coalescence to `change`, shape (n,) [µM/s].

    Fixed pivots (Kumar and Ramkrishna 1996): the product of two particles is shared between two
    neighbouring bins so that number and volume are kept.

    Args:
        number: Shape (n,), per bin [µM].
        share: Shape (n,), factor s of the kernel K = K0 s_i s_j.
        kernel: K0 [1/(µM s)].
        target: Shape (n, n), lower bin of the product; -1 where it would leave the grid.
        lower: Shape (n, n), part of the product that goes to the lower bin.
        change: Shape (n,), added to.
    """
    count = number.shape[0]
    for i in range(count):
        if number[i] * share[i] <= 1e-15:
            continue
        for j in range(i + 1):
            bin_below = target[i, j]
            if bin_below < 0:
                continue
            rate = kernel * share[i] * share[j] * number[i] * number[j]
            if rate <= 0.0:
                continue
            events = 0.5 * rate if i == j else rate
            change[i] -= events
            change[j] -= events
            change[bin_below] += events * lower[i, j]
            change[bin_below + 1] += events * (1.0 - lower[i, j])


@njit(cache=True)
def pivots(volume: Array, target: Indices, lower: Array) -> None:
    """Fill the tables `target` and `lower` of `coalesce` for bins of these `volume`s."""
    count = volume.shape[0]
    for i in range(count):
        for j in range(count):
            joint = volume[i] + volume[j]
            target[i, j] = -1
            if joint > volume[count - 1]:
                continue
            place = min(np.searchsorted(volume, joint), count - 1)
            target[i, j] = place - 1
            lower[i, j] = (volume[place] - joint) / (volume[place] - volume[place - 1])


@njit(cache=True)
def add_nuclei(rate: float, size: float, length: Array, volume: Array, change: Array) -> float:
    """Place nuclei of `size` [nm] on the two nearest bins, at `rate` [µM/s].

    Number and volume are kept. Returns the formula units that one nucleus holds.
    """
    place = min(max(np.searchsorted(length, size), 1), length.shape[0] - 1)
    units = volume[place - 1] * (size / length[place - 1]) ** 3
    units = min(max(units, volume[place - 1]), volume[place])
    part = (volume[place] - units) / (volume[place] - volume[place - 1])
    change[place - 1] += rate * part
    change[place] += rate * (1.0 - part)
    return float(units)


@njit(cache=True)
def amount_fed(time: float, times: Array, rates: Array) -> float:
    """Integral up to `time` of a piecewise linear feed, none before and after."""
    total = 0.0
    for i in range(times.shape[0] - 1):
        span = times[i + 1] - times[i]
        if time <= times[i] or span <= 0.0:
            continue
        part = min(time - times[i], span)
        slope = (rates[i + 1] - rates[i]) / span
        total += part * (rates[i] + 0.5 * slope * part)
    return total


@njit(cache=True)
def derivative(
    time: float,
    state: Array,
    edges: Array,
    length: Array,
    volume: Array,
    share: Array,
    target: Indices,
    lower: Array,
    nuclei: Array,
    k: Array,
    feed_times: Array,
    feed_rates: Array,
) -> Array:
    """Rates of change of bins [µM/s], monomer, agglomerates and precursor [mM/s].

    `nuclei` is the share of nuclei from agglomerates that each bin gets, shape (n,); `k` holds the
    constants in the order of `surrogate_sim.population.Rates.packed`. The state holds the monomer
    without what was fed, which is known: so the sum of all formula units stands still.
    """
    count = length.shape[0]
    out = np.zeros(count + 3)
    number = state[:count]
    monomer = state[count] + amount_fed(time, feed_times, feed_rates)
    agglomerate, precursor = state[count + 1], state[count + 2]
    speed, flux = np.empty(count + 1), np.empty(count + 1)
    for face in range(count + 1):
        solubility = k[1] * math.exp(min(k[2] / edges[face], 60.0))
        speed[face] = k[0] * (monomer - solubility) / (1.0 + edges[face] / k[3])
    growth_numbers(number, edges, speed, flux)
    bound = -flux[0] * volume[0]
    for face in range(1, count):
        bound -= flux[face] * (volume[face] - volume[face - 1])
    for i in range(count):
        out[i] = flux[i] - flux[i + 1]
    if k[4] > 0.0:
        coalesce(number, share, k[4], target, lower, out)
    taken_monomer, taken_agglomerate = 0.0, 0.0
    if k[5] > 0.0 and monomer > 1.0001 * k[1]:
        supersaturation = math.log(monomer / k[1])
        rate = k[5] * math.exp(-k[6] / supersaturation**2)
        size = max(k[7], k[8] * k[2] / supersaturation)
        if size < length[count - 1]:
            taken_monomer = rate * add_nuclei(rate, size, length, volume, out)
    if k[9] > 0.0 and agglomerate > 0.0:
        ripe = -math.expm1(-time / k[11]) if k[11] > 0.0 else 1.0
        rate = k[9] * agglomerate ** k[10] * ripe
        for i in range(count):
            out[i] += rate * nuclei[i]
            taken_agglomerate += rate * nuclei[i] * volume[i]
    release = k[12] * agglomerate * (1.0 - monomer / k[13]) if k[13] > 0.0 else 0.0
    fed = k[14] * precursor
    into_agglomerate = fed if k[13] > 0.0 else 0.0
    out[count] = fed - into_agglomerate + release + 1e-3 * (bound - taken_monomer)
    out[count + 1] = into_agglomerate - release - 1e-3 * taken_agglomerate
    out[count + 2] = -fed
    return out
