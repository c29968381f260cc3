"""Numbers from a file that a person brings: statistics of sizes, the peak of a spectrum."""

from __future__ import annotations

import math

import numpy as np

from instruments.metrology import line_values, lineshape
from instruments.metrology.flow import WAVELENGTH_FLOOR
from instruments.metrology.lineshape import Array

Estimate = tuple[float, float]
WHOLE_COUNT = 1.0 / math.sqrt(12.0)  # counts: what rounding to whole ones adds
# Sigma over the median absolute difference of two such values (normal quartile 0.67449).
MEDIAN_TO_SIGMA = 1.0 / (0.674490 * math.sqrt(2.0))


def mean_of(sizes: Array) -> Estimate:
    """Mean of sizes, shape (n,), n above 1, and its standard error s / sqrt(n), in their unit."""
    return float(np.mean(sizes)), float(np.std(sizes, ddof=1)) / math.sqrt(len(sizes))


def spread_of(sizes: Array) -> Estimate:
    """Standard deviation s of sizes, shape (n,), n above 1, and its standard error.

    The error is that of many normal values, s / sqrt(2 (n - 1)) (Ahn and Fessler 2003, "Standard
    errors of mean, variance, and standard deviation estimators", University of Michigan).
    """
    spread = float(np.std(sizes, ddof=1))
    return spread, spread / math.sqrt(2.0 * (len(sizes) - 1))


def relative_spread_of(sizes: Array) -> Estimate:
    """Standard deviation over mean of positive sizes, shape (n,), n above 1, as a pure number.

    Its standard error follows from those of both, which are independent for normal values.
    """
    (mean, mean_se), (spread, spread_se) = mean_of(sizes), spread_of(sizes)
    ratio = spread / mean
    return ratio, math.hypot(spread_se / mean, ratio * mean_se / mean)


def emission_peak_of(wavelength: Array, counts: Array) -> Estimate:
    """Peak of an emission line and its standard error [nm], by the stations' own line fit.

    Args:
        wavelength: Shape (n,) [nm], increasing, evenly spaced, without the excitation.
        counts: Shape (n,), raw counts.

    Raises:
        FitError: there is no line to fit.
    """
    jumps = np.abs(np.diff(counts))
    noise = math.hypot(MEDIAN_TO_SIGMA * float(np.median(jumps)), WHOLE_COUNT)
    line = lineshape.fit_line(wavelength, counts, read_noise=noise, lowest=float(wavelength[0]))
    peak, se = line_values.peak_wavelength(line)
    return peak, math.hypot(se, WAVELENGTH_FLOOR)


__all__ = ["emission_peak_of", "mean_of", "relative_spread_of", "spread_of"]
