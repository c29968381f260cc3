"""X-ray scattering of spheres, of stacks and crystals of them, and of the crystal lattice.

Scattering vectors q [1/nm], sizes as diameters [nm], intensities [1/cm].
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ELECTRON_RADIUS = 2.8179403e-6
"""Classical electron radius [nm] (CODATA 2018)."""
_PER_MICROMOLAR = 6.02214076e-7  # particles per nm3
_CM = 1e7  # nm per cm
ORTHORHOMBIC = (0.8202, 0.8244, 1.1748)
"""Lattice of CsPbBr3, Pbnm [nm] (Stoumpos 2013; ICSD 97851 in seed 001)."""
_LAUE = 0.886
"""FWHM of a row of N scatterers over 2 pi / (N d) (Laue function)."""
_ORDERS = 9
_FADED = (1.3, 1.6)
"""Reflections overlap beyond the first and are left out beyond the second [1/nm]."""
_REFLECTIONS = (
    ((1, 1, 0), 0.55), ((0, 0, 2), 0.30), ((1, 1, 2), 0.25), ((0, 2, 0), 0.45), ((2, 0, 0), 0.40),
    ((2, 2, 0), 1.00), ((0, 0, 4), 0.55), ((2, 2, 2), 0.12), ((3, 1, 2), 0.35), ((1, 3, 2), 0.35),
    ((0, 2, 4), 0.20), ((2, 2, 4), 0.50), ((0, 4, 0), 0.25), ((4, 0, 0), 0.25),
)  # fmt: skip
"""Strong reflections with rough relative strengths: assumed from powder patterns."""


def sphere_amplitude(q: Array, diameter: Array) -> Array:
    """Form amplitude of a sphere, 1 at q = 0; shapes broadcast.

    3 (sin x - x cos x) / x^3 with x = q d / 2 (Rayleigh 1911); its first zero is at x = 4.493.
    """
    x = np.maximum(0.5 * q * diameter, 1e-4)
    return np.asarray(3.0 * (np.sin(x) - x * np.cos(x)) / x**3)


def sphere_intensity(q: Array, diameter: Array, contrast: float) -> Array:
    """Scattering of one micromole per litre of spheres, shape (q, d) [1/cm].

    N V^2 (r_e delta rho)^2 P(q), with the contrast in electrons per nm3.
    """
    volume = math.pi / 6.0 * diameter**3
    strength = _PER_MICROMOLAR * (ELECTRON_RADIUS * contrast * volume) ** 2 * _CM
    return np.asarray(strength * sphere_amplitude(q[:, None], diameter[None, :]) ** 2)


def gaussian_weights(diameter: Array, mean: float, deviation: float) -> Array:
    """Share of each of evenly spaced diameters in a Gaussian population, shape of `diameter`."""
    weight = np.exp(-0.5 * ((diameter - mean) / max(deviation, 1e-3)) ** 2)
    return np.asarray(weight / max(float(weight.sum()), 1e-300))


def _peaks(
    q: Array, centres: list[tuple[float, float, float]], per_dot: float, thermal: Array
) -> Array:
    """Structure factor of a powder, 1 + thermal (2 pi^2 / (v q^2) sum m L(q) - 1) (Forster 2011).

    Args:
        q: Shape (n,) [1/nm].
        centres: Position [1/nm], multiplicity and standard deviation [1/nm] of each reflection.
        per_dot: Volume of the lattice per dot [nm3].
        thermal: Debye-Waller factor, shape (n,).
    """
    lattice = np.zeros_like(q)
    for centre, multiplicity, sigma in centres:
        bell = np.exp(-0.5 * ((q - centre) / sigma) ** 2) / (sigma * math.sqrt(2.0 * math.pi))
        lattice += multiplicity * bell
    return np.asarray(thermal * 2.0 * math.pi**2 / (per_dot * q**2) * lattice)


def layer_volume(spacings: tuple[float, float, float]) -> float:
    """Volume per dot of a face-centred lattice with these layers along its axes [nm3]."""
    return 2.0 * spacings[0] * spacings[1] * spacings[2]


def stack_factor(
    q: Array, spacings: tuple[float, float, float], disorder: float, members: float,
    resolution: float,
) -> Array:  # fmt: skip
    """Structure factor of bundles that are ordered along one direction, shape of `q`.

    Of the lattice's reflections only those of the layers along the first axis are there, broadened
    by the length of the stack, 0.886 2 pi / (N d) (Laue), and by disorder of the second kind, as
    the square of the order, pi^2 g^2 n^2 / d, which leaves their areas (Hosemann 1950).

    Args:
        q: [1/nm]
        spacings: Layers along the three axes, the ordered one first [nm].
        disorder: Standard deviation of the spacing [nm].
        members: Dots along the stack.
        resolution: FWHM of the instrument [1/nm].
    """
    spacing = spacings[0]
    relative = disorder / spacing
    centres = []
    for order in range(1, 5):
        width = math.hypot(_LAUE * 2.0 * math.pi / (members * spacing), resolution)
        width = math.hypot(width, math.pi**2 * relative**2 * order**2 / spacing)
        centres.append((2.0 * math.pi * order / spacing, 2.0, width / 2.3548))
    return np.asarray(1.0 + _peaks(q, centres, layer_volume(spacings), np.ones_like(q)))


def crystal_factor(
    q: Array,
    spacings: tuple[float, float, float],
    domain: float,
    disorder: float,
    resolution: float,
) -> Array:
    """Structure factor of a powder of face-centred orthorhombic crystals, shape of `q`.

    `spacings` are those of layers along the axes, so {200}, {020} and {002} reflect at 2 pi / d.

    Args:
        q: [1/nm]
        spacings: Layers along the three axes [nm].
        domain: Coherent size [nm]; peaks have FWHM 2 pi / domain.
        disorder: Standard deviation of positions [nm].
        resolution: FWHM of the instrument [1/nm].
    """
    cell = 2.0 * np.array(spacings)
    sigma = math.hypot(2.0 * math.pi / domain, resolution) / 2.3548
    centres = []
    for hkl in product(range(_ORDERS), repeat=3):
        if hkl == (0, 0, 0) or len({i % 2 for i in hkl}) > 1:
            continue
        inverse = sum((h / s) ** 2 for h, s in zip(hkl, cell, strict=True))
        centre = 2.0 * math.pi * math.sqrt(inverse)
        if centre < _FADED[1]:
            centres.append((centre, 2.0 ** sum(h > 0 for h in hkl), sigma))
    thermal = np.exp(-((q * disorder) ** 2) / 3.0)
    made = _peaks(q, centres, layer_volume(spacings), thermal)
    low, high = _FADED
    ordered = np.clip((high - q) / (high - low), 0.0, 1.0)
    return np.asarray(1.0 + ordered * (made - thermal))


def lattice_pattern(q: Array, diameter: Array, resolution: float) -> Array:
    """Wide-angle pattern of dots, shape (q, d), the strongest peak of a large dot being 1.

    Reflections of orthorhombic CsPbBr3 with Scherrer widths 2 pi 0.9 / d; equal areas.
    """
    out = np.zeros((len(q), len(diameter)))
    width = np.hypot(0.9 * 2.0 * math.pi / diameter, resolution) / 2.3548
    reference = resolution / 2.3548
    for hkl, strength in _REFLECTIONS:
        inverse = sum((h / a) ** 2 for h, a in zip(hkl, ORTHORHOMBIC, strict=True))
        offset = q[:, None] - 2.0 * math.pi * math.sqrt(inverse)
        out += strength * reference / width * np.exp(-0.5 * (offset / width) ** 2)
    return out


def halo(q: Array, centre: float, width: float) -> Array:
    """Broad peak of a liquid or an amorphous solid, 1 at its `centre`; FWHM `width` [1/nm]."""
    return np.asarray(np.exp(-4.0 * math.log(2.0) * ((q - centre) / width) ** 2))
