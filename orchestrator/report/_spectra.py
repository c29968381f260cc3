"""What the best trials look like: emission against the wanted band, absorbance beneath."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from agents import Objective
from orchestrator.campaign import UnitError, convert
from orchestrator.ledger import StoredSpectrum, TrialRow
from orchestrator.report._figure import BLACK, BLUE, PURPLE, Illustration, Layout, new_figure
from orchestrator.report._marks import shade
from orchestrator.report._record import Record
from orchestrator.report._section import Section, absent
from orchestrator.report._words import label, measured, number, numbers, unit_text

SLUG, TITLE = "spectra", "Spectra of the best trials"
SHOWN = 3
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Light:
    """The spectra of one trial that are worth a look.

    `emission` is (axis, counts) less the dark where `dark_taken`; arrays of shape (n,).
    """

    trial: TrialRow
    emission: tuple[Array, Array] | None
    dark_taken: bool
    seconds: float | None
    absorbance: tuple[Array, Array] | None
    axis_unit: str
    counts_unit: str


def spectra(record: Record, others: Sequence[Illustration] = ()) -> Section:
    """Return the part on spectra, with the other figures that belong to it."""
    found = [light for n in chosen_trials(record) if (light := read_light(record, n)) is not None]
    if not found and others:
        return Section(SLUG, TITLE, figures=tuple(others))
    if not found:
        why = {
            "imported": "The imported records hold no spectra.",
        }
        none = "No completed trial has stored spectra."
        return absent(SLUG, TITLE, why.get(record.row.source, none))
    illustration = Illustration(
        "spectra", lambda at: _draw(record, found, at), _alt(found), _caption(record, found)
    )
    return Section(SLUG, TITLE, figures=(illustration, *others))


def chosen_trials(record: Record) -> list[int]:
    """The trials to show: the best, best first, or the last where none is better."""
    return record.ranked(SHOWN) or [o.trial for o in record.done[-SHOWN:]]


def read_light(record: Record, number_: int) -> Light | None:
    """Read a trial's emission and absorbance; None where it has neither.

    The dark is taken off only where it has the emission's axis and integration time.
    """
    stored = record.spectra(number_)
    single = [s for s in stored if s.values.ndim == 1]
    emission = next((s for s in single if s.name == "pl" or s.name.startswith("pl_")), None)
    absorbance = next((s for s in single if s.name.startswith("absorbance")), None)
    if emission is None and absorbance is None:
        return None
    dark = next((s for s in stored if s.name == "dark"), None)
    taken = emission is not None and dark is not None and _fits(emission, dark)
    counts = None
    if emission is not None:
        level = dark.values.astype(np.float64) if taken and dark is not None else 0.0
        counts = (emission.axis.astype(np.float64), emission.values.astype(np.float64) - level)
    first = emission or absorbance
    seconds = emission.settings.get("integration_time") if emission is not None else None
    return Light(
        trial=record.trial(number_),
        emission=counts,
        dark_taken=taken,
        seconds=float(seconds) if seconds is not None else None,
        absorbance=None
        if absorbance is None
        else (absorbance.axis.astype(np.float64), absorbance.values.astype(np.float64)),
        axis_unit=first.axis_unit if first is not None else "",
        counts_unit=emission.unit if emission is not None else "",
    )


def _fits(emission: StoredSpectrum, dark: StoredSpectrum) -> bool:
    if emission.values.shape != dark.values.shape or not np.array_equal(emission.axis, dark.axis):
        return False
    times = [s.settings.get("integration_time") for s in (emission, dark)]
    return times[0] == times[1]


def window(lights: Sequence[Light], wishes: Sequence[Objective]) -> tuple[float, float]:
    """The part of the axis that holds every emission line and wanted band, with room beside."""
    ends: list[float] = [b for w in wishes for b in w.bounds() if b is not None]
    for light in lights:
        if light.emission is None:
            continue
        ends += ends_of_line(*light.emission)
    if not ends:
        every = [light.absorbance[0] for light in lights if light.absorbance is not None]
        return float(min(a.min() for a in every)), float(max(a.max() for a in every))
    return with_room(ends)


def ends_of_line(axis: Array, counts: Array) -> list[float]:
    """Where an emission line falls to a tenth of its height; the whole axis without a line."""
    wide = 15 if len(axis) > 300 else 5
    smooth = np.convolve(counts, np.full(wide, 1.0 / wide), mode="same")
    smooth -= np.median(smooth)
    inside = axis[smooth >= 0.1 * smooth.max()] if smooth.max() > 0 else axis
    return [float(inside.min()), float(inside.max())]


def with_room(ends: Sequence[float]) -> tuple[float, float]:
    """Limits of a light axis that show the surroundings of what lies between `ends`."""
    room = max(0.6 * (max(ends) - min(ends)), 30.0)
    return min(ends) - 1.5 * room, max(ends) + room


def spectral_wishes(record: Record, axis_unit: str) -> list[Objective]:
    """The wishes on positions of the light axis, as bands in the axis' unit."""
    found = []
    for wish in record.objectives:
        if not record.spectral(wish.observable):
            continue
        try:
            ends = [
                None if b is None else convert(b, wish.unit, axis_unit, spectral=True)
                for b in wish.bounds()
            ]
        except UnitError:
            continue
        if ends[0] is not None and ends[1] is not None:
            ends.sort(key=lambda e: e or 0.0)
        found.append(Objective(wish.observable, "constraint", min=ends[0], max=ends[1]))
    return found


def _draw(record: Record, lights: Sequence[Light], layout: Layout) -> Figure:
    wishes = spectral_wishes(record, lights[0].axis_unit)
    limits = window(lights, wishes)
    count = len(lights)
    if layout.narrow:
        figure = new_figure(layout.width, 3.4 * count)
        ratios = [2.0, 1.0] * count
        grid = figure.subplots(2 * count, 1, squeeze=False, height_ratios=ratios)
        pairs = [(grid[2 * i][0], grid[2 * i + 1][0]) for i in range(count)]
    else:
        figure = new_figure(layout.width, 3.9)
        grid = figure.subplots(2, count, squeeze=False, sharex="col", height_ratios=[2.0, 1.0])
        pairs = [(grid[0][i], grid[1][i]) for i in range(count)]
    for light, (upper, lower) in zip(lights, pairs, strict=True):
        _emission(record, upper, light, wishes, limits)
        _absorbance(lower, light, wishes, limits)
    return figure


def _emission(
    record: Record,
    axes: Axes,
    light: Light,
    wishes: Sequence[Objective],
    limits: tuple[float, float],
) -> None:
    heading(record, axes, light.trial)
    axes.set_xlim(*limits)
    if light.emission is None:
        axes.text(0.5, 0.5, "no emission spectrum", ha="center", transform=axes.transAxes)
        return
    axis, counts = light.emission
    axes.plot(axis, counts, color=BLUE, linewidth=0.8, zorder=3)
    visible = counts[(axis >= limits[0]) & (axis <= limits[1])]
    low, high = float(visible.min()), float(visible.max())
    axes.set_ylim(min(0.0, low) - 0.03 * (high - low), high + 0.08 * (high - low))
    shade(axes, wishes, across=False)
    for name, seen in _positions(record, light):
        axes.axvline(
            seen, color=BLACK, linewidth=0.9, linestyle=(0, (1, 1.5)), zorder=4, label=name
        )
    unit = unit_text(light.counts_unit)
    axes.set_ylabel(f"PL [{unit}]" if unit else "PL")
    axes.ticklabel_format(axis="y", style="plain")
    axes.locator_params(axis="both", nbins=5)


def _positions(record: Record, light: Light) -> list[tuple[str, float]]:
    """The trial's wished-for positions on the light axis."""
    names = dict.fromkeys(o.observable for o in record.objectives if record.spectral(o.observable))
    seen = [(n, light.trial.observables[n]) for n in names if n in light.trial.observables]
    return [(n, s.value) for n, s in seen if s.unit == light.axis_unit]


def heading(record: Record, axes: Axes, trial: TrialRow) -> None:
    """Set the trial in bold above what was measured of it."""
    lines = _summary(record, trial)
    best = ", the best" if trial.number == record.best else ""
    axes.set_title("\n".join(lines), fontsize=7.5, fontweight="normal", linespacing=1.25)
    axes.annotate(
        f"Trial {trial.number}{best}", (0.0, 1.0), xycoords="axes fraction",
        xytext=(0, 7.0 + 10.2 * len(lines)), textcoords="offset points", va="bottom",
        fontsize=9, fontweight="bold",
    )  # fmt: skip


def _summary(record: Record, trial: TrialRow) -> list[str]:
    lines: list[str] = []
    for name in record.observables[:4]:
        seen = trial.observables.get(name)
        if seen is not None:
            lines.append(f"{label(name)} {measured(seen.value, seen.se, seen.unit)}")
    return lines


def _absorbance(
    axes: Axes, light: Light, wishes: Sequence[Objective], limits: tuple[float, float]
) -> None:
    axes.set_xlim(*limits)
    axes.set_xlabel(f"wavelength [{light.axis_unit}]" if light.axis_unit else "wavelength")
    axes.set_ylabel("absorbance")
    if light.absorbance is None:
        axes.text(0.5, 0.5, "no absorbance spectrum", ha="center", transform=axes.transAxes)
        return
    axis, values = light.absorbance
    axes.plot(axis, values, color=PURPLE, linewidth=0.8, zorder=3)
    visible = values[(axis >= limits[0]) & (axis <= limits[1]) & np.isfinite(values)]
    if len(visible):
        low, high = (float(v) for v in np.percentile(visible, [0.5, 99.5]))
        axes.set_ylim(min(0.0, low) - 0.05 * (high - low), high + 0.15 * (high - low) + 1e-6)
    shade(axes, wishes, across=False)
    axes.locator_params(axis="both", nbins=5)


def _alt(lights: Sequence[Light]) -> str:
    trials = numbers(light.trial.number for light in lights)
    return f"Emission spectra with absorbance beneath, of trials {trials}."


def _caption(record: Record, lights: Sequence[Light]) -> str:
    parts = []
    if record.objectives:
        parts.append("The best trials, best first.")
    if spectral_wishes(record, lights[0].axis_unit):
        parts.append(
            "The emission maximum (dotted) should lie in the green band, which is what was wanted."
        )
    seconds = [f"{number(s, 3)} s" for light in lights if (s := light.seconds) is not None]
    if seconds:
        same = list(dict.fromkeys(seconds))
        shown = ", ".join(same if len(same) == 1 else seconds)
        parts.append(f"Counts in {shown} of integration.")
    if all(light.dark_taken for light in lights):
        parts.append("The dark spectrum of the same integration time is subtracted.")
    else:
        kept = [light.trial.number for light in lights if not light.dark_taken]
        parts.append(
            f"Trial {numbers(kept)} has no dark spectrum of the same axis and integration time, "
            "so its dark level is still in."
        )
    parts.append("Beneath, the absorbance: its edge lies somewhat to the blue of the emission.")
    return " ".join(parts)
