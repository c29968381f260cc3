"""Drawn: predictions of what had been left out, and whether their intervals hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from orchestrator.report._calibration import binomial_quantile
from orchestrator.report._figure import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    WIDE,
    new_figure,
    panels,
)
from orchestrator.report._words import label, number, title, unit_text

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION, SKY)
SHAPES = ("o", "s", "^", "D", "v", "P")
DASHED = (0, (4, 2))
MANY = 60  # points that need smaller marks

Parts = Mapping[str, Mapping[str, Any]]


def validation_figure(parts: Parts) -> Figure:
    """Draw measured against predicted, each trial by a model that had not seen its recipe."""
    figure, axes = panels(WIDE, len(parts), 3.1)
    for panel, (name, part) in zip(axes, parts.items(), strict=True):
        _scatter(panel, name, part)
    figure.suptitle(
        "Each recipe predicted by a model that had not seen it", x=0.01, ha="left", fontsize=9.5
    )
    return figure


def _scatter(axes: Axes, name: str, part: Mapping[str, Any]) -> None:
    found = part["validation"]
    mean, measured = (np.array(found[k], dtype=float) for k in ("predicted", "measured"))
    sd = np.array(found["sd"], dtype=float)
    many = len(mean) > MANY
    axes.errorbar(
        mean, measured, xerr=sd, linestyle="none", marker="o", color=BLUE, zorder=3,
        markersize=2.6 if many else 4.2, elinewidth=0.4 if many else 0.8, ecolor=SKY,
    )  # fmt: skip
    # an interval that leaves the picture says by its cut that it is wide
    ends = np.concatenate([measured, mean])
    air = 0.08 * float(np.ptp(ends)) or 0.5
    limits = (float(ends.min()) - air, float(ends.max()) + air)
    axes.plot(limits, limits, color=GREY, linewidth=1.0, linestyle=DASHED, zorder=1)
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    axes.locator_params(nbins=5)
    unit = unit_text(part["unit"])
    shown = f" [{unit}]" if unit else ""
    r2 = "undefined" if found["r2"] is None else number(found["r2"], 2)
    axes.set_title(f"{title(name)}\nR² {r2}, typical error {number(found['rmse'], 2)} {unit}")
    axes.set_xlabel(f"predicted, ± 1 sd{shown}")
    axes.set_ylabel(f"measured{shown}")


def calibration_figure(parts: Parts) -> Figure:
    """Draw how often the left-out value lay within the interval that promised to hold it."""
    figure = new_figure(4.4, 4.2)
    axes = figure.subplots()
    promised = np.array(next(iter(parts.values()))["validation"]["calibration"]["promised"])
    fewest = min(len(p["validation"]["trials"]) for p in parts.values())
    levels = np.linspace(0.02, 0.98, 49)
    low, high = (binomial_quantile(q, fewest, levels) / fewest for q in (0.05, 0.95))
    axes.fill_between(
        levels, low, high, color="#eeeeee", step="mid", linewidth=0, zorder=0,
        label=f"well calibrated, 9 times in 10\n({fewest} trials)",
    )  # fmt: skip
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1.0, linestyle=DASHED, zorder=1)
    for i, (name, part) in enumerate(parts.items()):
        inside = part["validation"]["calibration"]["inside"]
        axes.plot(
            promised, inside, color=COLOURS[i % len(COLOURS)], marker=SHAPES[i % len(SHAPES)],
            markersize=4.0, linewidth=1.0, label=label(name), zorder=3,
        )  # fmt: skip
    axes.set(xlim=(0, 1), ylim=(0, 1.02), aspect="equal")
    ticks = [0.0, 0.25, 0.5, 0.68, 0.95]
    axes.set_xticks(ticks, [f"{100 * t:.0f} %" for t in ticks])
    axes.set_yticks([0.0, 0.5, 1.0], ["0 %", "50 %", "100 %"])
    axes.set_xlabel("share of measurements that the interval promises to hold")
    axes.set_ylabel("share that it held")
    axes.set_title("Above the diagonal: too cautious; below: too sure", fontweight="normal")
    figure.legend(loc="outside lower center", ncols=2)
    return figure
