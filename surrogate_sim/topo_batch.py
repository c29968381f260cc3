"""One TOPO/PbBr2 reaction over time: sizes, numbers, reservoirs, assembly. Sizes are diameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from surrogate_sim import magic_sizes, population
from surrogate_sim.assembly import Assembly, assemble
from surrogate_sim.parameters import TwinParameters
from surrogate_sim.topo_chemistry import (
    LEAD_PER_CAESIUM,
    SPHERE,
    Charge,
    rates,
    solute_fraction,
)

Array = NDArray[np.float64]
_BINS = 130
_GRID = (0.9, 150.0)
_KNOTS = 160
_FIRST = 0.02


@dataclass(frozen=True)
class Contents:
    """What is in the vessel at each time; formula units [mM].

    Attributes:
        time: Shape (t,) [s].
        diameter: Of the bins, shape (n,) [nm].
        number: Shape (t, n), dots per bin [µM].
        bound: Shape (t, n), formula units in the dots of each bin.
        monomer: Shape (t,).
        agglomerate: Shape (t,).
        lead_bromide: Shape (t,), not yet converted.
        caesium_ligand: Shape (t,), not yet converted.
        lead_ligand: Shape (t,).
    """

    time: Array
    diameter: Array
    number: Array
    bound: Array
    monomer: Array
    agglomerate: Array
    lead_bromide: Array
    caesium_ligand: Array
    lead_ligand: Array

    @property
    def total(self) -> Array:
        """Dots, shape (t,) [µM]."""
        return np.asarray(self.number.sum(axis=1))

    @property
    def mean(self) -> Array:
        """Mean diameter by number, shape (t,) [nm]; NaN without dots."""
        return self._moment(1.0)

    @property
    def deviation(self) -> Array:
        """Standard deviation of the diameter, shape (t,) [nm]."""
        return np.asarray(np.sqrt(np.maximum(self._moment(2.0) - self._moment(1.0) ** 2, 0.0)))

    def _moment(self, order: float) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = self.number @ self.diameter**order / self.total
        return np.where(self.total > 1e-6, mean, np.nan)

    def elements(self) -> dict[str, Array]:
        """Caesium, lead and bromide in all species, each of shape (t,) [mM]."""
        product = self.bound.sum(axis=1) + self.monomer + self.agglomerate
        return {
            "caesium": product + self.caesium_ligand,
            "lead": product + self.lead_bromide + self.lead_ligand,
            "bromide": 3.0 * product + 2.0 * self.lead_bromide,
        }


class Reaction:
    """A reaction from the moment of injection up to `until` [s], to be read at any time.

    Args:
        charge: What is in the vessel.
        parameters: Constants of the laboratory.
        until: End [s].
    """

    def __init__(self, charge: Charge, parameters: TwinParameters, until: float) -> None:
        self.charge, self.parameters, self.until = charge, parameters, until
        knots = np.concatenate([[0.0], np.geomspace(_FIRST, max(until, 0.1), _KNOTS)])
        self._free = _contents(charge, parameters, knots)
        self.assembly: Assembly = _assembly(self._free, charge, parameters)

    def at(self, times: Array) -> Contents:
        """Contents at `times`, shape (t,) [s]: dots at rest in a stack do not grow."""
        slowed = np.interp(times, self._free.time, self.assembly.slowed)
        return _between(self._free, slowed, times)

    def arrangement(self, times: Array) -> dict[str, Array]:
        """Assembled and crystalline shares, spacing [nm] and dots in a stack, shape (t,) each."""
        names = ("assembled", "crystalline", "spacing", "stacked")
        known = self._free.time
        return {n: np.interp(times, known, getattr(self.assembly, n)) for n in names}


def _contents(charge: Charge, parameters: TwinParameters, times: Array) -> Contents:
    if magic_sizes.applies(charge, parameters.own):
        return _ladder(charge, parameters, times)
    made = react(charge, parameters, times)
    bound = made.number * made.grid.volume * 1e-3
    return _filled(
        charge, times, made.grid.length, np.maximum(made.number, 0.0), bound,
        made.monomer, made.agglomerate,
    )  # fmt: skip


def _ladder(charge: Charge, parameters: TwinParameters, times: Array) -> Contents:
    made = magic_sizes.climb(charge, times, parameters.own, parameters.materials)
    bound = made.number * made.units * 1e-3
    return _filled(
        charge, times, made.diameter, made.number, bound, made.monomer, np.zeros_like(times)
    )


def _filled(
    charge: Charge, times: Array, diameter: Array, number: Array, bound: Array,
    monomer: Array, agglomerate: Array,
) -> Contents:  # fmt: skip
    """Add what is left of the precursors, by the stoichiometry of what has formed."""
    product = bound.sum(axis=1) + monomer + agglomerate
    return Contents(
        times, diameter, number, bound, monomer, agglomerate,
        lead_bromide=charge.lead - LEAD_PER_CAESIUM * product,
        caesium_ligand=charge.caesium - product,
        lead_ligand=0.5 * product,
    )  # fmt: skip


def _between(known: Contents, times: Array, shown: Array) -> Contents:
    """Interpolate every quantity linearly in time, which keeps all sums."""
    at = np.clip(np.searchsorted(known.time, times), 1, len(known.time) - 1)
    step = known.time[at] - known.time[at - 1]
    part = np.clip((times - known.time[at - 1]) / step, 0.0, 1.0)

    def mixed(values: Array) -> Array:
        weight = part if values.ndim == 1 else part[:, None]
        return np.asarray(values[at - 1] + weight * (values[at] - values[at - 1]))

    return Contents(
        shown, known.diameter, mixed(known.number), mixed(known.bound), mixed(known.monomer),
        mixed(known.agglomerate), mixed(known.lead_bromide), mixed(known.caesium_ligand),
        mixed(known.lead_ligand),
    )  # fmt: skip


def _assembly(free: Contents, charge: Charge, parameters: TwinParameters) -> Assembly:
    number = free.total if charge.ligand == "dopa" else np.zeros_like(free.time)
    size = free.mean if charge.ligand == "dopa" else np.zeros_like(free.time)
    return assemble(free.time, size, free.deviation, number, charge.temperature, parameters.own)


def react(charge: Charge, parameters: TwinParameters, times: Array) -> population.Course:
    """Run the population balance from the moment of injection.

    Args:
        charge: What is in the vessel.
        parameters: Constants of the laboratory.
        times: Shape (t,), rising, from 0 on [s].
    """
    share = solute_fraction(charge, parameters.own)
    stock = population.Stock(np.zeros(_BINS), precursor=share * charge.caesium)
    constants = rates(charge, parameters.own, parameters.materials)
    grid = _grid(parameters.materials["lattice_bromide"])
    return population.solve(grid, constants, stock, times, tolerance=1e-5)


@lru_cache(maxsize=8)
def _grid(cell: float) -> population.Grid:
    return population.geometric_grid(*_GRID, _BINS, SPHERE, cell**3)
