"""What a micropipette's raw data say: emission over time, stages, decay, sizes, composition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from instruments.errors import InstrumentError
from instruments.metrology._frames import FittedFrames, fit_frames
from instruments.metrology.decay import fit_decay, pile_up_corrected
from instruments.metrology.growth_stages import Stages, find_stages
from instruments.metrology.quality import Finding, verdict
from instruments.station import Analysis, Measurement, ObservableValue, Series, Spectrum

Array = NDArray[np.float64]
LEAST_SIGNAL = 5.0
"""Signal over noise below which a frame holds no line: the highest of some 15 independent
means of pure noise exceeds 3, the detection limit, every few frames, and 5 hardly ever."""
WEAK_SIGNAL = 12.0
ENDING = 0.04  # share of the record at its end, and at its start, that one number stands for
_HC = 1239.841984
_GAUSS = float(np.sqrt(np.pi / (4.0 * np.log(2.0))))  # area of a Gaussian of unit height, FWHM
LEAST_PHOTONS = 2000


def fitted(pl: Spectrum, dark: Spectrum) -> FittedFrames:
    """Fit every frame of `pl` after subtraction of the mean `dark` level."""
    level = dark.values.astype(np.float64).mean(axis=0).mean()
    settings: Mapping[str, Any] = pl.settings
    return fit_frames(
        pl.axis,
        pl.values.astype(np.float64) - level,
        read_noise=float(settings["read_noise"]),
        binning=int(settings["binning"]),
        least_signal=LEAST_SIGNAL,
    )


def frame_times(pl: Spectrum) -> Array:
    """Middle of each exposure after the laser went on, shape (frames,) [s]."""
    settings = pl.settings
    start = float(settings["frame_start"]) + 0.5 * float(settings["integration_time"])
    return np.asarray(start + float(settings["frame_interval"]) * np.arange(len(pl.values)))


def analyse_growth(measurement: Measurement) -> Analysis:
    """Derive observables, verdict and series; deterministic.

    Raises:
        InstrumentError: a spectrum is missing.
    """
    spectra = {s.name: s for s in measurement.spectra}
    missing = [n for n in ("dark", "pl", "decay", "tem", "icp") if n not in spectra]
    if missing:
        raise InstrumentError(
            f"a growth must have recorded {', '.join(missing)}, but they are absent; "
            "measure it again"
        )
    pl = spectra["pl"]
    frames = fitted(pl, spectra["dark"])
    times = frame_times(pl)
    series = _series(times, frames, pl)
    findings = _findings(frames, pl)
    found: dict[str, ObservableValue] = {}
    seen = np.isfinite(frames.values[:, 1])
    if not any(f.failure or f.kind in ("repeat", "stop") for f in findings):
        found |= _emission(times[seen], frames, seen, pl)
        found |= _decay(spectra["decay"]) | _sizes(spectra["tem"]) | _ratio(spectra["icp"])
    return Analysis(found, verdict(findings), series)


def _findings(frames: FittedFrames, pl: Spectrum) -> list[Finding]:
    full = int(np.count_nonzero(pl.values >= 0.999 * float(pl.settings["saturation"])))
    if full:
        reason = (
            f"no pixel may reach saturation at {pl.settings['saturation']:g} counts, but {full} "
            "do; repeat with a shorter integration time or less laser power"
        )
        return [Finding("accept", reason, "saturated")]
    last = max(int(np.ceil(ENDING * len(frames.signal))), 1)
    seen = np.isfinite(frames.values[-last:, 1])
    signal = float(np.median(frames.signal[-last:]))
    if signal < LEAST_SIGNAL or not seen.any():
        reason = f"no emission: the signal at the end is {signal:.1f} times the noise"
        return [Finding("accept", reason, "no_emission")]
    if signal < WEAK_SIGNAL:
        return [Finding("accept_wide", f"weak signal: {signal:.1f} times the noise")]
    return []


def _value(
    value: float, error: float, unit: str, method: str, version: int = 1
) -> ObservableValue:
    return ObservableValue(float(value), float(error), unit, f"{method}@{version}")


def _mean(values: Array, errors: Array) -> tuple[float, float]:
    weight = 1.0 / np.maximum(errors, 1e-9) ** 2
    return float(values @ weight / weight.sum()), float(1.0 / np.sqrt(weight.sum()))


def _emission(
    times: Array, frames: FittedFrames, seen: NDArray[np.bool_], pl: Spectrum
) -> dict[str, ObservableValue]:
    values, errors = frames.values[seen], frames.errors[seen]
    share = max(int(np.ceil(ENDING * len(times))), 1)
    end = slice(len(times) - share, None)
    peak, peak_error = _mean(values[end, 1], errors[end, 1])
    raw, width_error = _mean(values[end, 2], errors[end, 2])
    spread = float(pl.settings["point_spread"])
    width = float(_own_width(raw, spread))
    first, first_error = values[0, 1], errors[0, 1]
    area, area_error = (a[seen] for a in _areas(frames, pl))
    bright, bright_error = _mean(area[end], area_error[end])
    method = "gaussian"
    found = {
        "peak_emission": _value(peak, peak_error, "nm", method),
        "emission_fwhm": _value(width, width_error, "nm", method),
        "emission_linewidth": _value(
            1e3 * _HC * width / peak**2, 1e3 * _HC * width_error / peak**2, "meV", method
        ),
        "intensity": _value(bright, bright_error, "counts/s", method),
        "initial_peak": _value(first, first_error, "nm", method),
        "peak_shift": _value(peak - first, np.hypot(peak_error, first_error), "nm", method),
    }
    stages = find_stages(times, values[:, 1], values[:, 2], errors[:, 1])
    return found | _stages(stages, spread)


def _own_width(width: ArrayLike, spread: float) -> Array:
    """FWHM without the spectrometer's point spread [nm]; at least 1 nm."""
    return np.asarray(np.sqrt(np.maximum(np.square(width) - spread**2, 1.0)))


def _stages(stages: Stages, spread: float) -> dict[str, ObservableValue]:
    found: dict[str, ObservableValue] = {}
    if np.isfinite(stages.first_end):
        found["stage_1_duration"] = _value(stages.first_end, stages.first_error, "s", "bend", 2)
        narrowest = float(_own_width(stages.narrowest, spread))
        found["narrowest_fwhm"] = _value(narrowest, stages.narrowest_error, "nm", "boxcar", 2)
    if np.isfinite(stages.second_end) and stages.second_end > stages.first_end:
        duration = stages.second_end - stages.first_end
        error = np.hypot(stages.first_error, 0.05 * stages.second_end)
        found["stage_2_duration"] = _value(duration, error, "s", "bend", 2)
    return found


def _areas(frames: FittedFrames, pl: Spectrum) -> tuple[Array, Array]:
    """Counts per second in the line and their errors, shape (frames,) each."""
    pixel = float(pl.axis[1] - pl.axis[0]) / int(pl.settings["binning"])
    factor = _GAUSS / pixel / float(pl.settings["integration_time"])
    return factor * frames.values[:, 0] * frames.values[:, 2], factor * frames.area_errors


def _series(times: Array, frames: FittedFrames, pl: Spectrum) -> tuple[Series, ...]:
    area, _ = _areas(frames, pl)
    width = _own_width(frames.values[:, 2], float(pl.settings["point_spread"]))
    return (
        Series("peak_emission", times, frames.values[:, 1], "nm"),
        Series("emission_fwhm", times, width, "nm"),
        Series("intensity", times, area, "counts/s"),
        Series("signal_to_noise", times, frames.signal, ""),
    )


def _decay(counted: Spectrum) -> dict[str, ObservableValue]:
    counts = counted.values.astype(np.float64)
    if counts.sum() < LEAST_PHOTONS:
        return {}
    s = counted.settings
    whole = pile_up_corrected(counts, float(s["pulses"]))
    fit = fit_decay(counted.axis, whole, start=float(s["pulse"]), width=float(s["response"]))
    return {
        "lifetime": _value(fit.mean, fit.mean_error, "ns", "exponentials"),
        "lifetime_fast": _value(fit.lifetimes[0], fit.fast_error, "ns", "exponentials"),
        "decay_components": _value(len(fit.lifetimes), 0.0, "", "exponentials"),
    }


def _sizes(tem: Spectrum) -> dict[str, ObservableValue]:
    edges = tem.values.astype(np.float64)
    n = len(edges)
    if n < 10:
        return {}
    mean, spread = float(edges.mean()), float(edges.std(ddof=1))
    share = 100.0 * spread / mean
    return {
        "mean_size": _value(mean, spread / np.sqrt(n), "nm", "micrograph"),
        "size_dispersion": _value(share, share / np.sqrt(2.0 * n), "percent", "micrograph"),
    }


def _ratio(icp: Spectrum) -> dict[str, ObservableValue]:
    values = icp.values.astype(np.float64)
    if not np.all(values[:, 1] > 0.0):
        return {}
    ratio = values[:, 0] / values[:, 1]
    error = ratio.std(ddof=1) / np.sqrt(len(ratio))
    return {"cs_pb_ratio": _value(ratio.mean(), error, "", "icp")}
