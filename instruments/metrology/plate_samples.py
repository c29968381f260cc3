"""Microscope, diffractometer and photon counter of a well: sizes, phases, lifetime."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from instruments.metrology.quality import Finding
from instruments.station import ObservableValue, Spectrum

Array = NDArray[np.float64]
# Published positions [deg] of seed 002, from which lines are looked for, and the relative areas
# of a calibration mixture.
CUBIC, HEXAGONAL = (15.3, 21.6, 30.8), (12.6, 25.3, 30.5)
AREAS = {"cubic": (0.6, 0.7, 1.0), "hexagonal": (0.7, 0.5, 1.0)}
LARGE = 40.0  # nm; a particle of this length or more is a grain
LARGE_AREA = 0.2  # share of the imaged area from which grains are what a person measures
LENGTH_FLOOR = 0.3  # nm; scale bar and edges


def sample_observables(
    spectra: Mapping[str, Spectrum],
) -> tuple[dict[str, ObservableValue], list[Finding]]:
    """Return what the samples of a fully characterised well give; nothing without samples."""
    found: dict[str, ObservableValue] = {}
    if "tem" in spectra:
        found |= _lengths(spectra["tem"])
    if "xrd" in spectra:
        found |= _phases(spectra["xrd"])
    if "decay" in spectra:
        found |= _lifetime(spectra["decay"])
    return found, []


def _lengths(image: Spectrum) -> dict[str, ObservableValue]:
    """Mean particle length; of the grains where they cover much of the image."""
    counts, length = image.values.astype(np.float64), image.axis
    if counts.sum() < 20:
        return {}
    large = length >= LARGE
    area = counts * length**2
    chosen = large if area[large].sum() > LARGE_AREA * area.sum() else ~large
    number = counts[chosen].sum()
    mean = float((counts * length)[chosen].sum() / number)
    spread = float(np.sqrt((counts * (length - mean) ** 2)[chosen].sum() / number))
    se = float(np.hypot(spread / np.sqrt(number), LENGTH_FLOOR))
    return {"tem_length": ObservableValue(mean, se, "nm", "tem_mean_length@1")}


def _pattern(angle: Array, p: Array) -> Array:
    """Two phases, each with its amount and width and three free positions, on a flat level."""
    total = np.full_like(angle, p[0])
    for k, name in enumerate(("cubic", "hexagonal")):
        amount, sigma = p[1 + 2 * k], p[2 + 2 * k]
        for j, area in enumerate(AREAS[name]):
            centre = p[5 + 3 * k + j]
            bell = np.exp(-0.5 * ((angle - centre) / sigma) ** 2)
            total += amount * area * bell / (sigma * np.sqrt(2.0 * np.pi))
    return total


def fit_pattern(pattern: Spectrum) -> tuple[Array, Array]:
    """Return the parameters of `_pattern` and their standard errors, shape (11,) each."""
    angle, counts = pattern.axis, pattern.values.astype(np.float64)
    level = float(np.percentile(counts, 20))
    scale = max(float((counts - level).sum() * (angle[1] - angle[0])), 1.0)
    start = np.array([level, 0.25 * scale, 0.35, 0.1 * scale, 0.08, *CUBIC, *HEXAGONAL])
    low = np.array([0.0, 0.0, 0.03, 0.0, 0.03, *(np.array([*CUBIC, *HEXAGONAL]) - 0.6)])
    high = np.array([np.inf, np.inf, 1.5, np.inf, 0.3, *(np.array([*CUBIC, *HEXAGONAL]) + 0.6)])
    error = np.sqrt(np.maximum(counts, 1.0))
    start = np.clip(start, low + 1e-9, high)
    fit = least_squares(
        lambda p: (_pattern(angle, p) - counts) / error,
        start,
        bounds=(low, high),
        x_scale=np.maximum(np.abs(start), 1e-2),
    )
    covariance = np.linalg.pinv(fit.jac.T @ fit.jac, hermitian=True)
    return np.asarray(fit.x), np.sqrt(np.maximum(np.diag(covariance), 0.0))


def _phases(pattern: Spectrum) -> dict[str, ObservableValue]:
    """Share of lead in Cs4PbBr6 and the positions of the lines of the phases that are there."""
    p, se = fit_pattern(pattern)
    cubic, hexagonal = float(p[1]), float(p[3])
    total = cubic + hexagonal
    if total < 5.0 * float(np.hypot(se[1], se[3])):
        return {}
    share = hexagonal / total
    error = float(np.hypot(cubic * se[3], hexagonal * se[1])) / total**2
    method = "two_phase_pattern@1"
    found = {"cs4_share": ObservableValue(share, float(np.hypot(error, 0.005)), "", method)}
    for k, (name, amount) in enumerate((("cubic", cubic), ("hexagonal", hexagonal))):
        if amount < 5.0 * se[1 + 2 * k]:
            continue
        for j in range(3):
            i = 5 + 3 * k + j
            value = ObservableValue(float(p[i]), float(np.hypot(se[i], 0.02)), "deg", method)
            found[f"{name}_line_{j + 1}"] = value
    return found


def _lifetime(histogram: Spectrum) -> dict[str, ObservableValue]:
    """Intensity-weighted mean lifetime: mean arrival time after the pulse."""
    counts, time = histogram.values.astype(np.float64), histogram.axis
    before = time < -0.5
    signal = counts - counts[before].mean()
    after = time >= 0.0
    total = float(signal[after].sum())
    if total < 1000.0:
        return {}
    mean = float((signal * time)[after].sum()) / total
    spread = float((counts * (time - mean) ** 2)[after].sum()) / total
    se = float(np.sqrt(spread / total))
    floor = 0.02 * mean
    value = ObservableValue(mean, float(np.hypot(se, floor)), "ns", "mean_arrival@1")
    return {"mean_lifetime": value}
