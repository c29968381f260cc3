"""Plate measurements to observables: a pure function of the stored spectra and their settings.

As seed 002: a Gaussian per read. Standard errors of one well include what its position, meniscus
and mixing add, which a single well cannot show and replicates do.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from instruments.metrology.gaussian import Gaussians, fit_gaussians
from instruments.metrology.plate_samples import sample_observables
from instruments.metrology.quality import Finding, verdict
from instruments.station import Analysis, Measurement, ObservableValue, Series, Spectrum

Array = NDArray[np.float64]
METHOD = "gaussian_wavelength@1"
# Scatter between equal wells: residuals about the lines of seed 002's plates (specification 3.3).
WELL_PEAK = 2.5  # nm
WELL_WIDTH = 0.07  # relative
WELL_INTENSITY = 0.14  # relative
DRIFT_FLOOR = 0.3  # nm; pixels of 2 nm and a line that is no Gaussian
RETAINED_FLOOR = 0.02
LOWEST_SNR = 5.0
LOWEST_COUNTS = 20.0
WEAK_COUNTS = 200.0
WIDEST = 90.0  # nm; a broader line is background
MISFIT = 0.06  # residual over height of a line that is far from a Gaussian
FIRST_READS = 1
WIDE = 2.0


def analyse_plate(measurement: Measurement) -> Analysis:
    """Derive the observables and the verdict of one well.

    Raises:
        KeyError: the emission is missing.
    """
    spectra = {s.name: s for s in measurement.spectra}
    pl = spectra["pl"]
    counts = pl.values.astype(np.float64)
    usable = counts != float(pl.settings["overflow_mark"])
    lines = fit_gaussians(pl.axis, counts, usable)
    emits = _emits(pl.axis, lines)
    findings = _findings(pl, lines, emits, usable)
    samples, more = sample_observables(spectra)
    findings += more
    if any(f.failure for f in findings):
        return Analysis({}, verdict(findings), _series(pl, lines, emits))
    outcome = verdict(findings)
    factor = WIDE if outcome.kind == "accept_wide" else 1.0
    found = {**_first(lines), **_changes(lines, emits), **samples}
    widened = {
        n: ObservableValue(o.value, factor * o.se, o.unit, o.method) for n, o in found.items()
    }
    return Analysis(widened, outcome, _series(pl, lines, emits))


def _emits(axis: Array, lines: Gaussians) -> NDArray[np.bool_]:
    inside = (lines.centre > axis[0] + 10.0) & (lines.centre < axis[-1] - 10.0)
    strong = (lines.height > LOWEST_SNR * np.sqrt(np.maximum(lines.background, 1.0))) & (
        lines.height > LOWEST_COUNTS
    )
    return np.asarray(inside & strong & (lines.fwhm < WIDEST))


def _findings(
    pl: Spectrum, lines: Gaussians, emits: NDArray[np.bool_], usable: NDArray[np.bool_]
) -> list[Finding]:
    found = []
    if not emits[0]:
        found.append(
            Finding(
                "accept",
                f"a line must stand {LOWEST_COUNTS:g} counts above the background, but the first "
                f"read reaches {float(pl.values[0].max()):g} counts in all",
                "no_emission",
            )
        )
        return found
    lost = int((~usable[0]).sum())
    if lost:
        found.append(
            Finding("accept_wide", f"{lost} wavelengths of the first read overflowed the reader")
        )
    if lines.height[0] < WEAK_COUNTS:
        found.append(
            Finding(
                "accept_wide",
                f"the line has {lines.height[0]:.0f} counts, below {WEAK_COUNTS:g}: a weak signal",
            )
        )
    misfit = float(lines.noise[0] / lines.height[0])
    if misfit > MISFIT:
        found.append(
            Finding(
                "accept_wide", f"the line departs from a Gaussian by {misfit:.1%} of its height"
            )
        )
    return found


def _first(lines: Gaussians) -> dict[str, ObservableValue]:
    """What the first read gave."""
    width, height = float(lines.fwhm[0]), float(lines.height[0])
    return {
        "peak_emission": _value(lines.centre[0], lines.centre_se[0], WELL_PEAK, "nm"),
        "emission_fwhm": _value(width, lines.fwhm_se[0], WELL_WIDTH * width, "nm"),
        "intensity": _value(height, lines.height_se[0], WELL_INTENSITY * height, "counts"),
    }


def _changes(lines: Gaussians, emits: NDArray[np.bool_]) -> dict[str, ObservableValue]:
    """What half a day changed; the well's own offsets cancel."""
    height, last = float(lines.height[0]), -1
    kept = float(lines.height[last]) / height if emits[last] else 0.0
    error = abs(kept) * np.hypot(
        lines.height_se[0] / height, lines.height_se[last] / max(lines.height[last], 1.0)
    )
    floor = RETAINED_FLOOR + LOWEST_COUNTS / height
    found = {"intensity_retained": _value(kept, error, floor, "")}
    if emits[last]:
        shift = lines.centre[last] - lines.centre[0]
        se = float(np.hypot(lines.centre_se[0], lines.centre_se[last]))
        found["peak_drift"] = _value(shift, se, DRIFT_FLOOR, "nm")
        final = float(lines.fwhm[last])
        found["final_fwhm"] = _value(final, lines.fwhm_se[last], WELL_WIDTH * final, "nm")
    return found


def _series(pl: Spectrum, lines: Gaussians, emits: NDArray[np.bool_]) -> tuple[Series, ...]:
    start, step = float(pl.settings["frame_start"]), float(pl.settings["frame_interval"])
    time: Array = start + step * np.arange(len(pl.values), dtype=np.float64)
    named: Mapping[str, tuple[Array, str]] = {
        "peak_emission": (lines.centre, "nm"),
        "emission_fwhm": (lines.fwhm, "nm"),
        "intensity": (lines.height, "counts"),
    }
    return tuple(
        Series(name, time, np.where(emits, values, np.nan), unit)
        for name, (values, unit) in named.items()
    )


def _value(value: float, se: float, floor: float, unit: str) -> ObservableValue:
    return ObservableValue(float(value), float(np.hypot(se, floor)), unit, METHOD)
