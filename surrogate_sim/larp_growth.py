"""Growth of CsPbBr3 dots while a jet of precursor mixes into an antisolvent.

Packets of precursor engulf the antisolvent around them (Baldyga and Bourne 1989, Chem. Eng. J.
42, 83): a packet's share of its volume falls from one to the well's as exp(-t / t_mix). A packet
that mixes faster nucleates more dots, and so does one in which nuclei grow slower and take less of
the supply: N ~ (t_mix G)^-m (LaMer; Sugimoto 2007, J. Colloid Interface Sci. 309, 106; physics
specification 3.5). t_mix is spread log-normally over the packets of a well. Dots grow from the
solution around them at a rate that does not depend on their size, until ligands on their surface
arrest them or the solution is saturated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surrogate_sim.larp_chemistry import UNIT, Wells, locked_totals, mixture_totals, speciate

Array = NDArray[np.float64]
Constants = Mapping[str, float]
AVOGADRO = 0.602214076
"""Formula units per nm3 in 1 M (exact)."""
SHARES = 9
EXTENTS = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 0.95])
"""Consumed shares of the scarcest ion at which the solution is tabulated."""
STEPS = 120
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(7)
PACKETS = len(_NODES)
_FIRST_SHARE = 0.97
_SLOWEST = 1e-6
"""Least excess of the driving concentration [M] for the number of nuclei."""
_LONGEST = 12.0
"""End of the integration in units of the slowest of mixing and arrest."""


@dataclass(frozen=True)
class Dots:
    """What a well holds when growth has ended; shapes (n, packets).

    Attributes:
        units: CsPbBr3 formula units per volume of well [M].
        edge: Edge [nm].
    """

    units: Array
    edge: Array


@dataclass(frozen=True)
class _Table:
    """Logarithms of driving and saturation, and coverage: (n, shares, extents), (n, shares)."""

    driving: Array
    saturation: Array
    coverage: Array
    scarce: Array


def scarcest(totals: Array) -> Array:
    """Formula units that totals, shape (n, 6), suffice for [M]: caesium, lead or bromide/3."""
    return np.asarray(np.minimum(np.minimum(totals[:, 3], totals[:, 5]), totals[:, 4] / 3.0))


def _table(wells: Wells, c: Constants) -> _Table:
    n = len(wells.share)
    grid = np.exp(np.linspace(0.0, 1.0, SHARES)[None, :] * np.log(wells.share)[:, None])
    grid[:, 0] = _FIRST_SHARE
    many = wells.take(np.repeat(np.arange(n), SHARES * len(EXTENTS)))
    share = np.repeat(grid.ravel(), len(EXTENTS))
    locked = np.repeat(locked_totals(wells, c), SHARES * len(EXTENTS), axis=0)
    # Without amine the trace that stands for it would leave a rounding error below zero.
    free = np.maximum(mixture_totals(many, share) - share[:, None] * locked, 0.0)
    scarce = scarcest(free)
    taken = (np.tile(EXTENTS, n * SHARES) * scarce)[:, None] * UNIT
    found = speciate(many, share, free - taken, c)
    shape = (n, SHARES, len(EXTENTS))
    return _Table(
        np.log(found.driving).reshape(shape),
        np.log(found.saturation).reshape(shape)[:, :, 0],
        found.coverage.reshape(shape)[:, :, 0],
        scarce.reshape(shape)[:, :, 0],
    )


def grow(wells: Wells, spread: Array, c: Constants, cell: float) -> Dots:
    """Return the dots of each well.

    Args:
        wells: What meets.
        spread: Standard deviation of ln t_mix between a well's packets, shape (n,).
        c: Constants of `data/larp_plate.toml`.
        cell: Volume of a formula unit [nm3].
    """
    slowness = np.exp(spread[:, None] * _NODES[None, :])
    weight = _WEIGHTS / _WEIGHTS.sum()
    table = _table(wells, c)
    fastest = np.exp(table.driving[:, :, 0]) - np.exp(table.saturation)
    # Nuclei share the supply with those that grow: N ~ (supply / growth)^m.
    growth = np.maximum(fastest.max(axis=1), _SLOWEST) / c["driving_reference"]
    mixing = wells.mixing[:, None] * slowness
    number = (mixing / c["mixing_reference"] * growth[:, None]) ** -c["nucleation_exponent"]
    number *= c["dots_per_precursor"] * 1e-6 * AVOGADRO
    packets = _Packets(table, wells.share, mixing, number, cell, c)
    edge = packets.integrate()
    units = number * edge**3 / (cell * AVOGADRO)
    return Dots(units * wells.share[:, None] * weight[None, :], edge)


def coalesce(dots: Dots, carbons: Array, c: Constants, cell: float) -> Dots:
    """Return the dots after those that meet have fused, before ligands have settled on them.

    Smoluchowski: mass per dot grows by 1 + K N t / 2, where each partner lowers K by
    exp(-n_C / n_0), the steric barrier of its shell of acid and amine (short chains fuse: S002,
    figure S9).

    Args:
        dots: After growth.
        carbons: Chain length, shape (n,).
        c: Constants of `data/larp_plate.toml`.
        cell: Volume of a formula unit [nm3].
    """
    solid = dots.edge > 0.0
    number = np.where(solid, dots.units * cell / np.where(solid, dots.edge, 1.0) ** 3, 0.0)
    barrier = np.exp(-2.0 * carbons / c["steric_carbons"])
    met = 0.5 * c["coalescence_rate"] * c["coalescence_time"] * number.sum(axis=1)
    return Dots(dots.units, dots.edge * np.cbrt(1.0 + barrier * met)[:, None])


class _Packets:
    """Growth in the packets, per volume of precursor; every state is (n, packets)."""

    def __init__(
        self,
        table: _Table,
        share: Array,
        mixing: Array,
        number: Array,
        cell: float,
        c: Constants,
    ) -> None:
        self._table, self._share, self._mixing, self._c = table, share[:, None], mixing, c
        self._units = number / (cell * AVOGADRO)
        self._rows = np.arange(len(share))[:, None]

    def integrate(self) -> Array:
        """Edge [nm] at the end, midpoint rule; steps are short at first (t = end u^3)."""
        c = self._c
        slowest = np.maximum(self._mixing, 1.0 / c["arrest_rate"])
        end = _LONGEST * slowest
        y = np.zeros((2, *self._mixing.shape))
        h = 1.0 / STEPS
        for i in range(STEPS):
            u = i * h
            half = y + 0.5 * h * self._rates(u, y, end)
            y = y + h * self._rates(u + 0.5 * h, half, end)
        return np.asarray(y[0])

    def _rates(self, u: float, y: Array, end: Array) -> Array:
        """Change of edge and arrest with u."""
        c = self._c
        share = self._share + (1.0 - self._share) * np.exp(-end * u**3 / self._mixing)
        driving, saturation, coverage = self._at(share, self._units * y[0] ** 3 * share)
        growth = c["growth_rate"] * np.maximum(driving - saturation, 0.0) * np.exp(-y[1])
        return np.stack([growth, c["arrest_rate"] * coverage]) * (3.0 * u**2 * end)

    def _at(self, share: Array, consumed: Array) -> tuple[Array, Array, Array]:
        """Driving concentration, saturation and coverage, bilinear in ln share and extent."""
        t, row = self._table, self._rows
        position = np.clip(np.log(share) / np.log(self._share), 0.0, 1.0) * (SHARES - 1)
        i = np.minimum(position.astype(int), SHARES - 2)
        w = position - i

        def between(values: Array) -> Array:
            return np.asarray(values[row, i] * (1.0 - w) + values[row, i + 1] * w)

        extent = np.clip(consumed / between(t.scarce), 0.0, 1.0)
        j = np.clip(np.searchsorted(EXTENTS, extent) - 1, 0, len(EXTENTS) - 2)
        v = (np.minimum(extent, EXTENTS[-1]) - EXTENTS[j]) / (EXTENTS[j + 1] - EXTENTS[j])
        d = t.driving
        low = (1.0 - v) * d[row, i, j] + v * d[row, i, j + 1]
        high = (1.0 - v) * d[row, i + 1, j] + v * d[row, i + 1, j + 1]
        # Beyond the table the scarcest ion runs out.
        left = np.sqrt(np.clip((1.0 - extent) / (1.0 - EXTENTS[-1]), 0.0, 1.0))
        driving = np.exp((1.0 - w) * low + w * high) * left
        return driving, np.exp(between(t.saturation)), between(t.coverage)
