"""What is read along the tube, on parallel lines and by photon counting, of a flow measurement."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from instruments.metrology import line_values, lineshape
from instruments.metrology.decay import fit_decay, pile_up_corrected
from instruments.metrology.lineshape import Array, FitError, Line
from instruments.station import ObservableValue, Series, Spectrum

RANGE_METHOD = "range_of_lines@1"
DECAY_METHOD = "poisson_exponentials@1"
LIFETIME_FLOOR = 0.02  # relative; the time axis and the response are known to about that (assumed)
LINE_FLOOR = 0.10  # nm
WIDTH_FLOOR = 0.15  # nm
LOWEST_SIGNAL = 3.0  # smoothed maximum of a frame over the read noise; below, no line is fitted


def tube_series(spectra: Mapping[str, Spectrum], lowest: float) -> tuple[Series, ...]:
    """Emission, linewidth, intensity and absorbance over residence time, where scanned.

    Args:
        spectra: Of the measurement, by name.
        lowest: Wavelength from which a line is looked for [nm].
    """
    frames = spectra.get("pl_along")
    if frames is None:
        return ()
    lines = _lines(frames, spectra["dark"], lowest)
    seconds = float(frames.settings["integration_time"])
    values = np.full((len(lines), 3), np.nan)
    for row, line in zip(values, lines, strict=True):
        if line is not None:
            broadening = float(frames.settings["point_spread"])
            row[0] = line_values.peak_wavelength(line)[0]
            row[1] = line_values.width_in_wavelength(line, broadening)[0]
            row[2] = line_values.total_counts(line)[0] / seconds
    time = _times(frames)
    absorbed = spectra["absorbance_along"]
    near = np.abs(absorbed.axis - 400.0) < 5.0
    found = [
        Series("peak_emission", time, values[:, 0], "nm"),
        Series("emission_fwhm", time, values[:, 1], "nm"),
        Series("intensity", time, values[:, 2], "counts/s"),
        Series(
            "absorbance_400",
            time,
            absorbed.values[:, near].astype(np.float64).mean(axis=1),
            "AU",
        ),
    ]
    decays = spectra.get("decay_along")
    if decays is not None:
        taus = [_lifetime(decays, counts)[0] for counts in decays.values.astype(np.float64)]
        found.append(Series("lifetime", time, np.array(taus), "ns"))
    return tuple(found)


def _times(frames: Spectrum) -> Array:
    s = frames.settings
    count = len(frames.values)
    return np.asarray(float(s["frame_start"]) + float(s["frame_interval"]) * np.arange(count))


def _lines(frames: Spectrum, dark: Spectrum, lowest: float) -> list[Line | None]:
    """Fit each frame; None where there is no line."""
    level = lineshape.smooth(dark.axis, dark.values.astype(np.float64), lineshape.DARK_SPAN)
    scale = float(frames.settings["integration_time"]) / float(dark.settings["integration_time"])
    floor = float(np.median(level))
    noise = float(frames.settings["read_noise"])
    extra = float(frames.settings["dark_rate"]) * float(frames.settings["integration_time"])
    found: list[Line | None] = []
    for counts in frames.values.astype(np.float64):
        lit = counts - floor - (level - floor) * scale
        if (
            float(lineshape.smooth(frames.axis, lit, 0.5 * lineshape.LINE_SPAN).max())
            < LOWEST_SIGNAL * noise
        ):
            found.append(None)
            continue
        try:
            found.append(
                lineshape.fit_line(frames.axis, lit, read_noise=noise, lowest=lowest, extra=extra)
            )
        except FitError:
            found.append(None)
    return found


def line_ranges(spectra: Mapping[str, Spectrum], lowest: float) -> dict[str, ObservableValue]:
    """Range of peak and linewidth over the parallel lines; nothing for one line."""
    frames = spectra.get("pl_lines")
    if frames is None:
        return {}
    lines = [line for line in _lines(frames, spectra["dark"], lowest) if line is not None]
    if len(lines) < 2:
        return {}
    broadening = float(frames.settings["point_spread"])
    peaks = np.array([line_values.peak_wavelength(line) for line in lines])
    widths = np.array([line_values.width_in_wavelength(line, broadening) for line in lines])
    return {
        "emission_range": _range(peaks, LINE_FLOOR),
        "fwhm_range": _range(widths, WIDTH_FLOOR),
    }


def _range(values: Array, floor: float) -> ObservableValue:
    """Largest less least of values with errors, shape (n, 2)."""
    low, high = int(np.argmin(values[:, 0])), int(np.argmax(values[:, 0]))
    se = float(np.hypot(values[low, 1], values[high, 1]))
    spread = float(values[high, 0] - values[low, 0])
    return ObservableValue(spread, float(np.hypot(se, floor)), "nm", RANGE_METHOD)


def lifetime(spectra: Mapping[str, Spectrum]) -> dict[str, ObservableValue]:
    """Mean lifetime of the decay, where photons were counted.

    Weighted by the light of each component, sum(a tau^2) / sum(a tau): S004 speaks of average
    lifetimes without saying how they are weighted, and this is the customary way.
    """
    counted = spectra.get("decay")
    if counted is None:
        return {}
    value, se = _lifetime(counted, counted.values.astype(np.float64))
    if not np.isfinite(value):
        return {}
    error = float(np.hypot(se, LIFETIME_FLOOR * value))
    return {"lifetime": ObservableValue(value, error, "ns", DECAY_METHOD)}


def _lifetime(counted: Spectrum, counts: Array) -> tuple[float, float]:
    if counts.sum() < 500.0:
        return float("nan"), float("nan")
    s = counted.settings
    whole = pile_up_corrected(counts, float(s["pulses"]))
    fit = fit_decay(counted.axis, whole, start=float(s["pulse"]), width=float(s["response"]))
    light = fit.amplitudes * fit.lifetimes
    mean = float(light @ fit.lifetimes / light.sum())
    return mean, mean * float(fit.mean_error / fit.mean)
