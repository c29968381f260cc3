"""The line of one fluorimeter scan: its maximum on the wavelength axis, as the paper reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.optimize import least_squares

Array = NDArray[np.float64]
_FWHM = float(2.0 * np.sqrt(2.0 * np.log(2.0)))
_TOP = 0.45
"""Share of the height above which the line is fitted: enough of it to be a bell."""
_SMOOTHING = 5
LOWEST_SIGNAL = 5.0


@dataclass(frozen=True)
class ScanLine:
    """A fitted line.

    Attributes:
        peak: Wavelength of the maximum [nm].
        peak_se: Its standard error [nm].
        width: FWHM [nm], the slit's share included.
        width_se: Its standard error [nm].
        rate: Height [counts/s].
        rate_se: Its standard error [counts/s].
        signal: Height over the noise of a reading without light.
    """

    peak: float
    peak_se: float
    width: float
    width_se: float
    rate: float
    rate_se: float
    signal: float


def fit_scan(axis: Array, counts: Array, settings: Mapping[str, Any]) -> ScanLine | None:
    """Fit a Gaussian to the upper part of the highest line; None where there is none.

    Args:
        axis: Shape (m,) [nm], evenly spaced.
        counts: Shape (m,) raw counts.
        settings: Those of the spectrum: `dark`, `integration_time`.
    """
    dark, dwell = float(settings["dark"]), float(settings["integration_time"])
    smooth = uniform_filter1d(counts - dark, _SMOOTHING)
    top = int(np.argmax(smooth))
    height = float(smooth[top])
    noise = float(np.sqrt(max(dark, 1.0)))
    if height < LOWEST_SIGNAL * noise:
        return None
    low, high = _window(smooth >= _TOP * height, top)
    window = slice(max(low - 2, 0), min(high + 3, len(axis)))
    x, y = axis[window], counts[window] - dark
    if len(x) < 6:
        return None
    sigma0 = max((high - low) / 2.5, 2.0)
    guess = np.array([height, float(axis[top]), sigma0])
    deviation = np.sqrt(np.clip(uniform_filter1d(y, 3), 0.0, None) + dark + 1.0)

    def residual(p: Array) -> Array:
        return np.asarray((p[0] * np.exp(-0.5 * ((x - p[1]) / p[2]) ** 2) - y) / deviation)

    result = least_squares(residual, guess, x_scale=guess, max_nfev=60)
    if result.status <= 0 or not axis[0] <= result.x[1] <= axis[-1]:
        return None
    freedom = max(len(x) - 3, 1)
    chi = max(1.0, 2.0 * float(result.cost) / freedom)
    errors = np.sqrt(np.diag(np.linalg.pinv(result.jac.T @ result.jac)) * chi)
    found, sigma = result.x, abs(float(result.x[2]))
    return ScanLine(
        peak=float(found[1]),
        peak_se=float(errors[1]),
        width=_FWHM * sigma,
        width_se=_FWHM * float(errors[2]),
        rate=float(found[0]) / dwell,
        rate_se=float(errors[0]) / dwell,
        signal=height / noise,
    )


def _window(above: NDArray[np.bool_], top: int) -> tuple[int, int]:
    """First and last index of the run of True values around `top`."""
    low, high = top, top
    while low > 0 and above[low - 1]:
        low -= 1
    while high < len(above) - 1 and above[high + 1]:
        high += 1
    return low, high
