"""All checks of all twins beside their bands, on one sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from orchestrator.report._figure import BAND, BLUE, GREY, ORANGE, VERMILLION, new_figure
from orchestrator.twins.catalogue import TWINS
from orchestrator.twins.checks import Check
from orchestrator.twins.scoreboard import Score

_EDGE = 2.6
"""Numbers farther out than this, in half bands, are drawn here with an arrow's head."""


def draw(scores: Sequence[Score]) -> Figure:
    """One panel for each twin, one line for each row."""
    names = [n for n in TWINS if any(s.row.twin == n for s in scores)]
    longest = max(sum(s.row.twin == n for s in scores) for n in names)
    figure = new_figure(2.5 * len(names) + 0.4, 0.19 * longest + 1.3)
    grid = figure.subplots(1, len(names), squeeze=False)[0]
    for axes, name in zip(grid, names, strict=True):
        _panel(axes, name, [s for s in scores if s.row.twin == name], longest)
    figure.legend(handles=_legend(), loc="outside lower center", ncols=3)
    return figure


def _panel(axes: Axes, name: str, scores: Sequence[Score], longest: int) -> None:
    axes.axvspan(-1.0, 1.0, color=BAND, lw=0, zorder=0)
    axes.axvline(0.0, color="white", lw=1.0, zorder=1)
    for i, score in enumerate(scores):
        for check in score.checks:
            _mark(axes, i, check)
        _verdict(axes, i, score)
    axes.set_title(name)
    axes.set_xlim(-3.0, 3.8)
    axes.set_ylim(longest - 0.4, -0.6)
    axes.set_yticks(range(len(scores)), [s.row.id for s in scores], fontsize=7)
    axes.set_xticks([-2, -1, 0, 1, 2])
    axes.set_xlabel("(ours − middle) / half band")
    axes.tick_params(axis="y", length=0)


def _mark(axes: Axes, at: int, check: Check) -> None:
    colour = GREY if check.use == "D" else BLUE if check.passed else VERMILLION
    face = colour if check.use == "H" else "white"
    place, marker = _place(check)
    axes.plot(place, at, marker, ms=4.3, mfc=face, mec=colour, mew=1.0, zorder=3, clip_on=False)


def _place(check: Check) -> tuple[float, str]:
    """Where a check stands, and its marker: a square where only one side is bounded."""
    if not math.isfinite(check.ours):
        return _EDGE, "x"
    if not (math.isfinite(check.low) and math.isfinite(check.high)) or check.low == check.high:
        return (0.0 if check.passed else 2.0), "s"
    value = (check.ours - 0.5 * (check.low + check.high)) / (0.5 * (check.high - check.low))
    if abs(value) > _EDGE:
        return math.copysign(_EDGE, value), ">" if value > 0.0 else "<"
    return value, "o"


def _verdict(axes: Axes, at: int, score: Score) -> None:
    sign, colour = {True: ("+", BLUE), False: ("−", VERMILLION), None: ("?", ORANGE)}[score.passed]
    axes.text(3.3, at, sign, color=colour, ha="center", va="center", fontsize=9, fontweight="bold")


def _legend() -> list[Line2D]:
    def entry(marker: str, face: str, edge: str, label: str) -> Line2D:
        return Line2D([], [], ls="none", marker=marker, mfc=face, mec=edge, ms=5, label=label)

    return [
        entry("o", BLUE, BLUE, "held out, met"),
        entry("o", VERMILLION, VERMILLION, "held out, missed"),
        entry("s", GREY, GREY, "bound on one side only (an ordering)"),
        entry("o", "white", BLUE, "calibration or identity, met"),
        entry("o", "white", VERMILLION, "calibration or identity, missed"),
        entry("x", VERMILLION, VERMILLION, "no number came out"),
    ]
