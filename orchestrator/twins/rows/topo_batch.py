"""The rows of seed 001 (TOPO/PbBr2), judged through the station's own frames."""

from __future__ import annotations

import math

import numpy as np

from instruments.metrology import exciton_frames, structure_peaks
from instruments.metrology import topo_batch as metrology
from instruments.metrology.topo_batch import Frames
from orchestrator.twins.checks import Check, RowFunction, Use, above, below, difference
from orchestrator.twins.rows import _topo_runs as runs
from orchestrator.twins.rows._topo_notes import FITTED, NOTES
from surrogate_sim.parameters import TwinParameters


def _band(
    label: str, ours: float, published: float, half: float, unit: str, use: Use, kind: str
) -> Check:
    return Check(label, ours, published - half, published + half, unit, use, kind, published)


def _size(label: str, ours: float, published: float, half: float, use: Use) -> Check:
    return _band(label, ours, published, half, "nm", use, "size_nm")


def tp_01(p: TwinParameters) -> tuple[Check, ...]:
    """Precursor to agglomerates: rise and position of the ultraviolet band, diluted 2.5 times."""
    made, frames = runs.measured(p, runs.ULTRAVIOLET)
    light = next(s for s in made.spectra if s.name == "absorbance")
    rise = frames.ultraviolet[frames.light_time <= 0.65]  # until crystals absorb there too
    height = np.concatenate([[0.0], rise]) / float(rise[-2:].mean())
    reached = np.interp(0.9, np.maximum.accumulate(height), [0.0, *frames.light_time[: len(rise)]])
    energy = exciton_frames.band_maximum(light.axis, light.values[:3].mean(axis=0), 3.6, 4.1)
    return (
        Check("t90 of the ultraviolet band", float(reached), 0.0, 0.25, "s", "C", "time_s", 0.1),
        _band("energy of the band", energy, 3.87, 0.05, "eV", "C", "energy_eV"),
    )


def tp_02(p: TwinParameters) -> tuple[Check, ...]:
    """Size of the first crystals."""
    _, frames = runs.measured(p, runs.DOPA)
    return (_size("first crystals", runs.first(frames.of("size")), 4.4, 0.3, "C"),)


def _peak_number(frames: Frames) -> tuple[float, float]:
    """Largest number and when; over three frames, by a parabola through nine."""
    time, number = frames.saxs_time[:40], frames.of("number")[:40]
    smooth = np.array([np.nanmean(number[max(i - 1, 0) : i + 2]) for i in range(len(number))])
    top = int(np.nanargmax(smooth))
    near = slice(max(top - 4, 0), top + 5)
    known = np.isfinite(number[near])
    curve = np.polyfit(time[near][known] - time[top], number[near][known], 2)
    shift = -0.5 * curve[1] / curve[0] if curve[0] < 0.0 else 0.0
    return float(smooth[top]), float(time[top] + np.clip(shift, -1.0, 1.0))


def tp_03(p: TwinParameters) -> tuple[Check, ...]:
    """Largest number of crystals, and when."""
    _, frames = runs.measured(p, runs.DOPA)
    number, time = _peak_number(frames)
    return (
        _band("largest number", number, 4.2, 1.05, "µmol/L", "C", "number_uM"),
        _band("time of the largest number", time, 3.0, 1.0, "s", "C", "time_s"),
    )


def _at(frames: Frames, name: str, time: float, half: float = 1.0) -> float:
    return runs.near(frames.saxs_time, frames.of(name), time, half)


def tp_04(p: TwinParameters) -> tuple[Check, ...]:
    """Size at the plateau."""
    _, frames = runs.measured(p, runs.DOPA)
    return (_size("size at 30 s", _at(frames, "size", 30.0), 7.4, 0.3, "C"),)


def tp_05(p: TwinParameters) -> tuple[Check, ...]:
    """Dispersion at the plateau."""
    _, frames = runs.measured(p, runs.DOPA)
    late, early = _at(frames, "deviation", 30.0), _at(frames, "deviation", 5.0)
    return (
        _band("deviation at 30 s", late, 0.70, 0.25, "nm", "H", "deviation_nm"),
        below("deviation at 30 s less that at 5 s", late - early, "H", "nm"),
    )


def tp_06(p: TwinParameters) -> tuple[Check, ...]:
    """Mass in crystals at 3 s over that at 30 s, from N d^3 as published."""
    _, frames = runs.measured(p, runs.DOPA)
    mass = frames.of("number") * frames.of("size") ** 3
    time = frames.saxs_time
    ratio = runs.near(time, mass, 3.0, 0.5) / runs.near(time, mass, 30.0, 1.0)
    return (_band("mass(3 s) / mass(30 s)", ratio, 0.80, 0.12, "", "C", "ratio"),)


def tp_07(p: TwinParameters) -> tuple[Check, ...]:
    """Yield on caesium at the end of growth."""
    made, frames = runs.measured(p, runs.DOPA)
    value = runs.near(frames.saxs_time, runs.gained(made, frames), 30.0, 1.0)
    return (_band("yield at 30 s", value, 0.61, 0.06, "", "C", "yield"),)


def tp_08(p: TwinParameters) -> tuple[Check, ...]:
    """Number by absorbance at the end."""
    _, frames = runs.measured(p, runs.DOPA)
    edge = exciton_frames.apparent_edge(float(np.nanmean(frames.light("peak")[-5:])))
    fraction = math.log(10.0) * float(frames.blue[-5:].mean()) / (0.1 * frames.path * 7.5e4)
    number = fraction / edge**3 / 6.02214076e-7
    return (_band("optical number", number, 1.1, 0.275, "µmol/L", "C", "number_uM"),)


def tp_09(p: TwinParameters) -> tuple[Check, ...]:
    """Size after 300 s."""
    _, frames = runs.measured(p, runs.DOPA)
    return (_size("size at 300 s", _at(frames, "size", 300.0, 5.0), 8.1, 0.35, "C"),)


def tp_10(p: TwinParameters) -> tuple[Check, ...]:
    """Ripening after 30 s."""
    _, frames = runs.measured(p, runs.DOPA)

    def change(name: str) -> float:
        return _at(frames, name, 295.0, 8.0) - _at(frames, name, 30.0, 2.0)

    return (
        difference("size gained", change("size"), 1e-9, 1.0, "C", "nm"),
        above("deviation gained", change("deviation"), "C", "nm"),
        below("number lost", change("number"), "C", "µmol/L"),
    )


def tp_11(p: TwinParameters) -> tuple[Check, ...]:
    """Agglomerates become crystals: what is left by scattering, the closure by the balance."""
    _, frames = runs.measured(p, runs.DOPA)
    start = runs.near(frames.saxs_time, frames.of("agglomerates"), 0.5, 0.01)
    left = _at(frames, "agglomerates", 30.0) / start
    known = runs.reaction(p, "dopa", 60.0).at(np.array([0.5, 30.0]))
    lost = known.agglomerate[0] - known.agglomerate[1]
    won = known.bound.sum(axis=1)
    closure = (won[1] - won[0] - lost) / lost
    return (
        Check("agglomerates(30 s) / (0.5 s)", left, -0.05, 0.05, "", "H", "ratio", 0.0),
        Check("mass won less lost, over lost", float(closure), -0.02, 0.02, "", "H", "ratio", 0.0),
    )


def tp_12(p: TwinParameters) -> tuple[Check, ...]:
    """Nucleation window over growth time: until agglomerates fall below 2 % of the first."""
    _, frames = runs.measured(p, runs.DOPA)
    left = frames.of("agglomerates") / frames.of("agglomerates")[0]
    smooth = np.convolve(left, np.full(5, 0.2), mode="same")
    after = np.flatnonzero((smooth < 0.02) & (frames.saxs_time > 5.0))
    end = float(frames.saxs_time[after[0]]) if len(after) else math.nan
    ratio = _peak_number(frames)[1] / end
    return (Check("nucleation / growth time", ratio, 0.07, 0.15, "", "C", "ratio", 0.10),)


def tp_13(p: TwinParameters) -> tuple[Check, ...]:
    """First size that absorbance gives with the calibration of cubes, from the peak's position.

    The early peak is a broad shoulder: the fit of the whole edge trades position against width.
    """
    _, frames = runs.measured(p, runs.DOPA)
    peaks = frames.light("peak")
    middle = float(np.median(peaks[np.isfinite(peaks)][:3]))
    edge = exciton_frames.apparent_edge(middle)
    return (_size("first apparent edge", edge, 3.8, 0.2, "C"),)


def tp_14(p: TwinParameters) -> tuple[Check, ...]:
    """Width of the first exciton."""
    _, frames = runs.measured(p, runs.DOPA)
    width = 1e3 * frames.light("width")
    late = runs.near(frames.light_time, width, 13.5, 6.5)
    return (
        _band("first width", runs.first(width, 3), 340.0, 70.0, "meV", "C", "width_meV"),
        _band("width from 7 to 20 s", late, 135.0, 20.0, "meV", "C", "width_meV"),
    )


def tp_15(p: TwinParameters) -> tuple[Check, ...]:
    """Plateau that absorbance gives with the calibration of cubes."""
    _, frames = runs.measured(p, runs.DOPA)
    energy = runs.near(frames.light_time, frames.light("peak"), 20.0, 0.6)
    return (_size("apparent edge at 20 s", exciton_frames.apparent_edge(energy), 7.6, 0.6, "D"),)


def tp_16(p: TwinParameters) -> tuple[Check, ...]:
    """First minimum of the scattering at the end, scaled to 8.1 nm by the fitted size."""
    made, frames = runs.measured(p, runs.DOPA)
    late = next(s for s in made.spectra if s.name == "saxs_late")
    rings = late.axis * np.gradient(late.axis)
    pattern = late.values[-20:].astype(float).mean(axis=0) / rings
    inside = (late.axis > 0.8) & (late.axis < 1.5)
    curve = np.polyfit(late.axis[inside], pattern[inside], 4)
    fine = np.linspace(0.85, 1.45, 601)
    lowest = float(fine[np.argmin(np.polyval(curve, fine))])
    scaled = lowest * _at(frames, "size", 295.0, 8.0) / 8.1
    published = 4.493 / 4.05
    check = _band("minimum at 8.1 nm", scaled, published, 0.05 * published, "1/nm", "H", "q_nm")
    return (check,)


def tp_17(p: TwinParameters) -> tuple[Check, ...]:
    """Oleate after 2 s."""
    _, frames = runs.measured(p, runs.OLEATE)
    number = _at(frames, "number", 2.0, 0.1)
    return (
        _size("oleate, size at 2 s", _at(frames, "size", 2.0, 0.1), 3.4, 0.4, "C"),
        Check("oleate, number at 2 s", number, 4.8, 120.0, "µmol/L", "D", "number_uM", 24.0),
    )


def tp_18(p: TwinParameters) -> tuple[Check, ...]:
    """Oleate: yield after 2 s over the final one."""
    made, frames = runs.measured(p, runs.OLEATE)
    value = runs.gained(made, frames)
    ratio = runs.near(frames.saxs_time, value, 2.0, 0.5) / float(np.nanmean(value[-10:]))
    return (_band("yield(2 s) / final", ratio, 0.76, 0.10, "", "C", "ratio"),)


def tp_19(p: TwinParameters) -> tuple[Check, ...]:
    """Oleate: when the yield comes within 5 % of the final one, and over that with DOPA."""
    made, frames = runs.measured(p, runs.OLEATE)
    value = runs.gained(made, frames)
    final = float(np.nanmean(value[-10:]))
    smooth = np.array([np.nanmean(value[max(i - 2, 0) : i + 3]) for i in range(len(value))])
    reached = float(frames.saxs_time[int(np.argmax(smooth >= 0.95 * final))])
    other, dopa = runs.measured(p, runs.DOPA)
    whole = runs.near(dopa.saxs_time, runs.gained(other, dopa), 30.0, 1.0)
    return (
        _band("time of the final yield", reached, 14.0, 4.0, "s", "C", "time_s"),
        _band("oleate / DOPA yield", final / whole, 0.25, 0.07, "", "C", "ratio"),
    )


def tp_20(p: TwinParameters) -> tuple[Check, ...]:
    """Oleate against DOPA: a burst, no focusing, numbers that fall from the first frame."""
    _, frames = runs.measured(p, runs.OLEATE)
    course = runs.reaction(p, "oleate", 60.0).at(np.linspace(0.05, 20.0, 400))
    burst = float(course.time[int(np.argmax(course.total >= 0.9 * course.total.max()))])
    width = _at(frames, "deviation", 60.0, 5.0) - _at(frames, "deviation", 5.0, 1.0)
    number = _at(frames, "number", 14.0, 1.0) - _at(frames, "number", 2.0, 0.5)
    return (
        Check("nine tenths of the nuclei", burst, 0.0, 0.25, "s", "C", "time_s"),
        above("deviation gained", width, "C", "nm"),
        below("number lost from 2 to 14 s", number, "C", "µmol/L"),
    )


def tp_21(p: TwinParameters) -> tuple[Check, ...]:
    """Dilute oleate: sizes at which the first exciton lingers, for two dilutions.

    Read off the second derivative, by which seed 001 shows the steps: two sizes are always in the
    vessel, one unit cell apart, and a fit of the whole edge finds their mean, not a peak.
    """
    found = []
    for dilution in (35.0, 45.0):
        _, frames = runs.measured(p, runs.dilute_oleate(dilution))
        edges = np.array([exciton_frames.apparent_edge(e) if e > 0.0 else math.nan
                          for e in frames.light("peak")])  # fmt: skip
        found.append(runs.histogram_peaks(edges))
    count = min(len(f) for f in found)
    spacing = float(np.mean(np.diff(found[0]))) if len(found[0]) > 1 else math.nan
    shift = float(np.abs(found[0][:count] - found[1][:count]).max()) if count else math.nan
    return (
        Check("peaks in the histogram", float(count), 4.0, math.inf, "", "C", "count"),
        _band("spacing of the peaks", spacing, 0.587, 0.1, "nm", "C", "difference"),
        Check("shift with dilution", shift, 0.0, 0.15, "nm", "C", "difference", 0.0),
    )


def _onset(frames: Frames) -> int:
    """First X-ray frame with a structure peak; -1 where there is none."""
    spacing = np.isfinite(metrology.structure_spacing(frames))
    return int(np.argmax(spacing)) if spacing.any() else -1


def tp_22(p: TwinParameters) -> tuple[Check, ...]:
    """100 degC: when structure peaks appear, and the size then."""
    _, frames = runs.measured(p, runs.HOT)
    at = _onset(frames)
    time = float(frames.saxs_time[at]) if at >= 0 else math.nan
    size = runs.first(frames.of("size")[at:]) if at >= 0 else math.nan
    return (
        _size("size at the onset", size, 11.6, 1.0, "C"),
        _band("time of the onset", time, 90.0, 20.0, "s", "C", "time_s"),
    )


def tp_23(p: TwinParameters) -> tuple[Check, ...]:
    """Orders of the stack's peak, over the frames from the onset to where the first order splits.

    Seed 001 speaks of three periodic peaks up to 300 s. The spacing shrinks meanwhile, by more
    from frame to frame than the third order is wide, so each frame is scaled to its own spacing.
    """
    made, frames = runs.measured(p, runs.HOT)
    at = _onset(frames)
    names = ("second over first order", "third over first order")
    if at < 0:
        return tuple(_band(n, math.nan, 2.0, 0.1, "", "C", "ratio") for n in ("spacing", *names))
    split = _split(frames)
    seen = metrology.stack_structure(made, frames, at, split if split > at else len(frames.peaks))
    first = 2.0 * math.pi / float(metrology.structure_spacing(frames)[at])
    ratios = {
        o: structure_peaks.order_position(seen.q, seen.factor, seen.deviation, o * first) / first
        for o in (2, 3)
    }
    spacing = runs.first(metrology.structure_spacing(frames), 2)
    return (
        _band("spacing of the first peaks", spacing, 16.0, 0.4, "nm", "C", "spacing_nm"),
        *(_band(n, r, float(o), 0.04 * o, "", "C", "ratio")
          for n, (o, r) in zip(names, ratios.items(), strict=True)),
    )  # fmt: skip


def _split(frames: Frames) -> int:
    """First X-ray frame where the first order has split into several peaks; -1 for none."""
    for i, peaks in enumerate(frames.peaks):
        if sum(k.position < 0.55 for k in peaks) >= 2:
            return i
    return -1


def tp_24(p: TwinParameters) -> tuple[Check, ...]:
    """Onset of three dimensions: when, at which spacing and gap."""
    _, frames = runs.measured(p, runs.HOT)
    at = _split(frames)
    time = float(frames.saxs_time[at]) if at >= 0 else math.nan
    spacing = float(metrology.structure_spacing(frames)[at - 1]) if at > 0 else math.nan
    size = float(frames.of("size")[at]) if at >= 0 else math.nan
    return (
        _band("spacing", spacing, 14.8, 0.3, "nm", "H", "spacing_nm"),
        _band("gap", spacing - size, 3.2, 0.4, "nm", "H", "gap_nm"),
        _band("time", time, 300.0, 60.0, "s", "C", "time_s"),
    )


def tp_25(p: TwinParameters) -> tuple[Check, ...]:
    """The final crystal: coherent size and the layers along its axes."""
    made, frames = runs.measured(p, runs.HOT)
    at = _onset(frames)
    names = ("coherent size", "b / a", "c / a")
    if at < 0:
        return tuple(_band(n, math.nan, 1.1, 0.05, "", "C", "ratio") for n in names)
    end = len(frames.peaks)
    seen = metrology.mean_structure(made, frames, end - 5, end)
    spacing = metrology.structure_spacing(frames)
    shortest = float(spacing[np.isfinite(spacing)][-1])
    found = structure_peaks.fit_lattice(seen.q, seen.factor, shortest, frames.resolution)
    return (
        _band(names[0], found.domain, 300.0, 75.0, "nm", "C", "domain_nm"),
        _band(names[1], found.axes[1] / found.axes[0], 1.1, 0.05, "", "C", "ratio"),
        _band(names[2], found.axes[2] / found.axes[0], 1.2, 0.05, "", "C", "ratio"),
    )


ROWS: dict[str, RowFunction] = {
    "TP-01": tp_01, "TP-02": tp_02, "TP-03": tp_03, "TP-04": tp_04, "TP-05": tp_05,
    "TP-06": tp_06, "TP-07": tp_07, "TP-08": tp_08, "TP-09": tp_09, "TP-10": tp_10,
    "TP-11": tp_11, "TP-12": tp_12, "TP-13": tp_13, "TP-14": tp_14, "TP-15": tp_15,
    "TP-16": tp_16, "TP-17": tp_17, "TP-18": tp_18, "TP-19": tp_19, "TP-20": tp_20,
    "TP-21": tp_21, "TP-22": tp_22, "TP-23": tp_23, "TP-24": tp_24, "TP-25": tp_25,
}  # fmt: skip
"""Every row of seed 001."""
__all__ = ["FITTED", "NOTES", "ROWS"]
