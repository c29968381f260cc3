"""Frames of the best trials drawn: a few lines from early to late, or an image."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from agents import Objective
from orchestrator.report._figure import Illustration, Layout, new_figure
from orchestrator.report._frames import (
    Frames,
    is_emission,
    read_frames,
    scale_of_time,
    thinned,
)
from orchestrator.report._marks import shade
from orchestrator.report._record import Record
from orchestrator.report._spectra import (
    chosen_trials,
    ends_of_line,
    heading,
    spectral_wishes,
    with_room,
)
from orchestrator.report._words import duration, label, numbers, title, unit_text

KINDS = 3  # spectra of a trial that are shown
COLUMNS = 400  # frames of an image
COLOURS = "viridis"


def films(record: Record) -> Illustration | None:
    """Return the figure of what was read repeatedly; None where nothing was."""
    found = [(n, read_frames(record, n)[:KINDS]) for n in chosen_trials(record)]
    shown = [frames for _, frames in found if frames]
    if not shown:
        return None
    return Illustration(
        "frames", lambda at: _draw(record, shown, at), _alt(shown), _caption(record, shown)
    )


def _draw(record: Record, shown: Sequence[Sequence[Frames]], layout: Layout) -> Figure:
    wishes = spectral_wishes(record, "nm")
    kinds = list(dict.fromkeys(f.name for frames in shown for f in frames))
    limits = _emission_limits(shown, wishes)
    if layout.narrow:
        figure = new_figure(layout.width, 2.6 * len(kinds) * len(shown))
        flat = figure.subplots(len(kinds) * len(shown), 1, squeeze=False)[:, 0]
        grid = flat.reshape(len(shown), len(kinds)).T
    else:
        figure = new_figure(layout.width, 0.6 + 2.3 * len(kinds))
        grid = figure.subplots(len(kinds), len(shown), squeeze=False)
    for column, frames in enumerate(shown):
        named = {f.name: f for f in frames}
        for row, kind in enumerate(kinds):
            axes = grid[row][column]
            if kind not in named:
                axes.set_visible(False)
            elif named[kind].is_image:
                _image(axes, named[kind])
            else:
                _lines(axes, named[kind], wishes, limits)
        heading(record, grid[0][column], frames[0].trial)
    return figure


def _emission_limits(
    shown: Sequence[Sequence[Frames]], wishes: Sequence[Objective]
) -> tuple[float, float] | None:
    """The part of the axis that holds every emission line and wanted band."""
    ends = [b for w in wishes for b in w.bounds() if b is not None]
    for f in (f for frames in shown for f in frames if is_emission(f.name)):
        ends += [e for i in f.drawn() for e in ends_of_line(f.axis, np.nan_to_num(f.values[i]))]
    return with_room(ends) if ends else None


def _lines(
    axes: Axes,
    frames: Frames,
    wishes: Sequence[Objective],
    limits: tuple[float, float] | None,
) -> None:
    chosen = frames.drawn()
    shades = mpl.colormaps[COLOURS](np.linspace(0.0, 0.88, len(chosen))[::-1])
    for shade_, index in zip(shades, chosen, strict=True):
        axes.plot(
            frames.axis, frames.values[index], color=shade_, linewidth=0.8,
            label=duration(float(frames.times[index])),
        )  # fmt: skip
    low, high = float(frames.axis[0]), float(frames.axis[-1])
    if is_emission(frames.name) and limits is not None:
        low, high = max(low, limits[0]), min(high, limits[1])
    axes.set_xlim(low, high)
    if frames.axis_unit == "1/nm":
        axes.set_xlabel("scattering vector [1/nm]")
        _scattering(axes, frames)
    else:
        axes.set_xlabel(f"wavelength [{frames.axis_unit}]")
        _upright(axes, frames, chosen, low, high)
        if is_emission(frames.name):
            shade(axes, wishes, across=False)
    axes.set_ylabel(_named(frames))
    axes.legend(fontsize=6.5, labelspacing=0.15, handlelength=1.0, borderaxespad=0.1)


def _scattering(axes: Axes, frames: Frames) -> None:
    """Draw a pattern over decades on logarithmic axes."""
    if frames.axis[0] > 0.0 and frames.axis[-1] >= 10.0 * frames.axis[0]:
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(bottom=max(float(np.nanpercentile(frames.values, 1.0)), 0.5))
        for one in (axes.xaxis, axes.yaxis):
            one.set_minor_formatter(NullFormatter())
    else:
        axes.locator_params(axis="both", nbins=5)


def _upright(axes: Axes, frames: Frames, chosen: Sequence[int], low: float, high: float) -> None:
    inside = (frames.axis >= low) & (frames.axis <= high)
    seen = frames.values[list(chosen)][:, inside]
    floor, top = (float(v) for v in np.nanpercentile(seen, [0.2, 99.95]))
    axes.set_ylim(min(0.0, floor) - 0.03 * (top - floor), top + 0.1 * (top - floor))
    axes.ticklabel_format(axis="y", style="plain")
    axes.locator_params(axis="both", nbins=5)


def _image(axes: Axes, frames: Frames) -> None:
    """Draw what is seen of each thing along the axis, time to the right."""
    until = frames.bright_until()
    values, times = thinned(frames.values[:until], frames.times[:until], COLUMNS)
    size, unit = scale_of_time([float(times[-1])])
    low, high = np.nanpercentile(values, [1.0, 99.0])
    axes.imshow(
        values.T, aspect="auto", origin="lower", cmap="magma", vmin=low, vmax=high,
        interpolation="nearest", extent=(times[0] / size, times[-1] / size, 0, len(frames.axis)),
    )  # fmt: skip
    axes.set_xlabel(f"time [{unit}]")
    axes.set_ylabel(f"{title(frames.name)}, by position")
    axes.locator_params(axis="both", nbins=5)


def _named(frames: Frames) -> str:
    unit = unit_text(frames.unit)
    name = "PL" if frames.name == "pl" else label(frames.name)
    return f"{name} [{unit}]" if unit else name


def _kinds(shown: Sequence[Sequence[Frames]]) -> str:
    names = dict.fromkeys(_named(f).partition(" [")[0] for frames in shown for f in frames)
    return ", ".join(names)


def _alt(shown: Sequence[Sequence[Frames]]) -> str:
    trials = numbers(frames[0].trial.number for frames in shown)
    return f"Raw data over time ({_kinds(shown)}) of trials {trials}."


def _caption(record: Record, shown: Sequence[Sequence[Frames]]) -> str:
    every = [f for frames in shown for f in frames]
    parts = ["The best trials, best first."] if record.objectives else []
    if any(not f.is_image for f in every):
        parts.append("Lines run from early (light) to late (dark); the time is that of the frame.")
    if any(f.is_image for f in every):
        parts.append(
            "In an image each row is one object, in the order of its position; light is high, and "
            "the scale ends at the 1st and 99th percentile. It ends where the light has faded."
        )
    emission = [f for f in every if is_emission(f.name)]
    if emission and spectral_wishes(record, emission[0].axis_unit):
        parts.append("The green band is where the emission maximum was wanted.")
    if emission and all(f.dark_taken for f in emission):
        parts.append("The mean dark frame is subtracted.")
    return " ".join(parts)


__all__ = ["films"]
