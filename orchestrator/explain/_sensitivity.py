"""Drawn: which parameters an observable depends on, and which way they moved each trial."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from orchestrator.report._figure import BLUE, GREY, PALE, SKY, VERMILLION, WIDE, new_figure, panels
from orchestrator.report._words import label, title, unit_text

SETTINGS = LinearSegmentedColormap.from_list("settings", [BLUE, "#d8d8d8", VERMILLION])
Part = Mapping[str, Any]


def sensitivity_figure(parts: Mapping[str, Part]) -> Figure:
    """Draw the first-order and total Sobol indices of every parameter, greatest first."""
    names = list(next(iter(parts.values()))["sensitivity"]["parameters"])
    figure, axes = panels(WIDE, len(parts), 1.0 + 0.24 * len(names))
    for panel, (name, part) in zip(axes, parts.items(), strict=True):
        _bars(panel, name, part)
    figure.suptitle(
        "How much of the predicted variation over the whole space each parameter explains",
        x=0.01, ha="left", fontsize=9.5,
    )  # fmt: skip
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def _bars(axes: Axes, name: str, part: Part) -> None:
    found = part["sensitivity"]["parameters"]
    order = sorted(found, key=lambda n: found[n]["total"])
    places = np.arange(len(order))
    for key, words, colour, shift in (
        ("total", "together with other parameters", SKY, -0.19),
        ("first", "by itself", BLUE, 0.19),
    ):
        axes.barh(
            places + shift, [max(found[n][key], 0.0) for n in order], height=0.36, color=colour,
            xerr=[found[n][f"{key}_se"] for n in order], label=words,
            error_kw={"elinewidth": 0.8, "ecolor": "#444444"},
        )  # fmt: skip
    axes.set_yticks(places, [label(n) for n in order])
    axes.set_xlim(0.0, max(1.0, *(f["total"] + f["total_se"] for f in found.values())))
    axes.set_xticks([0.0, 0.5, 1.0], ["0 %", "50 %", "100 %"])
    axes.set_title(title(name))


def shap_figure(name: str, part: Part) -> Figure:
    """Draw by how much each parameter moved each trial's prediction, as one dot per trial."""
    found: Mapping[str, Part] = part["shap"]["parameters"]
    order = sorted(found, key=lambda n: found[n]["mean_absolute"])
    figure = new_figure(6.4, 1.3 + 0.3 * len(order))
    axes = figure.subplots()
    for place, parameter in enumerate(order):
        _strip(axes, place, found[parameter])
    axes.axvline(0.0, color=GREY, linewidth=0.9, zorder=1)
    axes.set_yticks(range(len(order)), [label(n) for n in order])
    axes.set_ylim(-0.6, len(order) - 0.4)
    unit = unit_text(part["unit"])
    axes.set_xlabel(f"moved the predicted {label(name)} by{f' [{unit}]' if unit else ''}")
    axes.set_title(f"{title(name)}: what moved each trial (one dot each)")
    _key(figure, axes)
    return figure


def _strip(axes: Axes, place: int, found: Part) -> None:
    values = np.array(found["values"], dtype=float)
    colours, edges = _colours(found["settings"])
    heights = place + _spread(values)
    axes.scatter(values, heights, s=20, c=colours, edgecolors=edges, linewidths=0.5, zorder=3)
    axes.axhline(place, color="#eeeeee", linewidth=0.8, zorder=0)


def _spread(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Part dots of nearly equal value by a small height, in the order that they come in."""
    width = float(np.ptp(values)) or 1.0
    bins = np.round(values / (0.02 * width))
    heights = np.zeros(len(values))
    for level in np.unique(bins):
        inside = np.flatnonzero(bins == level)
        steps = np.arange(len(inside)) - 0.5 * (len(inside) - 1)
        heights[inside] = np.clip(0.09 * steps, -0.33, 0.33)
    return heights


def _colours(settings: Sequence[Any]) -> tuple[list[Any], str]:
    """Return the colours of settings, by rank; pale of choices, white of inactive ones."""
    numbers = [s for s in settings if isinstance(s, (int, float))]
    if not numbers:
        return [PALE] * len(settings), "#777777"
    ranked = sorted(numbers)
    last = max(len(ranked) - 1, 1)
    scaled = [
        SETTINGS(_middle(ranked, s) / last) if isinstance(s, (int, float)) else "white"
        for s in settings
    ]
    return scaled, "#777777"


def _middle(ranked: Sequence[float], value: float) -> float:
    """Return the mean place of a value among sorted ones."""
    return 0.5 * (bisect_left(ranked, value) + bisect_right(ranked, value) - 1)


def _key(figure: Figure, axes: Axes) -> None:
    marks = [
        axes.scatter([], [], s=20, c=[c], edgecolors="#777777", linewidths=0.5, label=words)
        for c, words in (
            (SETTINGS(0.0), "low setting"),
            (SETTINGS(1.0), "high setting"),
            (PALE, "a choice"),
            ("white", "inactive"),
        )
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=4, handletextpad=0.1)
