"""How trials are drawn: one colour and shape for each way in which a trial came about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from agents import Objective
from orchestrator.ledger import TrialRow
from orchestrator.report._figure import BAND, BLUE, GREEN, GREY, ORANGE, VERMILLION

Marker = dict[str, Any]

# How a completed trial came about -> its look.
ORIGINS: dict[str, Marker] = {
    "initial design": {"marker": "o", "mfc": "white", "mec": ORANGE, "ecolor": ORANGE},
    "model-based": {"marker": "o", "mfc": BLUE, "mec": BLUE, "ecolor": BLUE},
    "brought along": {"marker": "D", "mfc": "white", "mec": GREY, "ecolor": GREY},
}
# A trial that gave no value -> its mark on the axis.
LOST: dict[str, Marker] = {
    "failed": {"marker": "X", "color": VERMILLION},
    "rejected": {"marker": "v", "color": VERMILLION},
    "abandoned": {"marker": "|", "color": GREY},
    "in_doubt": {"marker": "$?$", "color": GREY},
}


def origin(trial: TrialRow) -> str:
    """Say how a trial was chosen: without a model, with one, or by another record."""
    if trial.policy is None:
        return "brought along"
    return "model-based" if trial.predicted else "initial design"


def error_bars(
    axes: Axes, x: Sequence[float], y: Sequence[float], se: Sequence[float], kind: str
) -> None:
    """Draw one kind of trials with ± one standard error."""
    look = ORIGINS[kind]
    size = 4.2 if len(x) <= 60 else 2.4
    axes.errorbar(
        x, y, yerr=se if any(se) else None, linestyle="none", marker=look["marker"],
        markersize=size, mfc=look["mfc"], mec=look["mec"], ecolor=look["ecolor"],
        elinewidth=0.9, markeredgewidth=1.1 if len(x) <= 60 else 0.7, label=kind, zorder=3,
    )  # fmt: skip


def lost_marks(axes: Axes, trials: Iterable[TrialRow]) -> None:
    """Mark on the lower axis the trials that gave no value."""
    by_state: dict[str, list[int]] = {}
    for trial in trials:
        if trial.state in LOST:
            by_state.setdefault(trial.state, []).append(trial.number)
    for state in LOST:
        if state in by_state:
            axes.plot(
                by_state[state], np.full(len(by_state[state]), 0.03), linestyle="none",
                transform=axes.get_xaxis_transform(), markersize=6, clip_on=False,
                label=state.replace("_", " "), zorder=4, **LOST[state],
            )  # fmt: skip


def shade(axes: Axes, wishes: Iterable[Objective], *, across: bool = True) -> None:
    """Shade where the wishes on one observable are met, up to the edge of the axes.

    Call it when the limits stand; `across` shades along the vertical axis.
    """
    low, high = axes.get_ylim() if across else axes.get_xlim()
    span = axes.axhspan if across else axes.axvspan
    line = axes.axhline if across else axes.axvline
    for wish in wishes:
        bounds = wish.bounds()
        if bounds == (None, None):
            continue
        first, last = (
            (low if bounds[0] is None else bounds[0]),
            (high if bounds[1] is None else bounds[1]),
        )
        if first < last:
            span(max(first, low), min(last, high), color=BAND, zorder=0, linewidth=0)
        for bound in bounds:
            if bound is not None and low <= bound <= high:
                line(bound, color=GREEN, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)


def widen(values: Sequence[float], wishes: Iterable[Objective]) -> tuple[float, float]:
    """Return axis limits that hold the values and the bounds beside them, with some air."""
    found = [v for v in values if np.isfinite(v)]
    for wish in wishes:
        found += [b for b in wish.bounds() if b is not None]
    low, high = (min(found), max(found)) if found else (0.0, 1.0)
    air = 0.08 * (high - low) or 0.05 * abs(high) or 0.5
    return low - air, high + air
