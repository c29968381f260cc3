"""From a batch measurement to observables: X-ray frames, absorbance frames, verdict, series."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from instruments.metrology import exciton_frames, quality, structure_peaks
from instruments.metrology.exciton_frames import ExcitonFrame
from instruments.metrology.small_angle import UNKNOWN, PatternFit, Populations
from instruments.metrology.structure_peaks import Peak
from instruments.station import Analysis, Measurement, ObservableValue, Series, Spectrum

Array = NDArray[np.float64]
SAXS_METHOD = "two_populations@1"
LIGHT_METHOD = "edge_frames@1"
PEAK_METHOD = "structure_peaks@1"
LATTICE_METHOD = "lattice_fit@1"
CONTRAST = 1220.0 - 229.0
"""Electrons per nm3 of CsPbBr3 less those of hexane (physics specification 3.2)."""
AGGLOMERATE = 3.0
"""Diameter of the agglomerates, taken as known (seed 001) [nm]."""
CELL = 0.583
"""Pseudo-cubic lattice constant of CsPbBr3 [nm] (Stoumpos 2013)."""
INTRINSIC_400 = 7.5e4
"""Natural absorption coefficient of CsPbBr3 at 400 nm [1/cm] (Maes 2018, as a prior)."""
LAST = 5
"""Frames at the end over which observables are averaged."""
SCALE_FLOOR = 0.04  # of the absolute intensity, and so of every concentration from it
INTRINSIC_FLOOR = 0.10  # of the absorption coefficient
SIZE_FLOOR, WIDTH_FLOOR = 0.005, 0.005  # nm, steps of the size table
SPACING_FLOOR, LATTICE_FLOOR = 0.05, 0.3  # nm, peak position; overlapping reflections
ENERGY_FLOOR = 0.0005  # eV, line shape against that of the reference samples
FIRST_ORDER = 0.55  # 1/nm, below which a structure peak is of first order
TRACKED = 0.03  # 1/nm that a peak may move from frame to frame
ORDERED = 3.0  # reduced chi square above which a pattern holds structure peaks
POOR_FIT = 1.6  # reduced chi square above which two populations do not describe the pattern
DEEP = 2.5  # absorbance at 400 nm beyond which stray light shapes the edge
_FORMULA_PER_UM = 1e-3  # formula units [mM] per particle [µM] and unit


@dataclass(frozen=True)
class Frames:
    """What was derived from each frame.

    Attributes:
        saxs_time: Shape (t,) [s].
        populations: One for each X-ray frame.
        peaks: Structure peaks of each X-ray frame.
        light_time: Shape (l,) [s].
        excitons: One for each absorbance frame.
        ultraviolet: Shape (l,), absorbance at 320 nm, the red end subtracted.
        blue: Shape (l,), absorbance at 400 nm, the red end subtracted.
        path: Optical path [mm].
        resolution: FWHM of the small-angle detector [1/nm].
    """

    saxs_time: Array
    populations: Sequence[Populations]
    peaks: Sequence[list[Peak]]
    light_time: Array
    excitons: Sequence[ExcitonFrame]
    ultraviolet: Array
    blue: Array
    path: float
    resolution: float

    def of(self, name: str) -> Array:
        """One attribute of the populations over time, shape (t,)."""
        return np.array([getattr(p, name) for p in self.populations])

    def light(self, name: str) -> Array:
        """One attribute of the excitons over time, shape (l,)."""
        return np.array([getattr(e, name) for e in self.excitons])


@dataclass(frozen=True)
class Structure:
    """A structure factor: scattering vectors [1/nm], values, deviations, shapes (n,)."""

    q: Array
    factor: Array
    deviation: Array


def formula_concentration(number: Array, cube_moment: Array) -> Array:
    """Formula units in spheres [mmol/L] from their number [µmol/L] and mean cube [nm3]."""
    return np.asarray(number * math.pi / 6.0 * cube_moment / CELL**3 * _FORMULA_PER_UM)


def analyse(measurement: Measurement) -> Analysis:
    """Derive observables, verdict and series.

    Raises:
        KeyError: a spectrum of the batch procedure is missing.
    """
    frames = read_frames(measurement)
    caesium = _caesium(measurement)
    findings = _findings(frames)
    verdict = quality.verdict(findings)
    if verdict.failure or verdict.kind in ("repeat", "stop"):
        return Analysis({}, verdict, _series(frames, caesium))
    wide = 2.0 if verdict.kind == "accept_wide" else 1.0
    found = {**_scattered(measurement, frames, caesium), **_absorbed(frames)}
    observables = {
        n: ObservableValue(o.value, wide * o.se, o.unit, o.method) for n, o in found.items()
    }
    return Analysis(observables, verdict, _series(frames, caesium))


def _caesium(measurement: Measurement) -> float:
    return float(measurement.conditions["caesium_in_vessel"]["value"])


def read_frames(measurement: Measurement) -> Frames:
    """Fit every frame of a measurement."""
    spectra = {s.name: s for s in measurement.spectra}
    time, counts = _joined(spectra, "saxs")
    first = spectra["saxs"]
    ligand = str(measurement.requested["caesium_ligand"])
    populations, peaks = fit_patterns(first, counts, ligand)
    light_time, values = _joined(spectra, "absorbance")
    light = spectra["absorbance"]
    excitons = exciton_frames.follow(light.axis, values, float(light.settings["noise"]))
    dark = np.median(values[:, light.axis > 545.0], axis=1)
    return Frames(
        time, populations, peaks, light_time, excitons,
        _band(light.axis, values, 320.0) - dark, _band(light.axis, values, 400.0) - dark,
        float(light.settings["path_length"]), float(first.settings["resolution"]),
    )  # fmt: skip


def _band(axis: Array, values: Array, wavelength: float) -> Array:
    return np.asarray(values[:, np.abs(axis - wavelength) <= 2.5].mean(axis=1))


def _joined(spectra: Mapping[str, Spectrum], name: str) -> tuple[Array, Array]:
    """Times and values of the early and, where there are any, the late frames."""
    parts = [spectra[n] for n in (name, f"{name}_late") if n in spectra]
    times = [
        float(s.settings["frame_start"])
        + float(s.settings["frame_interval"]) * np.arange(len(s.values))
        for s in parts
    ]
    return np.concatenate(times), np.concatenate([s.values for s in parts]).astype(np.float64)


def fit_patterns(
    first: Spectrum, counts: Array, ligand: str
) -> tuple[list[Populations], list[list[Peak]]]:
    """Fit small-angle frames, the last one first.

    With DOPA there are agglomerates beside the crystals; with oleate a single population is
    fitted (seed 001). Frames with structure peaks keep the sizes seen before.
    """
    fit = _pattern_fit(first, ligand)
    ordered = _first_ordered(fit, counts) if ligand == "dopa" else len(counts)
    populations: list[Populations] = []
    start: tuple[float, float] | None = None
    for frame in counts[:ordered][::-1]:
        found, _ = fit.frame(frame, start)
        populations.append(found)
        start = None if math.isnan(found.size) else (found.size, found.deviation)
    populations.reverse()
    peaks: list[list[Peak]] = [[] for _ in populations]
    before = populations[-1] if populations else None
    for frame in counts[ordered:]:
        found, seen = _ordered_frame(fit, frame, before)
        populations.append(found)
        peaks.append(seen)
    return populations, peaks


def _pattern_fit(first: Spectrum, ligand: str) -> PatternFit:
    q = first.axis
    sensitivity = float(first.settings["sensitivity"]) * q * np.gradient(q) / 0.005
    return PatternFit(q, sensitivity, CONTRAST, AGGLOMERATE if ligand == "dopa" else None)


def _first_ordered(fit: PatternFit, counts: Array) -> int:
    """Index of the first frame with structure peaks, found by halving: order does not go away.

    So there is none where the last frame has none. A misfit from the first frame on is not order
    either, which needs crystals to come first: it is a shape that two populations do not have.
    """
    if fit.frame(counts[-1], None)[0].fit_quality <= ORDERED:
        return len(counts)
    low, high = 0, len(counts)
    while low < high:
        middle = (low + high) // 2
        if fit.frame(counts[middle], None)[0].fit_quality > ORDERED:
            high = middle
        else:
            low = middle + 1
    return low or len(counts)


def _ordered_frame(
    fit: PatternFit, frame: Array, before: Populations | None
) -> tuple[Populations, list[Peak]]:
    """Divide by the form factor seen before the order set in; its amplitude from large q."""
    if before is None or math.isnan(before.size):
        return UNKNOWN, []
    use = fit.q > structure_peaks.BEYOND
    found, model = fit.amplitudes(frame, before, use)
    dots = found.number * fit.crystals(found.size, found.deviation)
    factor, deviation = structure_peaks.structure_factor(frame, dots, model - dots)
    return found, structure_peaks.find_peaks(fit.q, factor, deviation)


def _findings(frames: Frames) -> list[quality.Finding]:
    found: list[quality.Finding] = []
    last = frames.populations[-LAST:]
    scattered = any(p.size > 0.0 for p in last)
    absorbed = any(e.energy > 0.0 for e in frames.excitons[-LAST:])
    if not scattered and not absorbed:
        reason = "no crystals: neither the last patterns nor the last spectra show any"
        return [quality.Finding("accept", reason, "no_particles")]
    if not scattered:
        reason = "scattering too weak for sizes: only the absorbance speaks"
        found.append(quality.Finding("accept_wide", reason))
    if frames.peaks[-1]:
        reason = "assembled: the sizes are those seen before order set in"
        found.append(quality.Finding("accept_wide", reason))
    poor = float(np.median([p.fit_quality for p in last]))
    if poor > POOR_FIT:
        reason = f"pattern: reduced chi square {poor:.1f}, so the sizes are not one Gaussian"
        found.append(quality.Finding("accept_wide", reason))
    if float(frames.blue[-1]) > DEEP:
        reason = f"absorbance {frames.blue[-1]:.1f} at 400 nm: stray light shapes the edge"
        found.append(quality.Finding("accept_wide", reason))
    return found


def mean_of_last(values: Array, errors: Array, count: int = LAST) -> tuple[float, float]:
    """Mean of the last values that exist, and its error: of the frames, or their scatter."""
    known = np.isfinite(values[-count:])
    if not known.any():
        return math.nan, math.nan
    part, error = values[-count:][known], errors[-count:][known]
    stated = float(np.sqrt(np.mean(error**2)))
    scatter = float(np.std(part, ddof=1)) if len(part) > 2 else 0.0
    return float(part.mean()), max(stated, scatter) / math.sqrt(len(part))


def _scattered(
    measurement: Measurement, frames: Frames, caesium: float
) -> dict[str, ObservableValue]:
    if not np.isfinite(frames.of("size")[-LAST:]).any():
        return {}
    number, number_se = mean_of_last(frames.of("number"), frames.of("number_se"))
    bound = formula_concentration(frames.of("number"), frames.of("cube_moment"))
    gained, gained_se = mean_of_last(
        bound / caesium, bound / caesium * frames.of("number_se") / frames.of("number")
    )
    found = {
        **sizes(frames.populations),
        "number_concentration": _value(
            number, number_se, SCALE_FLOOR * number, "µmol/L", SAXS_METHOD
        ),
        "yield": _value(gained, gained_se, SCALE_FLOOR * gained, "", SAXS_METHOD),
    }
    return found | _spacing_observable(measurement, frames)


def sizes(populations: Sequence[Populations]) -> dict[str, ObservableValue]:
    """Mean and deviation of the diameter in the last frames; none where no crystals are seen."""
    if not any(math.isfinite(p.size) for p in populations[-LAST:]):
        return {}
    found = {}
    rows = (("mean_size", "size", SIZE_FLOOR), ("size_dispersion", "deviation", WIDTH_FLOOR))
    for name, of, floor in rows:
        values = np.array([getattr(p, of) for p in populations])
        errors = np.array([getattr(p, f"{of}_se") for p in populations])
        value, se = mean_of_last(values, errors)
        found[name] = _value(value, se, floor, "nm", SAXS_METHOD)
    return found


def _spacing_observable(measurement: Measurement, frames: Frames) -> dict[str, ObservableValue]:
    """Spacing along the stack at the end: of the tracked peak, or of the lattice it ended in."""
    spacing = structure_spacing(frames)
    tracked = spacing[np.isfinite(spacing)]
    if not len(tracked) or not frames.peaks[-1]:
        return {}
    known = spacing[-LAST:][np.isfinite(spacing[-LAST:])]
    if len(known) > 2:
        se = float(np.std(known, ddof=1) / math.sqrt(len(known)))
        value = _value(float(known.mean()), se, SPACING_FLOOR, "nm", PEAK_METHOD)
        return {"structure_spacing": value}
    count = len(frames.peaks)
    seen = mean_structure(measurement, frames, count - LAST, count)
    lattice = structure_peaks.fit_lattice(
        seen.q, seen.factor, float(tracked[-1]), frames.resolution
    )
    return {"structure_spacing": _value(lattice.axes[0], 0.0, LATTICE_FLOOR, "nm", LATTICE_METHOD)}


def structure_spacing(frames: Frames) -> Array:
    """Spacing along the stack in each X-ray frame, shape (t,) [nm]; NaN without peaks.

    The highest peak of first order where order sets in, then the one nearest to the last.
    """
    out = np.full(len(frames.peaks), math.nan)
    last = math.nan
    for i, peaks in enumerate(frames.peaks):
        first = [p for p in peaks if p.position < FIRST_ORDER]
        if math.isnan(last) and first:
            last = max(first, key=lambda p: p.height).position
        else:
            near = [p.position for p in first if abs(p.position - last) < TRACKED]
            if not near:
                continue
            last = min(near, key=lambda x, past=last: abs(x - past))  # type: ignore[misc]
        out[i] = 2.0 * math.pi / last
    return out


def mean_structure(measurement: Measurement, frames: Frames, start: int, stop: int) -> Structure:
    """Structure factor over frames `start` to `stop`, by the form factor seen before order."""
    spectra = {s.name: s for s in measurement.spectra}
    _, counts = _joined(spectra, "saxs")
    fit = _pattern_fit(spectra["saxs"], "dopa")
    pattern, part = counts[start:stop].mean(axis=0), frames.populations[start]
    found, model = fit.amplitudes(pattern, part, fit.q > structure_peaks.BEYOND)
    dots = found.number * fit.crystals(found.size, found.deviation)
    factor, deviation = structure_peaks.structure_factor(pattern, dots, model - dots)
    return Structure(fit.q, factor, deviation / math.sqrt(len(counts[start:stop])))


def stack_structure(measurement: Measurement, frames: Frames, start: int, stop: int) -> Structure:
    """Structure factor over frames `start` to `stop`, each scaled to the spacing of the first.

    The spacing shrinks by several per cent while stacks last, more than a higher order is wide,
    so frames that are not scaled blur it. Frames without a first order are left out.
    """
    spacing = structure_spacing(frames)
    shown = [i for i in range(start, stop) if math.isfinite(spacing[i])]
    seen = [mean_structure(measurement, frames, i, i + 1) for i in shown]
    scale = spacing[shown] / spacing[shown[0]]
    q = seen[0].q
    factor = [np.interp(q, q * k, s.factor) for k, s in zip(scale, seen, strict=True)]
    error = [np.interp(q, q * k, s.deviation) for k, s in zip(scale, seen, strict=True)]
    total = np.sqrt((np.array(error) ** 2).sum(axis=0)) / len(error)
    return Structure(q, np.mean(factor, axis=0), total)


def _absorbed(frames: Frames) -> dict[str, ObservableValue]:
    energy, energy_se = mean_of_last(frames.light("energy"), frames.light("energy_se"))
    if math.isnan(energy):
        return {}
    width, width_se = mean_of_last(frames.light("width"), frames.light("width_se"))
    edge = exciton_frames.apparent_edge(energy)
    blue = float(frames.blue[-LAST:].mean())
    fraction = 2.302585 * blue / (0.1 * frames.path * INTRINSIC_400)
    number = fraction / edge**3 / 6.02214076e-7
    return {
        "first_exciton": _value(energy, energy_se, ENERGY_FLOOR, "eV", LIGHT_METHOD),
        "exciton_fwhm": _value(
            1e3 * width, 1e3 * width_se, 1e3 * ENERGY_FLOOR, "meV", LIGHT_METHOD
        ),
        "optical_concentration": _value(
            number, 0.0, INTRINSIC_FLOOR * number, "µmol/L", LIGHT_METHOD
        ),
    }


def _value(value: float, se: float, floor: float, unit: str, method: str) -> ObservableValue:
    return ObservableValue(value, math.hypot(se, floor), unit, method)


def _series(frames: Frames, caesium: float) -> tuple[Series, ...]:
    bound = formula_concentration(frames.of("number"), frames.of("cube_moment"))
    x_rays = {
        "mean_size": (frames.of("size"), "nm"),
        "size_dispersion": (frames.of("deviation"), "nm"),
        "number_concentration": (frames.of("number"), "µmol/L"),
        "yield": (bound / caesium, ""),
        "agglomerates": (frames.of("agglomerates"), "1/cm"),
        "structure_spacing": (structure_spacing(frames), "nm"),
    }
    edges = [exciton_frames.apparent_edge(e) if e > 0.0 else math.nan
             for e in frames.light("energy")]  # fmt: skip
    light = {
        "first_exciton": (frames.light("energy"), "eV"),
        "exciton_fwhm": (1e3 * frames.light("width"), "meV"),
        "apparent_edge": (np.array(edges), "nm"),
        "ultraviolet_absorbance": (frames.ultraviolet, "AU"),
    }
    return (
        *(Series(n, frames.saxs_time, v, u) for n, (v, u) in x_rays.items()),
        *(Series(n, frames.light_time, v, u) for n, (v, u) in light.items()),
    )


__all__ = ["Frames", "analyse", "read_frames", "structure_spacing"]
