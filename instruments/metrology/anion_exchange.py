"""What an exchange experiment says: switching and incubation times, and emission over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from instruments.metrology.emission_scans import ScanLine, fit_scan
from instruments.metrology.quality import Finding, verdict
from instruments.metrology.trajectories import Rises, fit_rises
from instruments.station import Analysis, Measurement, ObservableValue, Series, Spectrum

Array = NDArray[np.float64]
ONSET_SHARE = 0.05
"""Share of its rise at which the light of the whole field has begun to rise."""
FEWEST = 10
"""Fewest fitted trajectories that a mean is taken of."""
WANTED = 100
"""Below this the errors are large enough to say so."""
DONE = 0.95
"""Share of the shift at which an exchange counts as complete."""
_GROUPS = 12


def analyse_exchange(measurement: Measurement) -> Analysis:
    """Derive observables, series and the verdict; deterministic."""
    spectra = {s.name: s for s in measurement.spectra}
    found, findings = _batch(spectra["tem_edges"])
    if "trajectories" in spectra:
        more, further, series = _single_particle(spectra["trajectories"])
    else:
        more, further, series = _scanned(spectra["initial"], spectra["scans"])
    word = verdict([*findings, *further])
    keep = {} if word.failure or word.kind in ("repeat", "stop") else {**found, **more}
    return Analysis(keep, word, series)


def _batch(tem: Spectrum) -> tuple[dict[str, ObservableValue], list[Finding]]:
    edges = tem.values.astype(np.float64)
    n, mean, deviation = len(edges), float(edges.mean()), float(edges.std(ddof=1))
    share = deviation / mean
    share_se = share * np.sqrt(0.5 / (n - 1) + share**2 / n)
    return {
        "measured_edge": ObservableValue(mean, deviation / np.sqrt(n), "nm", "tem_mean@1"),
        "measured_dispersion": ObservableValue(share, float(share_se), "", "tem_deviation@1"),
    }, []


def _grid(first: float, spacing: float, count: int) -> Array:
    return np.asarray(first + spacing * np.arange(count), dtype=np.float64)


@dataclass(frozen=True)
class Kept:
    """Trajectories that show one clear rise, and which they are."""

    rises: Rises
    kept: NDArray[np.bool_]
    front: float


def kept_rises(film: Spectrum) -> Kept:
    """Fit all trajectories of a film; keep those with a clear, complete rise after the front."""
    interval = float(film.settings["frame_interval"])
    front = float(film.settings["front_time"])
    traces = film.values.T.astype(np.float64)
    times = _grid(float(film.settings["frame_start"]), interval, traces.shape[1])
    rises = fit_rises(times, traces)
    end = float(times[-1])
    kept = (
        (rises.height > 6.0 * rises.height_se)
        & (rises.width_se < 0.5 * rises.width)
        & (rises.onset > front)
        & (rises.centre + 0.75 * rises.width < end)
        & (rises.width > interval)
    )
    return Kept(rises, kept, front)


def _single_particle(
    film: Spectrum,
) -> tuple[dict[str, ObservableValue], list[Finding], tuple[Series, ...]]:
    values = film.values
    interval = float(film.settings["frame_interval"])
    exposure = float(film.settings["exposure"])
    times = _grid(float(film.settings["frame_start"]), interval, len(values))
    whole = values.mean(axis=1, dtype=np.float64) / exposure
    series = (Series("field_intensity", times, whole, "1/s"),)
    if float(values[:20].std()) == 0.0:
        reason = "the camera must show noise in the dark, but every reading is the same; check it"
        return {}, [Finding("stop", reason)], series
    kept = kept_rises(film)
    count, total = int(kept.kept.sum()), len(kept.kept)
    if count < FEWEST:
        reason = (
            f"no exchange seen: {count} of {total} particles turned on within "
            f"{times[-1]:.0f} s; film longer or use more TMSI"
        )
        return {}, [Finding("accept", reason, "no_exchange")], series
    findings = []
    if count < WANTED:
        reason = f"few trajectories: {count} of {total} show a complete rise"
        findings.append(Finding("accept_wide", reason))
    return _times(film, kept, times, exposure), findings, series


def _times(
    film: Spectrum, kept: Kept, times: Array, exposure: float
) -> dict[str, ObservableValue]:
    width = kept.rises.width[kept.kept]
    waiting = kept.rises.onset[kept.kept] - kept.front
    height = kept.rises.height[kept.kept] / exposure
    share = float(kept.kept.mean())
    n = len(kept.kept)
    onset, onset_se = _field_onset(film.values.astype(np.float64), times, kept.front)

    def mean(data: Array, unit: str, method: str) -> ObservableValue:
        error = float(data.std(ddof=1) / np.sqrt(len(data)))
        return ObservableValue(float(data.mean()), error, unit, method)

    return {
        "switching_time": mean(width, "s", "sigmoid_10_90@1"),
        "switching_variation": _variation(width, "sigmoid_10_90@1"),
        "incubation_time": ObservableValue(onset, onset_se, "s", "field_onset@1"),
        "incubation_variation": _variation(waiting, "sigmoid_onset@1"),
        "particle_intensity": mean(height, "1/s", "sigmoid_height@1"),
        "switched_share": ObservableValue(
            share, float(np.sqrt(max(share * (1.0 - share), 1.0 / n) / n)), "", "kept_share@1"
        ),
    }


def _variation(data: Array, method: str) -> ObservableValue:
    """Standard deviation over mean, with its jackknife error."""
    n = len(data)
    total, square = data.sum(), (data**2).sum()
    mean = (total - data) / (n - 1)
    variance = np.maximum((square - data**2) / (n - 1) - mean**2, 0.0) * (n - 1) / (n - 2)
    left_out = np.sqrt(variance) / mean
    error = np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum())
    return ObservableValue(float(data.std(ddof=1) / data.mean()), float(error), "", method)


def _field_onset(values: Array, times: Array, front: float) -> tuple[float, float]:
    """When the summed light begins to rise, after the front's arrival, and its error [s].

    The error is a jackknife over groups of particles.
    """
    groups = np.arange(values.shape[1]) % _GROUPS
    sums = np.stack([values[:, groups == g].sum(axis=1) for g in range(_GROUPS)])
    whole = sums.sum(axis=0)
    first = _onset(whole, times) - front
    parts = np.array([_onset(whole - s, times) - front for s in sums])
    error = np.sqrt((_GROUPS - 1) / _GROUPS * ((parts - parts.mean()) ** 2).sum())
    return float(first), float(np.hypot(error, times[1] - times[0]))


def _onset(light: Array, times: Array) -> float:
    """First time from which the smoothed light stays above a share of its whole rise."""
    smooth = uniform_filter1d(light, max(3, len(light) // 150))
    base = float(np.median(light[: max(5, len(light) // 40)]))
    level = base + ONSET_SHARE * (float(smooth.max()) - base)
    below = np.flatnonzero(smooth[: int(np.argmax(smooth)) + 1] < level)
    if not len(below):
        return float(times[0])
    i = int(below[-1])
    if i + 1 >= len(times):
        return float(times[-1])
    share = (level - smooth[i]) / (smooth[i + 1] - smooth[i])
    return float(times[i] + share * (times[i + 1] - times[i]))


def _scanned(
    before: Spectrum, after: Spectrum
) -> tuple[dict[str, ObservableValue], list[Finding], tuple[Series, ...]]:
    first = fit_scan(before.axis, before.values.astype(np.float64), before.settings)
    lines = [fit_scan(after.axis, v.astype(np.float64), after.settings) for v in after.values]
    interval = float(after.settings["frame_interval"])
    times = _grid(float(after.settings["shaking_time"]), interval, len(lines))
    peaks = np.array([np.nan if s is None else s.peak for s in lines])
    tops = np.array([np.nan if s is None else s.rate for s in lines])
    series = (
        Series("peak_emission", times, peaks, "nm"),
        Series("intensity", times, tops, "1/s"),
    )
    for spectrum in (before, after):
        if float(spectrum.values.max()) >= float(spectrum.settings["saturation"]):
            reason = "the fluorimeter must not saturate, but it does; repeat with a narrower slit"
            return {}, [Finding("repeat", reason)], series
    last = lines[-1]
    if first is None or last is None:
        when = "before" if first is None else "after"
        reason = f"no emission: no line stands five times above the noise {when} the exchange"
        return {}, [Finding("accept", reason, "no_emission")], series
    found = _emission(first, last)
    findings = [_weak(last)] if last.signal < 25.0 else []
    shift = _shift(first, lines)
    if "aliquot" in after.settings:
        dose = float(after.settings["aliquot"])
        grid = _grid(dose, dose, len(lines))
        found["saturation_volume"] = _crossing(grid, shift, dose, "uL", "peak_shift_95@1")
    else:
        found["exchange_time"] = _crossing(times, shift, interval, "s", "peak_shift_95@1")
    return found, findings, series


def _weak(line: ScanLine) -> Finding:
    return Finding("accept_wide", f"weak signal: {line.signal:.1f} times the noise")


def _emission(first: ScanLine, last: ScanLine) -> dict[str, ObservableValue]:
    fit = "gaussian_wavelength@1"
    energy = 1239.841984 / last.peak**2 * 1e3
    return {
        "initial_emission": ObservableValue(first.peak, first.peak_se, "nm", fit),
        "initial_fwhm": ObservableValue(first.width, first.width_se, "nm", fit),
        "peak_emission": ObservableValue(last.peak, last.peak_se, "nm", fit),
        "emission_fwhm": ObservableValue(last.width, last.width_se, "nm", fit),
        "emission_linewidth": ObservableValue(
            last.width * energy, last.width_se * energy, "meV", fit
        ),
        "intensity": ObservableValue(last.rate, last.rate_se, "1/s", fit),
    }


def _shift(first: ScanLine, lines: list[ScanLine | None]) -> Array:
    """Shift of the line over its largest shift; NaN where a scan shows none."""
    moved = np.array([np.nan if s is None else s.peak - first.peak for s in lines])
    largest = float(np.nanmax(np.abs(moved)))
    return np.asarray(np.abs(moved) / max(largest, 1e-9))


def _crossing(
    grid: Array, shift: Array, spacing: float, unit: str, method: str
) -> ObservableValue:
    """Where the shift first reaches `DONE`; known to within the spacing of the readings."""
    i = int(np.flatnonzero(shift >= DONE)[0])
    error = spacing / np.sqrt(12.0)
    if i == 0 or not np.isfinite(shift[i - 1]):
        return ObservableValue(float(grid[i]), float(error), unit, method)
    share = (DONE - shift[i - 1]) / (shift[i] - shift[i - 1])
    return ObservableValue(
        float(grid[i - 1] + share * (grid[i] - grid[i - 1])), float(error), unit, method
    )
