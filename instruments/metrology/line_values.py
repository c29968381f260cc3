"""Numbers that a fitted line stands for, with standard errors from its covariance."""

from __future__ import annotations

import numpy as np

from instruments.metrology.lineshape import FWHM_PER_SIGMA, HC, Array, Line, shape


def standard_error(line: Line, gradient: Array) -> float:
    """Propagate the fit's covariance along `gradient`, shape (5,)."""
    return float(np.sqrt(max(float(gradient @ line.covariance @ gradient), 0.0)))


def peak_wavelength(line: Line) -> tuple[float, float]:
    """Wavelength of the energy-space maximum and its standard error [nm]."""
    energy = line.energy
    return HC / energy, standard_error(line, np.array([0.0, -HC / energy**2, 0.0, 0.0, 0.0]))


def linewidth(line: Line, broadening: float) -> tuple[float, float]:
    """FWHM in energy and its standard error [eV], instrument broadening removed in quadrature.

    Args:
        line: The fitted line.
        broadening: FWHM of the instrument's point spread [nm].
    """
    instrument = broadening * line.energy**2 / HC
    true = float(np.sqrt(max(line.width**2 - instrument**2, (0.1 * line.width) ** 2)))
    return true, standard_error(line, np.array([0.0, 0.0, line.width / true, 0.0, 0.0]))


def width_in_wavelength(line: Line, broadening: float) -> tuple[float, float]:
    """FWHM on the wavelength axis and its standard error [nm], broadening removed.

    The half-maximum points are those of the energy-space line, taken to wavelength.
    """
    true, _ = linewidth(line, broadening)

    def span(energy: float, width: float, skew: float) -> float:
        red, blue = 0.5 * width * (1.0 - skew), 0.5 * width * (1.0 + skew)
        return HC / (energy - red) - HC / (energy + blue)

    energy, skew = line.energy, float(line.parameters[3])
    value = span(energy, true, skew)
    step = 1e-6
    gradient = np.array(
        [
            0.0,
            (span(energy + step, true, skew) - value) / step,
            (span(energy, true + step, skew) - value) / step * line.width / true,
            (span(energy, true, skew + step) - value) / step,
            0.0,
        ]
    )
    return value, standard_error(line, gradient)


def seen_share(line: Line, wavelength: Array) -> float:
    """Share of the line's light that is seen, over the whole axis, shape (n,) [nm]."""
    parameters = line.parameters.copy()
    parameters[4] = 0.0
    emitted = shape(wavelength, parameters, line.reference, np.ones_like(wavelength))[0]
    return float((emitted * line.transmission).sum() / emitted.sum())


def total_counts(line: Line) -> tuple[float, float]:
    """Counts in the line before any loss to reabsorption, and their standard error [counts].

    The Jacobian makes the integral over wavelength exact in energy:
    (1/Δλ) H λ_ref²/hc sqrt(2π) w/2.355.
    """
    factor = line.reference**2 / HC * np.sqrt(2.0 * np.pi) / FWHM_PER_SIGMA / line.pixel
    height, width = float(line.parameters[0]), line.width
    gradient = np.array([factor * width, 0.0, factor * height, 0.0, 0.0])
    return factor * height * width, standard_error(line, gradient)
