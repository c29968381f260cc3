"""What a microscope, a diffractometer and a photon counter find in one well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from surrogate_sim import larp, optics
from surrogate_sim.larp import Plate
from surrogate_sim.larp_ageing import Aged
from surrogate_sim.materials import HC, lattice
from surrogate_sim.parameters import TwinParameters

Array = NDArray[np.float64]
CS4_VOLUME = 0.471
"""Volume per lead in Cs4PbBr6 [nm3], R-3c (specification 2.1)."""
CS4_A, CS4_C = 1.373, 1.732
"""Hexagonal axes of Cs4PbBr6 [nm] (specification 2.1)."""
COPPER = 0.15406
"""Copper K-alpha 1 [nm]."""
_PRISM = 0.65
"""Volume of a hexagonal prism as high as wide over the cube of its width (3 sqrt(3)/8)."""


@dataclass(frozen=True)
class Grains:
    """Particles of one well.

    Attributes:
        edge: Edges of dots [nm], shape (k,).
        number: Share of the dots in each class, shape (k,); sums to one where there are dots.
        grain: Mean edge of Cs4PbBr6 grains [nm].
        per_dot: Grains per dot.
        phase: Share of lead that is in Cs4PbBr6.
    """

    edge: Array
    number: Array
    grain: float
    per_dot: float
    phase: float


def grains(plate: Plate, aged: Aged, index: int, p: TwinParameters) -> Grains:
    """Return the particles of well `index`."""
    c = p.own
    cell = float(lattice(constants=p.materials)) ** 3
    units = plate.dots.units[index]
    edge = np.cbrt(plate.dots.edge[index] ** 3 + aged.coarsening[index])
    solid = edge > 0.0
    volume = np.where(solid, edge, 1.0) ** 3
    number = np.where(solid, aged.free[index] * units * cell / volume, 0.0)
    dots = float(number.sum())
    lead = 0.25 * float(aged.converted[index]) * float(units.sum())
    large = lead * CS4_VOLUME / (_PRISM * c["grain_edge"] ** 3)
    kept = float((aged.free[index] + aged.enclosed[index] + aged.lost[index]) * units.sum())
    return Grains(
        edge,
        number / dots if dots > 0.0 else number,
        c["grain_edge"],
        large / dots if dots > 0.0 else np.inf,
        lead / (lead + kept) if lead + kept > 0.0 else 0.0,
    )


def bragg(spacing: ArrayLike) -> Array:
    """Angle 2 theta [deg] of a lattice spacing [nm] with copper radiation."""
    return np.asarray(2.0 * np.degrees(np.arcsin(COPPER / (2.0 * np.asarray(spacing, float)))))


def cubic_angles(c: Mapping[str, float]) -> Array:
    """Angles of CsPbBr3 (100), (110), (200), pseudo-cubic, shape (3,) [deg]."""
    a = float(lattice(constants=c))
    return bragg(a / np.sqrt([1.0, 2.0, 4.0]))


def hexagonal_angles() -> Array:
    """Angles of Cs4PbBr6 (110), (204), (223), shape (3,) [deg]."""
    plane, axial = np.array([3.0, 4.0, 12.0]), np.array([0.0, 16.0, 9.0])
    return bragg(1.0 / np.sqrt(4.0 / 3.0 * plane / CS4_A**2 + axial / CS4_C**2))


def decay_curve(plate: Plate, aged: Aged, index: int, time: Array, p: TwinParameters) -> Array:
    """Emission after a pulse of the dots of well `index`, 1 at time 0, shape of `time` [ns].

    Each class of dots decays with its own traps; classes weigh by absorption and radiative rate.
    """
    dots = larp.ensemble(plate, aged, index, p)
    m = p.materials
    share = optics.absorbed_share(dots, HC / larp.EXCITATION, m)
    lifetime = optics.radiative_lifetime(dots.edge, 0.0, 0.0, m)
    traps = larp.traps(plate, index, dots.edge, p)
    curves = [
        s / tau * optics.decay(time, float(n), float(tau), m)
        for s, tau, n in zip(share, lifetime, traps, strict=True)
    ]
    total = np.sum(curves, axis=0)
    return np.asarray(total / total[0] if total[0] > 0.0 else total)
