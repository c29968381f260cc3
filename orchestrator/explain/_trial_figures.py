"""Drawn: what was expected of one trial and what came; the past trials that it is nearest to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from orchestrator.explain._maps import wanted_band
from orchestrator.report._figure import BLACK, BLUE, SKY, VERMILLION, new_figure
from orchestrator.report._words import axis_label, label, measured, unit_text

Part = Mapping[str, Any]
NEAR = "#cfe5f3"  # pale enough to be written on


def prediction_figure(document: Part, known: Mapping[str, Part]) -> Figure:
    """Draw the predicted intervals and the measurement of every observable, one row each."""
    figure = new_figure(6.4, 0.8 + 0.95 * len(known))
    rows = figure.subplots(len(known), 1, squeeze=False)[:, 0]
    for axes, (name, entry) in zip(rows, known.items(), strict=True):
        _row(axes, name, entry)
    refitted = any(not e["predicted"] for e in known.values())
    how = " (by a model fitted afterwards to what was known)" if refitted else ""
    figure.suptitle(
        f"Trial {document['trial']}: expected{how} and measured", x=0.01, ha="left", fontsize=9.5
    )
    handles, labels = rows[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5)
    return figure


def _row(axes: Axes, name: str, entry: Part) -> None:
    found = entry["predicted"] or entry["refitted"]
    axes.hlines(0, *found["interval_95"], color="#cfe5f3", linewidth=14, label="19 in 20")
    axes.hlines(0, *found["interval_68"], color=SKY, linewidth=14, label="2 in 3")
    axes.plot(
        found["mean"], 0, marker="|", markersize=14, color=BLUE, mew=2, linestyle="none",
        label="expected",
    )  # fmt: skip
    came = entry["measured"]
    if came is not None:
        axes.errorbar(
            came["value"], 0, xerr=2.0 * (came["se"] or 0.0), marker="o", color=VERMILLION,
            markersize=6, mec="white", linestyle="none", label="measured, ± 2 standard errors",
            zorder=4,
        )  # fmt: skip
    low, high = axes.get_xlim()
    axes.set_xlim(low, high)
    wanted_band(axes.axvspan, entry["wanted"], low, high)
    axes.set_yticks([])
    axes.set_ylim(-1, 1)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(axis_label(name, entry["unit"]))


def nearest_figure(document: Part) -> Figure:
    """Draw the distances of the nearest past trials, with what they gave."""
    found = document["nearest"]
    figure = new_figure(6.8, 1.2 + 0.42 * len(found))
    axes = figure.subplots()
    places = np.arange(len(found))[::-1]
    distances = [n["distance"] for n in found]
    axes.barh(places, distances, height=0.7, color=NEAR)
    for place, entry in zip(places, found, strict=True):
        axes.text(
            0.01, float(place), f"  {_gave(entry)}", va="center", ha="left", color=BLACK,
            fontsize=8.0, transform=axes.get_yaxis_transform(),
        )  # fmt: skip
    axes.set_yticks(places, [f"trial {n['trial']}" for n in found])
    axes.set_xlim(0.0, max([*distances, 1e-3]) * 1.05)
    if any(n["alike"] for n in found):
        axes.set_xlabel("distance [lengthscales of the model]; beyond about 2 a trial says little")
    else:
        axes.set_xlabel("distance [widths of the parameters' ranges]")
    axes.set_title(f"Past trials nearest to trial {document['trial']}, and what they gave")
    return figure


def _gave(entry: Part) -> str:
    if entry["state"] != "completed":
        return str(entry["state"])
    return ", ".join(
        f"{label(n)} {measured(o['value'], o['se'], unit_text(o['unit']))}"
        for n, o in entry["observables"].items()
    )
