"""Size, composition and energy of caesium lead halide dots.

Sizes are cube edges [nm], energies [eV], wavelengths [nm], temperatures [K]. `chloride` and
`iodide` are mole fractions of the halide; bromide is the rest.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from surrogate_sim.parameters import nominal

HC = 1239.841984
"""Planck constant times speed of light [eV nm] (CODATA 2018)."""
BOLTZMANN = 8.617333e-5
"""Boltzmann constant [eV/K] (CODATA 2018)."""
ROOM = 298.15
"""Temperature of the tabulated energies [K]."""
SPHERE_TO_CUBE = np.sqrt(3.0) / 2.0
"""Edge of the cube that confines like a sphere of unit diameter (equal lowest k^2)."""
_SHAPES = ("cube", "sphere")
Array = NDArray[np.float64]
Constants = Mapping[str, float]


class MiscibilityError(ValueError):
    """Chloride and iodide in one crystal: a miscibility gap."""


def _constants(constants: Constants | None) -> Constants:
    return nominal().materials if constants is None else constants


def check_halides(chloride: ArrayLike, iodide: ArrayLike) -> tuple[Array, Array]:
    """Return both fractions as arrays.

    Raises:
        MiscibilityError: chloride and iodide share a crystal.
        ValueError: a fraction outside 0 to 1.
    """
    x_cl, x_i = np.asarray(chloride, float), np.asarray(iodide, float)
    if np.any((x_cl < 0) | (x_cl > 1) | (x_i < 0) | (x_i > 1)):
        raise ValueError(
            f"halide fractions must lie in 0 to 1, but got chloride {chloride!r} and iodide "
            f"{iodide!r}; give mole fractions"
        )
    if np.any((x_cl > 0) & (x_i > 0)):
        raise MiscibilityError(
            "chloride and iodide do not mix in one crystal, but got chloride "
            f"{chloride!r} with iodide {iodide!r}; exchange with one of them only"
        )
    return x_cl, x_i


def _vegard(name: str, chloride: Array, iodide: Array, c: Constants) -> Array:
    """Interpolate a constant of the three halides linearly."""
    bromide = c[f"{name}_bromide"]
    return np.asarray(
        bromide
        + chloride * (c[f"{name}_chloride"] - bromide)
        + iodide * (c[f"{name}_iodide"] - bromide)
    )


def lattice(
    chloride: ArrayLike = 0.0, iodide: ArrayLike = 0.0, constants: Constants | None = None
) -> Array:
    """Pseudo-cubic lattice constant [nm], linear in composition (Vegard)."""
    x_cl, x_i = check_halides(chloride, iodide)
    return _vegard("lattice", x_cl, x_i, _constants(constants))


def edge_energy(
    chloride: ArrayLike = 0.0, iodide: ArrayLike = 0.0, constants: Constants | None = None
) -> Array:
    """Emission energy of large dots [eV], with bowing (physics specification 2.2)."""
    c = _constants(constants)
    x_cl, x_i = check_halides(chloride, iodide)
    x_br = 1.0 - x_cl - x_i
    bowing = c["bowing_chloride_bromide"] * x_cl + c["bowing_bromide_iodide"] * x_i
    return _vegard("edge_energy", x_cl, x_i, c) - bowing * x_br


def equivalent_edge(size: ArrayLike, shape: str = "cube") -> Array:
    """Cube edge [nm] that confines like a `cube` of that edge or a `sphere` of that diameter.

    Raises:
        ValueError: unknown shape, or a size that is not positive.
    """
    if shape not in _SHAPES:
        raise ValueError(f"a shape must be one of {', '.join(_SHAPES)}, but got {shape!r}")
    edge = np.asarray(size, float)
    if np.any(edge <= 0.0):
        raise ValueError(f"a size must be positive, but got {size!r} nm")
    return np.asarray(edge * (SPHERE_TO_CUBE if shape == "sphere" else 1.0))


def confinement_energy(
    edge: ArrayLike,
    chloride: ArrayLike = 0.0,
    iodide: ArrayLike = 0.0,
    constants: Constants | None = None,
) -> Array:
    """Confinement energy of the emission [eV].

    The fitted bromide curve, scaled with the reduced mass and with the size in unit cells
    (physics specification 2.2).
    """
    c = _constants(constants)
    x_cl, x_i = check_halides(chloride, iodide)
    scaled = equivalent_edge(edge) * c["lattice_bromide"] / _vegard("lattice", x_cl, x_i, c)
    mass = _vegard("reduced_mass", x_cl, x_i, c) / c["reduced_mass_bromide"]
    curve = c["confinement_quadratic"] * scaled**2 + c["confinement_linear"] * scaled
    return np.asarray(1.0 / (mass * curve))


def emission_energy(
    edge: ArrayLike,
    chloride: ArrayLike = 0.0,
    iodide: ArrayLike = 0.0,
    temperature: ArrayLike = ROOM,
    constants: Constants | None = None,
) -> Array:
    """Emission energy of one dot [eV].

    Args:
        edge: Cube edge [nm], any shape that broadcasts with the others.
        chloride: Chloride mole fraction.
        iodide: Iodide mole fraction.
        temperature: Temperature [K].
        constants: Material constants; nominal if absent.
    """
    c = _constants(constants)
    thermal = c["energy_per_kelvin"] * (np.asarray(temperature, float) - ROOM)
    limit = edge_energy(chloride, iodide, c)
    return limit + confinement_energy(edge, chloride, iodide, c) + thermal


def edge_from_energy(
    energy: ArrayLike,
    chloride: ArrayLike = 0.0,
    iodide: ArrayLike = 0.0,
    constants: Constants | None = None,
) -> Array:
    """Inverse of `emission_energy` at room temperature: cube edge [nm].

    Raises:
        ValueError: an energy at or below that of large dots, which no size reaches.
    """
    c = _constants(constants)
    x_cl, x_i = check_halides(chloride, iodide)
    limit = edge_energy(x_cl, x_i, c)
    excess = np.asarray(energy, float) - limit
    if np.any(excess <= 0.0):
        raise ValueError(
            f"an emission energy must exceed that of large dots, {limit!r} eV, but got "
            f"{energy!r} eV; give a higher energy or another composition"
        )
    mass = _vegard("reduced_mass", x_cl, x_i, c) / c["reduced_mass_bromide"]
    q, slope = c["confinement_quadratic"], c["confinement_linear"]
    curve = 1.0 / (mass * excess)
    scaled = 2.0 * curve / (slope + np.sqrt(slope**2 + 4.0 * q * curve))
    return np.asarray(scaled * _vegard("lattice", x_cl, x_i, c) / c["lattice_bromide"])


def stokes_shift(edge: ArrayLike, constants: Constants | None = None) -> Array:
    """Absorption minus emission energy [eV] (Brennan 2017, J. Am. Chem. Soc.)."""
    c = _constants(constants)
    ratio = c["stokes_reference_edge"] / equivalent_edge(edge)
    return np.asarray(c["stokes_shift"] * ratio ** c["stokes_exponent"])


def wavelength(energy: ArrayLike) -> Array:
    """Wavelength [nm] of a photon energy [eV], and the reverse."""
    return np.asarray(HC / np.asarray(energy, float))


def gamut(
    smallest: float = 2.5, largest: float = 30.0, constants: Constants | None = None
) -> tuple[float, float]:
    """Shortest and longest emission wavelength [nm] of dots between two edges [nm]."""
    blue = wavelength(emission_energy(smallest, 1.0, 0.0, constants=constants))
    red = wavelength(emission_energy(largest, 0.0, 1.0, constants=constants))
    return float(blue), float(red)
