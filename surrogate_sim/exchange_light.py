"""Light of nanocrystals during exchange: through the microscope's filters and in a cuvette.

Edges [nm] are those of the bromide with the same number of formula units; the crystal grows with
its lattice as iodide comes in. Energies [eV].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from surrogate_sim import materials, optics

Array = NDArray[np.float64]
Constants = Mapping[str, float]
_FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))
RED_FILTER = (590.0, 649.0)
"""Emission window of the filter set Chroma 49005 [nm] (seed 003, Experimental section)."""
RED_EXCITATION = 544.0
"""Middle of that set's excitation window, 530 to 558 nm (seed 003)."""


def grown_edge(edge: ArrayLike, iodide: ArrayLike, c: Constants) -> Array:
    """Edge [nm] of a crystal whose bromide would have `edge`: it scales with the lattice."""
    ratio = materials.lattice(0.0, iodide, c) / materials.lattice(0.0, 0.0, c)
    return np.asarray(np.asarray(edge, float) * ratio)


@dataclass(frozen=True)
class DotLight:
    """Emission energy, standard deviation of the line [eV] and quantum yield, any one shape."""

    energy: Array
    sigma: Array
    quantum_yield: Array
    edge: Array


def dot_light(edge: ArrayLike, iodide: ArrayLike, own: Constants, c: Constants) -> DotLight:
    """Return the light of dots; `edge` and `iodide` broadcast."""
    x = np.clip(np.asarray(iodide, float), 0.0, 1.0)
    size = grown_edge(edge, x, c)
    none = np.zeros_like(size)
    energy = materials.emission_energy(size, none, x, constants=c)
    width = optics.linewidth(size, none, x, materials.ROOM, c)
    traps = optics.mean_traps(size, own["trap_density"], c)
    lifetime = optics.radiative_lifetime(size, none, x, c)
    return DotLight(
        np.asarray(energy),
        np.asarray(width) / _FWHM,
        optics.quantum_yield(traps, lifetime, materials.ROOM, c),
        size,
    )


def filtered_brightness(edge: ArrayLike, iodide: ArrayLike, own: Constants, c: Constants) -> Array:
    """Light of one dot through the red filter set, arbitrary units; `edge` and `iodide` broadcast.

    Absorption cross-section at the excitation, quantum yield, and the share of the emission line
    between the filter's edges.
    """
    light = dot_light(edge, iodide, own, c)
    low, high = materials.HC / RED_FILTER[1], materials.HC / RED_FILTER[0]
    window = ndtr((high - light.energy) / light.sigma) - ndtr((low - light.energy) / light.sigma)
    exciton = light.energy + materials.stokes_shift(light.edge, c)
    coefficient = optics.absorption_coefficient(materials.HC / RED_EXCITATION, exciton, c)
    return np.asarray(window * light.quantum_yield * coefficient * light.edge**3 * 1e-8)


def brightness_over(edge: Array, iodide: Array, own: Constants, c: Constants) -> Array:
    """`filtered_brightness` of each dot along its course, shape (n, t), by interpolation.

    Args:
        edge: Shape (n,).
        iodide: Shape (n, t).
        own: Constants of the twin.
        c: Constants of the materials.
    """
    knots = 160
    grid = np.linspace(0.0, 1.0, knots + 1)
    table = filtered_brightness(edge[:, None], grid[None, :], own, c)
    place = np.clip(iodide, 0.0, 1.0) * knots
    left = np.minimum(place.astype(np.int64), knots - 1)
    rows = np.arange(len(edge))[:, None]
    share = place - left
    return np.asarray(table[rows, left] * (1.0 - share) + table[rows, left + 1] * share)


def spectrum(
    wavelength: Array,
    excitation: float,
    edge: Array,
    iodide: Array,
    amount: Array,
    own: Constants,
    c: Constants,
) -> Array:
    """Photons per nm that a thin cuvette emits at one wavelength each, shape (m,).

    The sample may change while it is scanned, so every wavelength has its own state.

    Args:
        wavelength: Shape (m,) [nm].
        excitation: Wavelength of the excitation [nm].
        edge: Shape (m, n), bromide edges [nm].
        iodide: Shape (m, n).
        amount: Shape (m, n), formula units [umol/L].
        own: Constants of the twin.
        c: Constants of the materials.
    """
    light = dot_light(edge, iodide, own, c)
    exciton = light.energy + materials.stokes_shift(light.edge, c)
    coefficient = optics.absorption_coefficient(materials.HC / excitation, exciton, c)
    cell = np.asarray(materials.lattice(0.0, np.clip(iodide, 0.0, 1.0), c)) ** 3
    absorbed = amount * 1e-6 * optics.AVOGADRO * cell * coefficient  # natural, per cm
    energy = (materials.HC / wavelength)[:, None]
    bell = np.exp(-0.5 * ((energy - light.energy) / light.sigma) ** 2)
    line = bell / (light.sigma * np.sqrt(2.0 * np.pi)) * materials.HC / wavelength[:, None] ** 2
    return np.asarray((absorbed * light.quantum_yield * line).sum(axis=1))
