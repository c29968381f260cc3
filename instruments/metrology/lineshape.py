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

from instruments.errors import InstrumentError
from instruments.metrology.fitting import fit_within

HC = 1239.841984  # eV nm, from the exact SI values of h, c and e
FWHM_PER_SIGMA = float(
    2.0 * np.sqrt(2.0 * np.log(2.0))
)  # FWHM over standard deviation of a Gaussian
LINE_SPAN = 10.9  # nm: a boxcar narrower than any line, wide enough to lift weak ones
DARK_SPAN = 71.5  # nm: a dark level has broad structure alone
FINE_SPAN = 1.6  # nm: about the point spread
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
        noise: Root mean square of the pixels' standard deviation in the window [counts].
        reference: Wavelength [nm] at which the Jacobian factor is one.
        pixel: Pixel width [nm].
        transmission: Shape (n,) over the whole axis: share of the emitted light that is seen.
        residual: Shape (m,), residual over its standard deviation in the window.
        window: Indices (first, last + 1) of the fitted pixels.
    """

    parameters: Array
    covariance: Array
    reduced_chi_square: float
    noise: float
    reference: float
    pixel: float
    transmission: Array
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

    @property
    def misfit(self) -> float:
        """What the model leaves unexplained beyond noise, root mean square over the height.

        Zero for a line of the model's shape; chi-square alone does not tell it, since that
        grows with the signal.
        """
        excess = max(self.reduced_chi_square - 1.0 - 2.0 * self.chi_square_noise, 0.0)
        return float(np.sqrt(excess) * self.noise / self.parameters[0])

    @property
    def chi_square_noise(self) -> float:
        """Standard deviation of a reduced chi-square with as many pixels."""
        return float(np.sqrt(2.0 / max(self.window[1] - self.window[0], 1)))


class FitError(InstrumentError):
    """The spectrum holds no line that can be fitted."""


def shape(
    wavelength: Array, parameters: Array, reference: float, transmission: Array
) -> tuple[Array, Array]:
    """Return the model counts, shape (n,), and its Jacobian, shape (n, 5).

    Args:
        wavelength: Shape (n,) [nm].
        parameters: As `Line.parameters`, shape (5,).
        reference: Wavelength where the factor λ_ref²/λ² is one [nm].
        transmission: Shape (n,), share of the line's light that is seen; ones without filter.
    """
    height, centre, width, skew, background = parameters
    offset = HC / wavelength - centre
    sign = np.where(offset >= 0.0, 1.0, -1.0)
    side = 1.0 + sign * skew
    sigma = width / FWHM_PER_SIGMA * side
    scaled = offset / sigma
    bell = transmission * (reference / wavelength) ** 2 * np.exp(-0.5 * scaled**2)
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


def pixels_of(axis: Array, span: float) -> int:
    """Odd number of pixels nearest to `span` [nm] on an evenly spaced axis, shape (n,) [nm]."""
    width = abs(float(axis[-1] - axis[0])) / (len(axis) - 1)
    return 2 * max(round(0.5 * (span / width - 1.0)), 0) + 1


def smooth(axis: Array, values: Array, span: float) -> Array:
    """Boxcar mean over `span` [nm] of values on an even axis, shape (n,) each; shape kept."""
    pixels = pixels_of(axis, span)
    filtered: Array = uniform_filter1d(values, pixels, mode="reflect")
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
    flat = smooth(wavelength, counts, LINE_SPAN)
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
    wavelength: Array,
    counts: Array,
    *,
    read_noise: float,
    lowest: float,
    extra: float = 0.0,
    transmission: Array | None = None,
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
        transmission: Shape (n,), share of the line's light that leaves the cell; the fitted
            line is the light before that loss.

    Raises:
        FitError: no line, or the fit does not converge to one inside the axis.
    """
    guess, (low, high) = first_guess(wavelength, counts, lowest)
    seen = np.ones_like(wavelength) if transmission is None else transmission
    window = _Window(wavelength[low:high], counts[low:high], seen[low:high], HC / float(guess[1]))
    if high - low < 25:
        raise FitError(f"a line needs 25 pixels, but its window holds {high - low}")
    floor = extra + read_noise**2
    expected = np.clip(smooth(window.axis, window.data, FINE_SPAN), 0.0, None)
    solution = guess
    for _ in range(2):
        solution = _solve(window, np.sqrt(expected + floor), solution)
        expected = np.clip(window.model(solution)[0], 0.0, None)
    return _line(window, np.sqrt(expected + floor), solution, seen, (low, high))


@dataclass(frozen=True)
class _Window:
    """The pixels of a fit: axis, data, transmission, each shape (m,), and the reference [nm]."""

    axis: Array
    data: Array
    seen: Array
    reference: float

    def model(self, parameters: Array) -> tuple[Array, Array]:
        return shape(self.axis, parameters, self.reference, self.seen)


def _solve(window: _Window, deviation: Array, guess: Array) -> Array:
    scale = np.array([guess[0], guess[2], guess[2], 1.0, max(abs(guess[0]) * 0.1, 1.0)])
    bounds = (
        np.array([0.0, HC / window.axis[-1], 0.1 * guess[2], -0.9, -np.inf]),
        np.array([np.inf, HC / window.axis[0], 5.0 * guess[2], 0.9, np.inf]),
    )
    if not bounds[0][1] < guess[1] < bounds[1][1]:
        raise FitError(f"the line at {HC / guess[1]:.1f} nm must lie inside the measured axis")
    weight = 1.0 / deviation

    def weighted(parameters: Array) -> tuple[Array, Array]:
        model, slopes = window.model(parameters)
        return (model - window.data) * weight, slopes * weight[:, None]

    result = fit_within(weighted, guess, bounds, scale, evaluations=60)
    if not result.converged:
        raise FitError("the line fit must converge within 60 evaluations, but it did not")
    return result.parameters


def _line(
    window: _Window, deviation: Array, solution: Array, seen: Array, pixels: tuple[int, int]
) -> Line:
    model, jacobian = window.model(solution)
    residual = (window.data - model) / deviation
    weighted = jacobian / deviation[:, None]
    freedom = max(len(residual) - len(solution), 1)
    chi_square = float(residual @ residual) / freedom
    try:
        covariance = np.linalg.inv(weighted.T @ weighted)
    except np.linalg.LinAlgError as error:
        raise FitError(
            f"a line's parameters must be determined by its spectrum, but the fit says {error}"
        ) from error
    pixel = float((window.axis[-1] - window.axis[0]) / (len(window.axis) - 1))
    scaled: Array = np.asarray(covariance * max(1.0, chi_square), dtype=np.float64)
    noise = float(np.sqrt(np.mean(deviation**2)))
    return Line(
        solution, scaled, chi_square, noise, window.reference, pixel, seen, residual, pixels
    )
