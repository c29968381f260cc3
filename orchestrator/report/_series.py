"""What metrology followed over time in the best trials, derived again from their raw data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from instruments import Series
from orchestrator.report._figure import BLUE, ORANGE, PURPLE, Illustration, Layout, panels
from orchestrator.report._frames import scale_of_time
from orchestrator.report._marks import shade, widen
from orchestrator.report._record import Record
from orchestrator.report._section import Section
from orchestrator.report._spectra import chosen_trials
from orchestrator.report._words import axis_label, label, numbers

SLUG, TITLE = "series", "Observables over time"
SHOWN = 6
LOOKS = ((BLUE, "-"), (ORANGE, "--"), (PURPLE, ":"))

Found = Mapping[int, Sequence[Series]]


def series(record: Record) -> Section | None:
    """Return the part on observables over time; None where the station follows none."""
    every = {n: record.series(n) for n in chosen_trials(record)}
    found = {n: [s for s in every[n] if np.isfinite(s.values).sum() > 1] for n in every}
    names = _names(record, found)
    if not names:
        return None
    illustration = Illustration(
        "series", lambda at: _draw(record, found, names, at),
        f"{', '.join(label(n) for n in names)} over time in trials {numbers(found)}.",
        _caption(record, names),
    )  # fmt: skip
    return Section(SLUG, TITLE, figures=(illustration,))


def _names(record: Record, found: Found) -> list[str]:
    """Series to show: those that were wished for, then the others in the station's order."""
    present = list(dict.fromkeys(s.name for every in found.values() for s in every))
    wished = [n for n in record.observables if n in present]
    return list(dict.fromkeys([*wished, *present]))[:SHOWN]


def _draw(record: Record, found: Found, names: Sequence[str], layout: Layout) -> Figure:
    figure, grid = panels(layout, len(names), 2.1, min(3, len(names)))
    ends = [float(s.time[-1]) for every in found.values() for s in every]
    size, unit = scale_of_time(ends)
    for axes, name in zip(grid, names, strict=True):
        _panel(record, axes, found, name, size)
        axes.set_xlabel(f"time [{unit}]")
        axes.locator_params(axis="both", nbins=5)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(labels))
    return figure


def _panel(record: Record, axes: Axes, found: Found, name: str, size: float) -> None:
    unit = ""
    for (colour, line), (trial, every) in zip(LOOKS, found.items(), strict=False):
        best = " (the best)" if trial == record.best else ""
        for one in (s for s in every if s.name == name):
            unit = one.unit
            axes.plot(
                one.time / size, one.values, color=colour, linestyle=line, linewidth=1.1,
                label=f"trial {trial}{best}",
            )  # fmt: skip
    axes.set_ylabel(axis_label(name, unit), fontsize=8.0)
    if record.unit(name) == unit:
        values = [v for every in found.values() for s in every if s.name == name for v in s.values]
        axes.set_ylim(*widen([float(v) for v in values], record.wishes(name)))
        shade(axes, record.wishes(name))


def _caption(record: Record, names: Sequence[str]) -> str:
    parts = ["What the station's metrology makes of each frame of the best trials."]
    if any(record.wishes(n) for n in names):
        parts.append("The green band is what was wanted of the observable of that name.")
    return " ".join(parts)


__all__ = ["series"]
