"""Dots at a liquid-liquid interface: nucleation, seeds, and growth of a size distribution.

The distribution is carried by its quantiles: classes of equally many dots whose volumes move
along the characteristics of the population balance, which is exact for growth without births.
Volumes [nm3], edges [nm], times [s], amounts in formula units, diffusion as D c in units per
nm and second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import gammaincinv

Array = NDArray[np.float64]
LEAST_OPEN = 0.02
"""Share of a crowded layer that stays open: dots of uneven shape never tile it (assumed)."""
SMALLEST = 1.0
"""Volume below which a dot has dissolved [nm3]: five formula units, less than a cluster."""
CELL_SHAPE = 3.5
"""Shape of the gamma distribution of Poisson-Voronoi cells."""
_STEP = 0.04  # most that a class may change its volume in one step, relative
_LONGEST = 2.0  # s, longest step


@dataclass(frozen=True)
class Kinetics:
    """Constants of uptake and supply.

    Attributes:
        lead: D c of lead in the pipette [1/(nm s)].
        caesium: D c of caesium [1/(nm s)].
        product: Solubility product of large crystals, times both D, in the units of
            `lead` times `caesium`.
        capillary_length: 4 gamma V_m / RT, so that the ion product in equilibrium with a cube
            of edge L is `product` exp(capillary_length / L) [nm].
        exchange: Uptake coefficient: a dot of edge L gains exchange L (S - exp(./L)) [nm2/s].
        geometric: Diffusion resistance of the tip [1/nm].
        interfacial: Resistance of the bare interface [1/nm].
        area: Of the interface that the dots lie on [nm2].
        layer_share: Share of the interfacial resistance that lies in the dots' own layer, where
            only the gaps between them are open.
        unit_volume: Volume of a formula unit [nm3].
        own_share: Share of the supply that a dot takes from its own cell of the interface; the
            rest is shared by all through a common monomer.
    """

    lead: float
    caesium: float
    product: float
    capillary_length: float
    exchange: float
    geometric: float
    interfacial: float
    area: float
    layer_share: float
    unit_volume: float
    own_share: float


@dataclass(frozen=True)
class Growth:
    """A distribution over time.

    Attributes:
        time: Shape (t,) [s].
        volume: Shape (t, n), volume of a dot of each class [nm3]; 0 where it has dissolved.
        number: Shape (n,), dots in each class.
        taken: Shape (t,), formula units that crossed the interface since the seeds.
    """

    time: Array
    volume: Array
    number: Array
    taken: Array


def nucleated_share(saturation: float, barrier: float, prefactor: float) -> float:
    """Share of the interface's sites that nucleate, 1 - exp(-y).

    Classical nucleation, ln y = prefactor - barrier / ln2(S), on a finite number of sites:
    plenty of supersaturation fills them all, little fills none.

    Args:
        saturation: ln S of the ion product where bromide meets the cations.
        barrier: 16 pi gamma3 v2 / 3 (kT)3, dimensionless.
        prefactor: ln of the attempts per site during stage 0.
    """
    if saturation <= 0.0:
        return 0.0
    return float(-np.expm1(-np.exp(prefactor - barrier / saturation**2)))


def cell_areas(classes: int) -> Array:
    """Quantiles of the cells of randomly placed dots over their mean, shape (classes,).

    The areas of a planar Poisson-Voronoi tessellation are gamma distributed with shape 7/2
    (Ferenc and Neda 2007, Physica A 385, 518); relative standard deviation 0.53.
    """
    levels = (np.arange(classes) + 0.5) / classes
    area = gammaincinv(CELL_SHAPE, levels)
    return np.asarray(area / area.mean())


def grow(volume: Array, number: Array, area: Array, times: Array, kinetics: Kinetics) -> Growth:
    """Follow the seeds `volume` [nm3] to `times`, shape (t,), increasing from 0 [s].

    Of what crosses the interface, a dot takes `own_share` by its own cell, of relative `area`;
    the rest by exchange L (S - exp(alpha / L)): uptake proportional to L, as from a film of
    monomer, less its Gibbs-Thomson solubility. S is the ion product at the interface, in
    quasi-steady balance with what the two cations deliver through tip, interface and the gaps
    between the dots.
    What dissolves is taken up by the others, so the total is what crossed the interface.
    """
    k = kinetics
    constants = np.array(
        [
            k.lead,
            k.caesium,
            k.product,
            k.capillary_length,
            k.exchange,
            k.geometric,
            k.interfacial,
            k.unit_volume,
            k.own_share,
            k.area,
            k.layer_share,
        ]
    )
    volumes, taken = _march(volume, number, area, times, constants)
    return Growth(times, volumes, number, taken)


@njit(cache=True)
def _supply(
    edge: Array, number: Array, k: Array
) -> tuple[float, float]:  # pragma: no cover - compiled
    """Return ion product over the product of large crystals, and units per second."""
    lead, caesium, product, alpha = k[0], k[1], k[2], k[3]
    gain = 0.0
    loss = 0.0
    covered = 0.0
    for i in range(edge.size):
        if edge[i] > 0.0:
            gain += number[i] * edge[i]
            loss += number[i] * edge[i] * np.exp(alpha / edge[i])
            covered += number[i] * edge[i] ** 2
    gain *= k[4] / (k[7] * product)
    loss *= k[4] / k[7]
    gaps = max(1.0 - covered / k[9], LEAST_OPEN)
    resistance = k[5] + k[6] * (1.0 - k[10] + k[10] / gaps)
    # gain (lead - J R)(caesium - J R) - loss - (1 - own) J = 0, its smaller root
    a = gain * resistance**2
    b = gain * resistance * (lead + caesium) + 1.0 - k[8]
    c = gain * lead * caesium - loss
    if gain <= 0.0:
        return 0.0, 0.0
    rate = 2.0 * c / (b + np.sqrt(max(b * b - 4.0 * a * c, 0.0)))
    ions = (lead - rate * resistance) * (caesium - rate * resistance)
    return ions / product, rate


@njit(cache=True)
def _speed(
    volume: Array, number: Array, area: Array, k: Array, out: Array
) -> float:  # pragma: no cover - compiled
    """Fill `out` with dV/dt [nm3/s]; return units per second."""
    edge = np.cbrt(volume)
    saturation, rate = _supply(edge, number, k)
    alive = 0.0
    for i in range(edge.size):
        if edge[i] > 0.0:
            alive += number[i] * area[i]
    own = k[8] * rate * k[7] / alive if alive > 0.0 else 0.0
    for i in range(edge.size):
        out[i] = 0.0
        if edge[i] > 0.0:
            out[i] = k[4] * edge[i] * (saturation - np.exp(k[3] / edge[i])) + own * area[i]
    return rate


@njit(cache=True)
def _march(
    seeds: Array, number: Array, area: Array, times: Array, k: Array
) -> tuple[Array, Array]:  # pragma: no cover - compiled
    """Heun steps, as long as no class changes by more than `_STEP`."""
    n = seeds.size
    volume = seeds.copy()
    first, second = np.zeros(n), np.zeros(n)
    stored, taken = np.zeros((times.size, n)), np.zeros(times.size)
    now, total = 0.0, 0.0
    for frame in range(times.size):
        while now < times[frame]:
            rate = _speed(volume, number, area, k, first)
            step = min(_LONGEST, times[frame] - now)
            for i in range(n):
                if volume[i] > 0.0 and first[i] != 0.0:
                    step = min(step, _STEP * max(volume[i], SMALLEST) / abs(first[i]))
            trial = np.maximum(volume + step * first, 0.5 * volume)
            later = _speed(trial, number, area, k, second)
            before = np.sum(volume * number)
            volume = volume + 0.5 * step * (first + second)
            _dissolve(volume, number)
            _close(volume, number, before + 0.5 * step * (rate + later) * k[7])
            total += (np.sum(volume * number) - before) / k[7]
            now = now + step if times[frame] - now - step > 1e-12 else times[frame]
        stored[frame] = volume
        taken[frame] = total
    return stored, taken


@njit(cache=True)
def _dissolve(volume: Array, number: Array) -> None:  # pragma: no cover - compiled
    for i in range(volume.size):
        if volume[i] < SMALLEST:
            volume[i] = 0.0


@njit(cache=True)
def _close(volume: Array, number: Array, owed: float) -> None:  # pragma: no cover - compiled
    """Share what dissolved dots left among the living, in proportion to their edges."""
    edge = np.cbrt(volume)
    weight = np.sum(edge * number)
    if weight > 0.0:
        missing = owed - np.sum(volume * number)
        for i in range(volume.size):
            volume[i] += missing * edge[i] / weight
