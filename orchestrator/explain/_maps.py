"""Drawn: the outcome along each parameter of a recipe, and over the two that matter most."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from orchestrator.report._figure import BAND, BLUE, GREY, SKY, VERMILLION, WIDE, new_figure, panels
from orchestrator.report._words import axis_label, label, number, title, unit_text

Part = Mapping[str, Any]
RATIO = 30.0  # of the ends of a range from which a logarithmic axis reads better, assumed
DECADES = 100.0  # of the same, from which only decades are numbered
ROOM = 38  # letters that stand side by side under one panel


def slices_figure(document: Part, name: str, part: Part) -> Figure:
    """Draw the prediction with its bands along every parameter through the anchor's recipe."""
    found = part["slices"]
    figure, axes = panels(WIDE, len(found), 2.2)
    low, high = _reach(found)
    for k, (panel, entry) in enumerate(zip(axes, found, strict=True)):
        _slice(panel, entry)
        panel.set_ylim(low, high)
        wanted_band(panel.axhspan, part["wanted"], low, high)
        if k % WIDE.columns == 0:
            panel.set_ylabel(axis_label(name, part["unit"]))
    figure.suptitle(f"{title(name)} {_through(document)}", x=0.01, ha="left", fontsize=9.5)
    _legend(figure, axes)
    return figure


def wanted_band(span: Callable[..., Any], wanted: Any, low: float, high: float) -> None:
    """Draw what the campaign wants, by `axhspan` or `axvspan`, within the ends of an axis."""
    if wanted is None:
        return
    start, end = (e if w is None else w for w, e in zip(wanted, (low, high), strict=True))
    span(max(start, low), min(end, high), color=BAND, linewidth=0, zorder=0, label="wanted")


def _legend(figure: Figure, axes: Sequence[Axes]) -> None:
    entries: dict[str, Any] = {}
    for panel in axes:
        marks, words = panel.get_legend_handles_labels()
        entries |= dict(zip(map(str, words), marks, strict=True))
    figure.legend(
        list(entries.values()), list(entries), loc="outside lower center", ncols=len(entries)
    )


def _reach(found: Sequence[Part]) -> tuple[float, float]:
    """Return the ordinates that all slices share."""
    values = np.array([v for s in found for v in (*s["low_95"], *s["high_95"])], dtype=float)
    air = 0.04 * float(np.ptp(values)) or 0.5
    return float(values.min()) - air, float(values.max()) + air


def _through(document: Part) -> str:
    anchor = document["anchor"]
    which = "best" if anchor["why"] == "best" else "most central"
    return f"as one parameter is changed in the {which} recipe (trial {anchor['trial']})"


def _slice(axes: Axes, entry: Part) -> None:
    chosen = isinstance(entry["values"][0], str)
    x = np.arange(len(entry["values"])) if chosen else np.array(entry["values"], dtype=float)
    here = entry["values"].index(entry["here"]) if chosen else float(entry["here"])
    (_choices if chosen else _bands)(axes, x, entry)
    axes.axvline(here, color=VERMILLION, linewidth=1.0, linestyle=(0, (4, 2)), label="the recipe")
    refused = np.array([f is False for f in entry["feasible"]])
    if refused.any():
        _hatched(axes, x, refused, chosen)
    if chosen:
        words = [label(v) for v in entry["values"]]
        turned = sum(map(len, words)) > ROOM
        axes.set_xticks(x, words, rotation=30 if turned else 0, ha="right" if turned else "center")
        axes.set_xlim(-0.5, len(x) - 0.5)
    elif x.min() > 0.0 and x.max() / x.min() >= RATIO:
        axes.set_xscale("log")
        _plain(axes.xaxis)
    axes.set_xlabel(axis_label(entry["parameter"], entry["unit"]))


def _plain(axis: Axis) -> None:
    """Number a logarithmic axis at 1, 2 and 5 of each decade, or each decade of many."""
    low, high = axis.get_view_interval()
    subs = (1.0, 2.0, 5.0) if high / low < DECADES else (1.0,)
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(FuncFormatter(lambda v, _: number(v)))
    axis.set_minor_formatter(NullFormatter())


def _bands(axes: Axes, x: Any, entry: Part) -> None:
    mean, low68, high68, low95, high95 = _curves(entry)
    axes.fill_between(x, low95, high95, color="#e3f0f8", linewidth=0, label="19 in 20")
    axes.fill_between(x, low68, high68, color="#b9dbf0", linewidth=0, label="2 in 3")
    axes.plot(x, mean, color=BLUE, linewidth=1.4, label="predicted")


def _choices(axes: Axes, x: Any, entry: Part) -> None:
    mean, low68, high68, low95, high95 = _curves(entry)
    axes.vlines(x, low95, high95, color="#cfe5f3", linewidth=7.0, label="19 in 20")
    axes.vlines(x, low68, high68, color=SKY, linewidth=7.0, label="2 in 3")
    axes.plot(x, mean, color=BLUE, marker="o", linestyle="none", label="predicted")


def _curves(entry: Part) -> list[Any]:
    keys = ("mean", "low_68", "high_68", "low_95", "high_95")
    return [np.array(entry[k], dtype=float) for k in keys]


def _hatched(axes: Axes, x: Any, refused: Any, chosen: bool) -> None:
    """Mark where the recipe could not be made."""
    edges = np.concatenate([[x[0]], 0.5 * (x[1:] + x[:-1]), [x[-1]]]) if not chosen else None
    axes.fill([], [], facecolor="none", edgecolor=GREY, hatch="////", label="cannot be made")
    for k in np.flatnonzero(refused):
        low, high = (k - 0.5, k + 0.5) if edges is None else (edges[k], edges[k + 1])
        axes.axvspan(low, high, facecolor="white", alpha=0.75, linewidth=0, zorder=3)
        axes.axvspan(
            low, high, facecolor="none", edgecolor=GREY, hatch="////", linewidth=0, zorder=4
        )


def contour_figure(document: Part, name: str, part: Part) -> Figure:
    """Draw the prediction over the two parameters that matter most, and how sure it is."""
    found = part["contour"]
    figure = new_figure(WIDE.width, 3.7)
    left, right = figure.subplots(1, 2)
    for axes, key, words in ((left, "mean", "predicted"), (right, "sd", "± 1 sd")):
        _map(figure, axes, document, found, key)
        axes.set_title(f"{title(name)}, {words}{_in(part['unit'])}")
    whole = all(f for row in found["feasible"] for f in row)
    hatched = "" if whole else "; hatched: cannot be made"
    figure.suptitle(
        f"All else as in trial {document['anchor']['trial']} (marked){hatched}",
        x=0.01, ha="left", fontsize=9.5,
    )  # fmt: skip
    return figure


def _in(unit: str) -> str:
    return f" [{unit_text(unit)}]" if unit_text(unit) else ""


def _map(figure: Figure, axes: Axes, document: Part, found: Part, key: str) -> None:
    x, y = (np.array(found[k]["values"], dtype=float) for k in ("x", "y"))
    values = np.array(found[key], dtype=float)
    colours = "viridis" if key == "mean" else "Greys"
    drawn = axes.contourf(x, y, values, levels=12, cmap=colours)
    if float(np.ptp(values)) > 0.0:
        lines = axes.contour(x, y, values, levels=6, colors="white" if key == "mean" else BLUE,
                             linewidths=0.6)  # fmt: skip
        axes.clabel(lines, fontsize=7, fmt=lambda v: number(v, 3))
    figure.colorbar(drawn, ax=axes)
    refused = ~np.array(found["feasible"], dtype=bool)
    if refused.any():
        axes.contourf(
            x, y, refused.astype(float), levels=[0.5, 1.5], colors="none", hatches=["///"]
        )
    for values_of, scale, axis in (
        (x, axes.set_xscale, axes.xaxis),
        (y, axes.set_yscale, axes.yaxis),
    ):
        if values_of.min() > 0.0 and values_of.max() / values_of.min() >= RATIO:
            scale("log")
            _plain(axis)
    recipe = document["anchor"]["recipe"]
    here = [recipe[found[k]["parameter"]]["value"] for k in ("x", "y")]
    axes.plot(*here, marker="X", markersize=9, color=VERMILLION, mec="white", clip_on=False)
    axes.set_xlabel(axis_label(found["x"]["parameter"], found["x"]["unit"]))
    axes.set_ylabel(axis_label(found["y"]["parameter"], found["y"]["unit"]))
