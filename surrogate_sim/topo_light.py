"""Absorption of the reacting liquid: dots, their higher transitions, agglomerates, precursor.

The shared optics give the first exciton and the continuum. A sphere's higher levels confine like
the first level of a smaller sphere (equal k: 1P at 4.493, 1D at 5.763 instead of pi), so their
energies need no further constant.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from surrogate_sim import optics
from surrogate_sim.materials import emission_energy, equivalent_edge, stokes_shift

Array = NDArray[np.float64]
_LN10 = math.log(10.0)
_FWHM = 2.0 * math.sqrt(2.0 * math.log(2.0))
HIGHER = (math.pi / 4.4934, math.pi / 5.7635)
"""Size of the sphere whose first level is as high as 1P and 1D of a sphere of size 1."""


def exciton_energy(
    diameter: Array, temperature: float, materials: Mapping[str, float], part: float = 1.0
) -> Array:
    """First exciton of spheres [eV]; with a `part` of `HIGHER`, a higher transition.

    Args:
        diameter: [nm]
        temperature: [K]
        materials: Constants of the materials.
        part: Size over that of the dot, for the confinement alone.
    """
    edge = equivalent_edge(diameter, "sphere")
    first = emission_energy(edge, 0.0, 0.0, temperature, materials) + stokes_shift(edge, materials)
    if part == 1.0:
        return np.asarray(first)
    rise = emission_energy(part * edge, constants=materials) - emission_energy(
        edge, constants=materials
    )
    return np.asarray(first + rise)


def coefficients(
    energy: Array,
    diameter: Array,
    temperature: float,
    own: Mapping[str, float],
    materials: Mapping[str, float],
) -> Array:
    """Intrinsic absorption coefficient of dots, shape (energies, diameters) [1/cm]."""
    first = exciton_energy(diameter, temperature, materials)
    edge = equivalent_edge(diameter, "sphere")
    width = optics.linewidth(edge, 0.0, 0.0, temperature, materials)
    shape = {**materials, "exciton_strength": own["exciton_strength"]}
    made = optics.absorption_coefficient(energy[:, None], first[None, :], shape, width)
    sigma = own["higher_width"] / _FWHM
    for part in HIGHER:
        centre = exciton_energy(diameter, temperature, materials, part)
        offset = (energy[:, None] - centre[None, :]) / sigma
        made = made * (1.0 + own["higher_strength"] * np.exp(-0.5 * offset**2))
    return np.asarray(made)


def solutes(energy: Array, own: Mapping[str, float]) -> tuple[Array, Array]:
    """Extinction of agglomerates and of precursor, each shape of `energy` [1/(mM cm)]."""

    def band(name: str) -> Array:
        offset = (energy - own[f"{name}_energy"]) / (own[f"{name}_width"] / _FWHM)
        return np.asarray(1e-3 * own[f"{name}_extinction"] * np.exp(-0.5 * offset**2))

    return band("agglomerate"), band("precursor")


def absorbance(
    energy: Array,
    diameter: Array,
    bound: Array,
    agglomerate: Array,
    precursor: Array,
    temperature: float,
    path: float,
    own: Mapping[str, float],
    materials: Mapping[str, float],
) -> Array:
    """Decadic absorbance at each time, shape (t, energies).

    Args:
        energy: Photon energies, shape (m,) [eV].
        diameter: Of the bins, shape (n,) [nm].
        bound: Formula units in each bin, shape (t, n) [mM].
        agglomerate: Shape (t,) [mM].
        precursor: Lead bromide not yet converted, shape (t,) [mM].
        temperature: [K]
        path: [mm]
        own: Constants of the twin.
        materials: Constants of the materials.
    """
    cell = materials["lattice_bromide"] ** 3
    solid = coefficients(energy, diameter, temperature, own, materials)
    filled = bound * (1e-3 * optics.AVOGADRO * cell)
    cluster, lead = solutes(energy, own)
    natural = filled @ solid.T / _LN10
    return np.asarray(
        0.1 * path * (natural + agglomerate[:, None] * cluster + precursor[:, None] * lead)
    )
