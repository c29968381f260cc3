"""What a decadic absorbance spectrum says: values with errors, absorptance, first exciton."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from instruments.metrology.fitting import fit_within
from instruments.metrology.lineshape import HC, FitError
from instruments.station import Spectrum

Array = NDArray[np.float64]
LN10 = float(np.log(10.0))
EDGE_SPAN = 21.0  # nm of spectrum that an edge needs
BIN = 1.07  # nm: finer than any exciton


def absorbance_noise(absorbance: Array) -> float:
    """Standard deviation of one pixel's absorbance, from differences of neighbours.

    Pixels are finer than any feature, so half the variance of neighbour differences is noise;
    the median makes it indifferent to a few bad pixels (1.4826 turns it into a deviation).
    """
    return float(1.4826 * np.median(np.abs(np.diff(absorbance))) / np.sqrt(2.0))


def mean_absorbance(
    spectrum: Spectrum, wavelength: float, half_width: float
) -> tuple[float, float]:
    """Mean absorbance and its standard error around `wavelength` [nm] +- `half_width` [nm]."""
    axis = spectrum.axis
    inside = np.abs(axis - wavelength) <= half_width
    values = spectrum.values[inside].astype(np.float64)
    noise = absorbance_noise(values) / np.sqrt(len(values))
    return float(values.mean()), noise


def absorptance(absorbance: float) -> float:
    """Share of the light that is absorbed, 1 - 10^-A."""
    return float(-np.expm1(-LN10 * absorbance))


def front_face(excitation: float, emission: Array) -> Array:
    """Light that leaves a front-face cell per unit of incident light and of quantum yield.

    The integral over depth of exciting and escaping light,
    A/(A + a) (1 - 10^-(A + a)), with A at the excitation and a at the emission wavelength
    (Lakowicz 2006, section 2.7); the absorptance 1 - 10^-A where nothing is reabsorbed.

    Args:
        excitation: Absorbance at the excitation, A.
        emission: Absorbance at the emitted wavelengths, a, shape (n,).
    """
    total = np.clip(excitation + np.clip(emission, 0.0, None), 1e-12, None)
    left: Array = excitation / total * -np.expm1(-LN10 * total)
    return left


@dataclass(frozen=True, slots=True)
class Exciton:
    """The first excitonic transition: energy, its standard error and FWHM [eV], strength [AU]."""

    energy: float
    se: float
    width: float
    strength: float


def binned(axis: Array, values: Array, pixels: int) -> tuple[Array, Array]:
    """Mean over groups of `pixels`; the remainder at the end is dropped."""
    count = len(axis) // pixels
    cut = count * pixels
    return (
        axis[:cut].reshape(count, pixels).mean(axis=1),
        values[:cut].reshape(count, pixels).mean(axis=1),
    )


def edge_model(energy: Array, parameters: Array) -> Array:
    """Absorbance near the edge: baseline, Gaussian exciton, broadened step rising as a root.

    The form of the physics specification, section 2.3, with free strengths and width.

    Args:
        energy: Shape (n,) [eV].
        parameters: Baseline [AU], exciton energy [eV], its standard deviation [eV], exciton
            height [AU], step height [AU], growth of the continuum [AU eV^-1/2].
    """
    base, centre, sigma, exciton, step, growth = parameters
    offset = energy - centre
    bell = exciton * np.exp(-0.5 * (offset / sigma) ** 2)
    rise = 0.5 * (1.0 + erf(offset / (np.sqrt(2.0) * sigma)))
    root = np.sqrt(np.clip(offset, 0.0, None))
    model: Array = base + bell + rise * (step + growth * root)
    return model


def edge_slopes(energy: Array, parameters: Array) -> Array:
    """Derivatives of `edge_model` by its parameters, shape (n, 6)."""
    _, centre, sigma, exciton, step, growth = parameters
    offset = energy - centre
    z = offset / sigma
    bell = np.exp(-0.5 * z**2)
    rise = 0.5 * (1.0 + erf(z / np.sqrt(2.0)))
    root = np.sqrt(np.clip(offset, 0.0, None))
    slope = bell / (np.sqrt(2.0 * np.pi) * sigma) * (step + growth * root)
    fall = np.where(root > 0.0, 0.5 / np.maximum(root, 1e-9), 0.0)
    by_centre = exciton * bell * z / sigma - slope - rise * growth * fall
    by_width = exciton * bell * z**2 / sigma - slope * z
    columns = [np.ones_like(z), by_centre, by_width, bell, rise, rise * root]
    return np.stack(columns, axis=1)


def first_exciton(spectrum: Spectrum, emission: float) -> Exciton:
    """Fit the first exciton near the emission line.

    Args:
        spectrum: Decadic absorbance.
        emission: Energy of the emission maximum [eV]; the exciton lies at or above it.

    Raises:
        FitError: the edge is not above the noise, or the fit leaves its bounds.
    """
    low, high = HC / (emission + 0.40), HC / (emission - 0.25)
    first, last = np.searchsorted(spectrum.axis, (low, high))
    axis = spectrum.axis[first:last]
    if len(axis) < 2 or axis[-1] - axis[0] < EDGE_SPAN:
        raise FitError(
            f"an edge needs {EDGE_SPAN:g} nm of spectrum between {low:.0f} and {high:.0f} nm, but "
            f"the axis goes from {spectrum.axis[0]:.0f} to {spectrum.axis[-1]:.0f} nm"
        )
    raw = spectrum.values[first:last].astype(np.float64)
    pixels = max(round(BIN * (len(axis) - 1) / float(axis[-1] - axis[0])), 1)
    axis, values = binned(axis, raw, pixels)
    noise = max(absorbance_noise(raw) / np.sqrt(pixels), 1e-7)
    contrast = float(values[: len(values) // 4].mean() - values[-len(values) // 8 :].mean())
    if contrast < 10.0 * noise:
        raise FitError(
            f"an absorption edge must stand ten times above the noise, but its height is "
            f"{contrast:.2g} AU with a noise of {noise:.2g} AU"
        )
    return _fit_edge(HC / axis, values, noise, emission, contrast)


def _fit_edge(
    energy: Array, values: Array, noise: float, emission: float, contrast: float
) -> Exciton:
    base = float(values[-len(values) // 8 :].mean())
    guess = np.array([base, emission + 0.03, 0.06, 0.3 * contrast, 0.5 * contrast, contrast])
    reach = 20.0 * contrast
    bounds = (
        np.array([base - reach, emission - 0.08, 0.02, 0.0, 0.0, -reach]),
        np.array([base + reach, emission + 0.25, 0.20, reach, reach, reach]),
    )

    def weighted(parameters: Array) -> tuple[Array, Array]:
        left = edge_model(energy, parameters) - values
        return left / noise, edge_slopes(energy, parameters) / noise

    steps = np.array([contrast, 0.05, 0.05, contrast, contrast, contrast])
    result = fit_within(weighted, guess, bounds, steps, evaluations=80)
    found = result.parameters
    if not bounds[0][1] + 1e-6 < found[1] < bounds[1][1] - 1e-6:
        raise FitError(
            f"the exciton must lie within 0.25 eV above the emission, but the fit ran to "
            f"{found[1]:.3f} eV with emission at {emission:.3f} eV"
        )
    normal = result.slopes.T @ result.slopes
    freedom = max(len(energy) - len(found), 1)
    scale = max(1.0, result.sum_of_squares / freedom)
    variance = float(np.linalg.pinv(normal)[1, 1]) * scale
    width = 2.0 * np.sqrt(2.0 * np.log(2.0)) * float(found[2])
    return Exciton(float(found[1]), float(np.sqrt(variance)), width, float(found[3]))
