"""Emission line shape in energy space, fitted to raw counts on a wavelength axis.

The line is a split Gaussian in photon energy (two half-widths that meet at the maximum), times
the Jacobian |dE/dλ| = hc/λ² that turns photons per eV into photons per nm (Mooney and
Kambhampati 2013, J. Phys. Chem. Lett. 4, 3316), on a flat background. Fitting the transformed
model to untransformed counts leaves the counting statistics as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.optimize import least_squares

from instruments.errors import InstrumentError

HC = 1239.841984  # eV nm, from the exact SI values of h, c and e
_FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))  # FWHM over standard deviation of a Gaussian
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """A fitted emission line.

    Attributes:
        parameters: Height [counts per pixel], energy of the maximum [eV], FWHM [eV] (instrument
            broadening included), asymmetry [-] (blue minus red half-width over FWHM),
            background [counts per pixel].
        covariance: Shape (5, 5), of `parameters`, scaled by the reduced chi-square when that
            exceeds one.
        reduced_chi_square: Of the fit window.
        reference: Wavelength [nm] at which the Jacobian factor is one.
        pixel: Pixel width [nm].
        residual: Shape (m,), residual over its standard deviation in the window.
        window: Indices (first, last + 1) of the fitted pixels.
    """

    parameters: Array
    covariance: Array
    reduced_chi_square: float
    reference: float
    pixel: float
    residual: Array
    window: tuple[int, int]

    @property
    def energy(self) -> float:
        """Energy of the maximum [eV]."""
        return float(self.parameters[1])

    @property
    def width(self) -> float:
        """FWHM [eV], instrument broadening included."""
        return float(self.parameters[2])


class FitError(InstrumentError):
    """The spectrum holds no line that can be fitted."""


def shape(wavelength: Array, parameters: Array, reference: float) -> tuple[Array, Array]:
    """Return the model counts, shape (n,), and its Jacobian, shape (n, 5).

    Args:
        wavelength: Shape (n,) [nm].
        parameters: As `Line.parameters`, shape (5,).
        reference: Wavelength where the factor λ_ref²/λ² is one [nm].
    """
    height, centre, width, skew, background = parameters
    offset = HC / wavelength - centre
    sign = np.where(offset >= 0.0, 1.0, -1.0)
    side = 1.0 + sign * skew
    sigma = width / _FWHM * side
    scaled = offset / sigma
    bell = (reference / wavelength) ** 2 * np.exp(-0.5 * scaled**2)
    slope = height * bell * scaled
    jacobian = np.stack(
        [
            bell,
            slope / sigma,
            slope * scaled / width,
            slope * scaled * sign / side,
            np.ones_like(bell),
        ],
        axis=1,
    )
    return height * bell + background, jacobian


def smooth(values: Array, pixels: int) -> Array:
    """Boxcar mean over `pixels`, shape kept."""
    filtered: Array = uniform_filter1d(values, pixels, mode="nearest")
    return filtered


def first_guess(wavelength: Array, counts: Array, lowest: float) -> tuple[Array, tuple[int, int]]:
    """Guess the line from the smoothed spectrum; return parameters and the fit window.

    Args:
        wavelength: Shape (n,) [nm], increasing.
        counts: Shape (n,), dark subtracted.
        lowest: Ignore everything below this wavelength [nm] (excitation).

    Raises:
        FitError: no maximum above the background.
    """
    flat = smooth(counts, 25)
    start = int(np.searchsorted(wavelength, lowest))
    background = float(np.median(flat[start:]))
    top = start + int(np.argmax(flat[start:]))
    height = float(flat[top]) - background
    if height <= 0.0:
        raise FitError(f"a line must rise above its background, but the highest is {height:.3g}")
    above = flat - background >= 0.5 * height
    left = top - int(np.argmin(above[: top + 1][::-1])) if not above[: top + 1].all() else 0
    right = top + int(np.argmin(above[top:])) if not above[top:].all() else len(flat) - 1
    full = max(wavelength[right] - wavelength[left], 6.0)
    low = max(start, int(np.searchsorted(wavelength, wavelength[top] - 2.5 * full)))
    high = int(np.searchsorted(wavelength, wavelength[top] + 3.0 * full))
    peak = float(wavelength[top])
    guess = np.array([height, HC / peak, HC * full / peak**2, 0.0, background])
    return guess, (low, high)


def fit_line(
    wavelength: Array, counts: Array, *, read_noise: float, lowest: float, extra: Array | float
) -> Line:
    """Fit the line with weights from counting statistics.

    The variance of a pixel is model counts + `extra` + read noise²; it is taken from the data
    first and from the fitted model in a second pass, since weights from noisy data pull a fit
    low (Neyman against Pearson weights).

    Args:
        wavelength: Shape (n,) [nm], increasing, evenly spaced.
        counts: Shape (n,) raw photoelectrons with the dark level subtracted.
        read_noise: Standard deviation of a reading [counts].
        lowest: Shortest wavelength to consider [nm].
        extra: Further variance, for example of the dark counts [counts²].

    Raises:
        FitError: no line, or the fit does not converge to one inside the axis.
    """
    guess, (low, high) = first_guess(wavelength, counts, lowest)
    axis, data = wavelength[low:high], counts[low:high]
    if len(axis) < 25:
        raise FitError(f"a line needs 25 pixels, but its window holds {len(axis)}")
    floor = np.asarray(extra, dtype=float) + read_noise**2
    reference = HC / float(guess[1])
    expected = np.clip(smooth(data, 9), 0.0, None)
    solution = guess
    for _ in range(2):
        deviation = np.sqrt(expected + floor)
        solution = _solve(axis, data, deviation, solution, reference)
        expected = np.clip(shape(axis, solution, reference)[0], 0.0, None)
    return _line(axis, data, np.sqrt(expected + floor), solution, reference, (low, high))


def _solve(axis: Array, data: Array, deviation: Array, guess: Array, reference: float) -> Array:
    scale = np.array([guess[0], guess[2], guess[2], 1.0, max(abs(guess[0]) * 0.1, 1.0)])
    centre = float(guess[1])
    bounds = (
        np.array([0.0, HC / axis[-1], 0.1 * guess[2], -0.9, -np.inf]),
        np.array([np.inf, HC / axis[0], 5.0 * guess[2], 0.9, np.inf]),
    )
    if not bounds[0][1] < centre < bounds[1][1]:
        raise FitError(f"the line at {HC / centre:.1f} nm must lie inside the measured axis")
    result = least_squares(
        lambda p: (shape(axis, p, reference)[0] - data) / deviation,
        guess,
        jac=lambda p: shape(axis, p, reference)[1] / deviation[:, None],
        bounds=bounds,
        x_scale=scale,
        max_nfev=60,
    )
    if not result.success and result.status <= 0:
        raise FitError(f"the line fit must converge within 60 evaluations: {result.message}")
    found: Array = result.x
    return found


def _line(
    axis: Array,
    data: Array,
    deviation: Array,
    solution: Array,
    reference: float,
    window: tuple[int, int],
) -> Line:
    model, jacobian = shape(axis, solution, reference)
    residual = (data - model) / deviation
    weighted = jacobian / deviation[:, None]
    freedom = max(len(axis) - len(solution), 1)
    chi_square = float(residual @ residual) / freedom
    try:
        covariance = np.linalg.inv(weighted.T @ weighted)
    except np.linalg.LinAlgError as error:
        raise FitError(
            f"the line fit must be determined, but its normal matrix is {error}"
        ) from error
    pixel = float((axis[-1] - axis[0]) / (len(axis) - 1))
    scaled = covariance * max(1.0, chi_square)
    return Line(solution, scaled, chi_square, reference, pixel, residual, window)


def standard_error(line: Line, gradient: Array) -> float:
    """Propagate the fit's covariance along `gradient`, shape (5,)."""
    return float(np.sqrt(max(gradient @ line.covariance @ gradient, 0.0)))


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


def total_counts(line: Line) -> tuple[float, float]:
    """Counts in the line over all pixels, and their standard error [counts].

    The Jacobian makes the integral over wavelength exact in energy:
    (1/Δλ) H λ_ref²/hc sqrt(2π) w/2.355.
    """
    factor = line.reference**2 / HC * np.sqrt(2.0 * np.pi) / _FWHM / line.pixel
    height, width = float(line.parameters[0]), line.width
    gradient = np.array([factor * width, 0.0, factor * height, 0.0, 0.0])
    return factor * height * width, standard_error(line, gradient)
