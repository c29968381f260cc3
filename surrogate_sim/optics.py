"""Light of an ensemble of dots: absorption, emission, quantum yield, self-absorption.

Energies [eV], edges [nm], absorption coefficients natural [1/cm], absorbances decadic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf, hyp1f1

from surrogate_sim import _light_kernels
from surrogate_sim.materials import BOLTZMANN, HC, ROOM, emission_energy, lattice, stokes_shift

Array = NDArray[np.float64]
_FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))
_LN10 = float(np.log(10.0))
_HIGH = 3.1
"""Photon energy from which the absorption coefficient does not depend on size [eV]."""
AVOGADRO = 0.602214076
"""Formula units per nm3 that 1 M = 1 mol/L holds (exact)."""


@dataclass(frozen=True)
class Ensemble:
    """Classes of equal dots; fields of shape (n,), or (..., n) for several ensembles at once.

    Attributes:
        edge: Cube edge [nm].
        amount: Concentration of formula units CsPbX3 in the class [mM].
        chloride: Mole fraction.
        iodide: Mole fraction.
        quantum_yield: Of each class.
        temperature: [K].
    """

    edge: Array
    amount: Array
    chloride: Array
    iodide: Array
    quantum_yield: Array
    temperature: Array

    def energy(self, c: Mapping[str, float]) -> Array:
        """Emission energy of each class, shape (..., n) [eV]."""
        return emission_energy(self.edge, self.chloride, self.iodide, self.temperature, c)

    def volume_fraction(self, c: Mapping[str, float]) -> Array:
        """Share of the liquid's volume in each class, shape (..., n)."""
        cell = lattice(self.chloride, self.iodide, c) ** 3
        return np.asarray(self.amount * 1e-3 * AVOGADRO * cell)


def linewidth(
    edge: ArrayLike,
    chloride: ArrayLike,
    iodide: ArrayLike,
    temperature: ArrayLike,
    c: Mapping[str, float],
) -> Array:
    """FWHM of one dot's emission [eV] (physics specification 2.4).

    Phonon broadening with temperature, growth with confinement, composition disorder in
    quadrature.
    """
    kelvin = np.asarray(temperature, float)
    occupation = 1.0 / np.expm1(c["phonon_energy"] / (BOLTZMANN * kelvin))
    reference = 1.0 / np.expm1(c["phonon_energy"] / (BOLTZMANN * ROOM))
    phonon = (c["linewidth"] - c["linewidth_static"]) * occupation / reference
    width = (c["linewidth_static"] + phonon) * (
        1.0 + (c["linewidth_size"] / np.asarray(edge)) ** 2
    )
    x = np.asarray(chloride, float) + np.asarray(iodide, float)
    return np.asarray(np.hypot(width, c["alloy_linewidth"] * 2.0 * np.sqrt(x * (1.0 - x) + 0.0)))


def plateau_absorption(energy: ArrayLike, c: Mapping[str, float]) -> Array:
    """Size-independent absorption coefficient of the solid [1/cm], log-linear in energy.

    Through the values at 400 and 335 nm (Maes 2018, J. Phys. Chem. Lett., as priors).
    """
    low, high = HC / 400.0, HC / 335.0
    slope = np.log(c["absorption_335"] / c["absorption_400"]) / (high - low)
    return np.asarray(c["absorption_400"] * np.exp(slope * (np.asarray(energy, float) - low)))


def absorption_coefficient(
    energy: ArrayLike, exciton: ArrayLike, c: Mapping[str, float], width: ArrayLike | None = None
) -> Array:
    """Intrinsic absorption coefficient [1/cm] at photon `energy` [eV] of dots with 1S `exciton`.

    Gaussian 1S, error-function step and square-root continuum up to 3.1 eV (or 0.35 eV above
    the 1S where that is higher, as in chlorides), continuous with the plateau above.

    Args:
        energy: Photon energies [eV].
        exciton: 1S energies [eV], broadcast with `energy`.
        c: Constants of the materials.
        width: FWHM of one dot's line [eV], of the shape of `exciton`, which then broadens the
            continuum as well; None is the constant width, and a continuum with a sharp onset.
    """
    e, x = np.asarray(energy, float), np.asarray(exciton, float)
    matched = np.maximum(_HIGH, x + 0.35)
    below = _edge_shape(np.minimum(e, matched), x, matched, c, width) / _edge_shape(
        matched, x, matched, c, width
    )
    above = plateau_absorption(np.maximum(e, matched), c)
    return np.asarray(above * below)


def _edge_shape(
    e: Array, x: Array, matched: Array, c: Mapping[str, float], width: ArrayLike | None
) -> Array:
    """Absorption below the matching energy in arbitrary units."""
    sigma = np.asarray(c["exciton_width"] if width is None else width, float) / _FWHM
    reduced = (e - x) / sigma
    step = 0.5 * (1.0 + erf(reduced / np.sqrt(2.0)))
    share = c["step_share"]
    if width is None:
        band = step * (share + (1.0 - share) * np.sqrt(np.maximum(e - x, 0.0) / (matched - x)))
    else:
        root = broadened_root(reduced) * np.sqrt(sigma / (matched - x))
        band = share * step + (1.0 - share) * root
    return np.asarray(c["exciton_strength"] * share * np.exp(-0.5 * reduced**2) + band)


_ROOT_TABLE = np.linspace(-6.0, 12.0, 721)
_ROOT_POINTS = np.linspace(-6.0, 6.0, 1201)
_ROOT_WEIGHT = np.exp(-0.5 * _ROOT_POINTS**2) / np.exp(-0.5 * _ROOT_POINTS**2).sum()
_ROOT_VALUES = (
    np.sqrt(np.maximum(_ROOT_TABLE[:, None] + _ROOT_POINTS[None, :], 0.0)) @ _ROOT_WEIGHT
)


def broadened_root(reduced: ArrayLike) -> Array:
    """Square root of `reduced` (0 below 0), broadened by a Gaussian of unit deviation.

    From a table; beyond it by the first two terms of its series, sqrt(u) (1 - 1 / (8 u^2)).
    """
    u = np.asarray(reduced, float)
    far = np.maximum(u, 1.0)
    return np.asarray(
        np.where(
            u < _ROOT_TABLE[-1],
            np.interp(u, _ROOT_TABLE, _ROOT_VALUES),
            np.sqrt(far) * (1.0 - 0.125 / far**2),
        )
    )


def absorbance(
    ensemble: Ensemble, energy: Array, path: float, c: Mapping[str, float]
) -> NDArray[np.float64]:
    """Decadic absorbance of the ensemble over `path` [mm] at photon energies, shape (..., m)."""
    exciton = ensemble.energy(c) + stokes_shift(ensemble.edge, c)
    matched = np.maximum(_HIGH, exciton + 0.35)
    total = _light_kernels.edges(
        np.asarray(energy, float),
        plateau_absorption(energy, c),
        _rows(exciton),
        _rows(matched),
        _rows(plateau_absorption(matched, c)),
        _rows(ensemble.volume_fraction(c)),
        (c["exciton_width"] / _FWHM, c["step_share"], c["exciton_strength"]),
    )
    return np.asarray(total.reshape(*exciton.shape[:-1], -1) * (path * 0.1 / _LN10))


def _rows(values: Array) -> Array:
    """Ensembles in rows, shape (rows, n), as the compiled sums take them."""
    return np.ascontiguousarray(values.reshape(-1, values.shape[-1]))


def emission_shape(
    ensemble: Ensemble, energy: Array, excitation: ArrayLike, c: Mapping[str, float]
) -> NDArray[np.float64]:
    """Photons emitted per photon absorbed and eV, shape (..., m) [1/eV].

    The mixture over size and composition, weighted by absorption at `excitation` [eV], one number
    or shape (...,), and quantum yield; its integral over energy is the ensemble's quantum yield.
    """
    centre = ensemble.energy(c)
    weight = absorbed_share(ensemble, excitation, c) * ensemble.quantum_yield
    width = linewidth(ensemble.edge, ensemble.chloride, ensemble.iodide, ensemble.temperature, c)
    sigma = width / _FWHM
    height = weight / (sigma * np.sqrt(2.0 * np.pi))
    total = _light_kernels.lines(
        np.asarray(energy, float), _rows(centre), _rows(sigma), _rows(height)
    )
    return np.asarray(total.reshape(*centre.shape[:-1], -1))


def absorbed_share(ensemble: Ensemble, excitation: ArrayLike, c: Mapping[str, float]) -> Array:
    """Share of the absorbed light that each class takes, shape (..., n); zeros if none absorb."""
    exciton = ensemble.energy(c) + stokes_shift(ensemble.edge, c)
    light = np.asarray(excitation, float)[..., None]
    taken = ensemble.volume_fraction(c) * absorption_coefficient(light, exciton, c)
    total = taken.sum(axis=-1, keepdims=True)
    return np.asarray(taken / np.where(total > 0.0, total, np.inf))


def escape(excitation_absorbance: float, emission_absorbance: ArrayLike) -> Array:
    """Emitted light that leaves the cell, per incident light and unit quantum yield.

    Front-face integral of ln(10) A 10^(-(A + a) x) over the path: A / (A + a) (1 - 10^-(A + a))
    with A at the excitation and a at the emission wavelength.
    """
    total = excitation_absorbance + np.asarray(emission_absorbance, float)
    scaled = _LN10 * np.maximum(total, 1e-12)
    return np.asarray(_LN10 * excitation_absorbance * -np.expm1(-scaled) / scaled)


def primary_factor(absorbed: ArrayLike) -> Array:
    """Primary inner filter factor (1 - 10^-A) / (2.303 A), 1 for A = 0."""
    scaled = _LN10 * np.maximum(np.asarray(absorbed, float), 1e-12)
    return np.asarray(-np.expm1(-scaled) / scaled)


def radiative_lifetime(
    edge: ArrayLike, chloride: ArrayLike, iodide: ArrayLike, c: Mapping[str, float]
) -> Array:
    """Radiative lifetime [ns], longer for larger dots and heavier halides."""
    x_cl, x_i = np.asarray(chloride, float), np.asarray(iodide, float)
    halide = c["lifetime_factor_chloride"] ** x_cl * c["lifetime_factor_iodide"] ** x_i
    ratio = np.asarray(edge, float) / c["radiative_lifetime_edge"]
    return np.asarray(c["radiative_lifetime"] * halide * (1.0 + ratio**2))


def mean_traps(edge: ArrayLike, density: ArrayLike, c: Mapping[str, float]) -> Array:
    """Mean number of traps per dot for a surface `density` [1/nm2]: rho 6 L^2 (L0/L)^p."""
    length = np.asarray(edge, float)
    defect_tolerance = (c["trap_reference_edge"] / length) ** c["trap_size_exponent"]
    return np.asarray(np.asarray(density, float) * 6.0 * length**2 * defect_tolerance)


def quench(temperature: ArrayLike, c: Mapping[str, float]) -> Array:
    """Thermally activated loss over radiative rate, k_q / k_r (Arrhenius), at [K]."""
    kelvin = np.asarray(temperature, float)
    return np.asarray(
        c["quench_factor"] * np.exp(-c["quench_energy"] / (BOLTZMANN * kelvin)), np.float64
    )


def quantum_yield(
    traps: ArrayLike, lifetime: ArrayLike, temperature: ArrayLike, c: Mapping[str, float]
) -> Array:
    """Quantum yield for Poisson traps of the given mean (Infelta and Tachiya).

    The integral of k_r exp(-k_r t - m (1 - exp(-k_t t))), which is the Kummer function
    M(1, 1 + k_r/k_t, -m), times thermal quenching; exact where `lifetime` is that of emission and
    quenching together.
    """
    ratio = 1.0 / (np.asarray(lifetime, float) * c["trap_rate"])
    left = hyp1f1(1.0, 1.0 + ratio, -np.asarray(traps, float))
    return np.asarray(left / (1.0 + quench(temperature, c)))


def decay(
    time: ArrayLike, traps: float, lifetime: float, c: Mapping[str, float]
) -> NDArray[np.float64]:
    """Emission decay after a pulse, 1 at time 0 [ns]: exp(-t/tau - m (1 - exp(-k_t t)))."""
    t = np.asarray(time, float)
    return np.asarray(np.exp(-t / lifetime + traps * np.expm1(-c["trap_rate"] * t)))
