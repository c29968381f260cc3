"""What becomes of dots in a well: conversion to Cs4PbBr6, coarsening and collapse.

Arrays are over wells, shape (n,), times [s]. Formula units are kept: of the caesium lead bromide
that formed, shares are free dots, dots enclosed in Cs4PbBr6, Cs4PbBr6 itself, and lost solid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surrogate_sim.equilibria import solve
from surrogate_sim.larp_chemistry import (
    SYSTEM,
    Solution,
    Wells,
    constants,
    mixture_totals,
    speciate,
)

Array = NDArray[np.float64]
Constants = Mapping[str, float]
AVRAMI = 4.0
"""Exponent of the loss: continuous nucleation in three dimensions (Avrami 1939)."""
_BISECTIONS = 22
# CsPbBr3 -> 1/4 Cs4PbBr6 + 3/4 PbBr2: what goes back into solution per formula unit.
_RELEASED = np.array([0.0, 0.0, 0.0, 0.75, 1.5, 0.0])


@dataclass(frozen=True)
class Settled:
    """A well after growth; every field has shape (n,).

    Attributes:
        units: CsPbBr3 formed [M].
        solution: What is left around the dots.
        converted: Share of the units that is Cs4PbBr6 at equilibrium.
    """

    units: Array
    solution: Solution
    converted: Array


@dataclass(frozen=True)
class Aged:
    """Shares of the units at one age, and what changed; shape (n,), or (ages, n) at several.

    Attributes:
        free: Dots in solution.
        enclosed: Dots inside Cs4PbBr6.
        converted: Cs4PbBr6, as the CsPbBr3 it was made from.
        lost: Solid that does not emit.
        coarsening: Growth of the cube of the edge [nm3].
    """

    free: Array
    enclosed: Array
    converted: Array
    lost: Array
    coarsening: Array


def settle(wells: Wells, units: Array, c: Constants) -> Settled:
    """Return the mixed wells with `units` [M] of CsPbBr3 formed, and their equilibrium phase."""
    left = mixture_totals(wells, wells.share, units)
    solution = speciate(wells, wells.share, left, c)
    return Settled(units, solution, equilibrium_conversion(wells, units, c))


def equilibrium_conversion(wells: Wells, units: Array, c: Constants) -> Array:
    """Share of CsPbBr3 that is Cs4PbBr6 at equilibrium, by bisection.

    4 CsPbBr3 = Cs4PbBr6 + 3 PbBr2 goes on until free PbBr2 reaches K_T^(1/3); amines that bind
    lead keep it below.
    """
    level = 10.0 ** (c["log_transformation"] / 3.0)
    low, high = np.zeros_like(units), np.ones_like(units)
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        goes_on = _free_lead_bromide(wells, units, middle, c) < level
        low, high = np.where(goes_on, middle, low), np.where(goes_on, high, middle)
    return 0.5 * (low + high)


def _free_lead_bromide(wells: Wells, units: Array, share: Array, c: Constants) -> Array:
    totals = mixture_totals(wells, wells.share, units)
    totals = totals + (units * share)[:, None] * _RELEASED
    found = solve(SYSTEM, constants(wells, c), totals)
    return np.asarray(found[:, SYSTEM.index("lead_bromide_2")])


def age(settled: Settled, seconds: Array, c: Constants) -> Aged:
    """Return the shares at ages `seconds`, of a shape that broadcasts with (n,).

    Conversion: dphi/dt = k_T [B]^2 (phi_eq - phi). A dot that survives is enclosed in a grain
    with probability phi, and its outer part converts as well. Loss: Avrami with rate
    k_d exp(-coverage / coverage_scale); enclosed dots are safe. Coarsening:
    d<L^3>/dt = k_r s (1 - coverage)^2 with s the saturation (Lifshitz and Slyozov 1961, slowed by
    ligands).
    """
    t = np.asarray(seconds, float)
    solution = settled.solution
    rate = c["transformation_rate"] * solution.amine**2
    phi = settled.converted * -np.expm1(-rate * t)
    loss = c["collapse_rate"] * np.exp(-solution.coverage / c["collapse_coverage"])
    gone = -np.expm1(-((loss * t) ** AVRAMI))
    coarse = c["coarsening_rate"] * solution.saturation * (1.0 - solution.coverage) ** 2 * t
    left, kept = 1.0 - phi, c["enclosed_shrinkage"] ** 3
    shells = left * phi * (1.0 - kept)
    free = left * left
    return Aged(free * (1.0 - gone), left * phi * kept, phi + shells, free * gone, coarse)


def solution_totals(wells: Wells, settled: Settled, aged: Aged) -> Array:
    """Totals left in solution, shape (n, 6) [M]; with the solids they are what was put in."""
    totals = mixture_totals(wells, wells.share, settled.units)
    return np.asarray(totals + (settled.units * aged.converted)[:, None] * _RELEASED)
