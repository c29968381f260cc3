"""All recipes at once: parallel coordinates coloured by closeness to the first objective."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure

from agents import Categorical, Parameter
from orchestrator.ledger import TrialRow
from orchestrator.report._figure import VERMILLION, Illustration, Layout, new_figure
from orchestrator.report._record import Record, is_log
from orchestrator.report._section import Section, absent
from orchestrator.report._words import label, number, plural, unit_text

SLUG, TITLE = "recipes", "Recipes"
_BOX = {"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8}
Points = list[tuple[float, float]]


def parallel(record: Record) -> Section:
    """Return the part on recipes."""
    if not record.trials:
        return absent(SLUG, TITLE, "No recipe has been proposed yet.")
    if not record.varied:
        return absent(SLUG, TITLE, "The campaign holds every parameter at one value.")
    illustration = Illustration(
        "parallel_coordinates", lambda at: _draw(record, at), _alt(record), _caption(record)
    )
    return Section(SLUG, TITLE, figures=(illustration,))


def place(parameter: Parameter, recipe: Mapping[str, Any]) -> float | None:
    """Where a recipe crosses a parameter's axis, 0 to 1; None where it is inactive."""
    value = recipe.get(parameter.name)
    if value is None:
        return None
    if isinstance(parameter, Categorical):
        count = len(parameter.choices)
        return 0.5 if count == 1 else parameter.choices.index(str(value)) / (count - 1)
    low, high, at = float(parameter.low), float(parameter.high), float(value)  # type: ignore[union-attr]
    if is_log(parameter):
        low, high, at = math.log(low), math.log(high), math.log(at)
    return (at - low) / (high - low)


def runs(parameters: Sequence[Parameter], recipe: Mapping[str, Any]) -> list[Points]:
    """The recipe as broken lines of (axis, place): a line ends where a parameter is inactive."""
    found: list[Points] = [[]]
    for axis, parameter in enumerate(parameters):
        at = place(parameter, recipe)
        if at is None:
            found.append([])
        else:
            found[-1].append((float(axis), at))
    return [run for run in found if run]


@dataclass(frozen=True)
class Shade:
    """What colours a line: a number per trial, and what it means."""

    values: Mapping[int, float]
    text: str
    colours: Colormap
    norm: Normalize


def shade_of(record: Record) -> Shade | None:
    """Closeness to the first objective, or the first observable where there is none."""
    if not record.done or not record.observables:
        return None
    name = record.observables[0]
    wish = record.objectives[0] if record.objectives else None
    seen = {o.trial: o.observables[name].value for o in record.done if name in o.observables}
    if not seen:
        return None
    unit = unit_text(record.unit(name))
    text = label(name)
    if wish is not None and wish.goal == "target" and wish.value is not None:
        seen = {n: abs(v - wish.value) for n, v in seen.items()}
        text = f"distance of {text} from {number(wish.value, 5)}"
    more = wish is not None and (
        wish.goal == "maximise" or (wish.goal == "constraint" and wish.max is None)
    )
    ends = (10.0, 100.0) if more else (0.0, 90.0)  # a few far ones must not take all colours
    low, high = np.percentile(list(seen.values()), ends if len(seen) >= 10 else (0.0, 100.0))
    norm = Normalize(float(low), float(high) if high > low else float(low) + 1.0)
    colours = mpl.colormaps["cividis_r" if more else "cividis"]
    return Shade(seen, f"{text} [{unit}]" if unit else text, colours, norm)


def _draw(record: Record, layout: Layout) -> Figure:
    parameters, shade = record.varied, shade_of(record)
    count = len(parameters)
    size = (layout.width, 0.62 * count + 1.1) if layout.narrow else (layout.width, 4.2)
    figure = new_figure(*size)
    axes = figure.subplots()
    _lines(record, axes, parameters, shade, layout.narrow)
    for axis, parameter in enumerate(parameters):
        _axis(axes, axis, parameter, layout.narrow)
    if layout.narrow:
        axes.set(ylim=(count - 0.6, -0.6), xlim=(-0.03, 1.03))
    else:
        axes.set(xlim=(-0.4, count - 0.6), ylim=(-0.12, 1.06))
    axes.axis("off")
    if shade is not None and len(set(shade.values.values())) > 1:
        bar = figure.colorbar(
            ScalarMappable(shade.norm, shade.colours), ax=axes, location="bottom",
            fraction=0.04, aspect=45 if not layout.narrow else 30, pad=0.02,
extend=_extend(shade),
        )  # fmt: skip
        bar.set_label(shade.text)
        bar.outline.set_visible(False)
    return figure


def _extend(shade: Shade) -> str:
    values = shade.values.values()
    below, above = min(values) < (shade.norm.vmin or 0.0), max(values) > (shade.norm.vmax or 0.0)
    return {(True, True): "both", (True, False): "min", (False, True): "max"}.get(
        (below, above), "neither"
    )


def _lines(
    record: Record, axes: Axes, parameters: Sequence[Parameter], shade: Shade | None, flip: bool
) -> None:
    usual = sorted(
        record.trials, key=lambda t: -(shade.values.get(t.number, math.inf) if shade else 0.0)
    )
    crowd = 0.85 if len(record.trials) <= 60 else 0.35
    for trial in usual:
        if trial.number == record.best:
            continue
        known = shade is not None and trial.number in shade.values
        colour = (
            shade.colours(shade.norm(shade.values[trial.number])) if shade and known else "#b0b0b0"
        )
        _line(axes, trial, parameters, flip, color=colour, alpha=crowd, linewidth=1.0,
              linestyle="-" if known else (0, (2, 2)))  # fmt: skip
    if record.best is not None:
        best = record.trial(record.best)
        _line(axes, best, parameters, flip, color="white", linewidth=4.5)
        _line(axes, best, parameters, flip, color=VERMILLION, linewidth=2.4, marker="o")


def _line(
    axes: Axes, trial: TrialRow, parameters: Sequence[Parameter], flip: bool, **look: Any
) -> None:
    marker = look.pop("marker", "")
    for run in runs(parameters, trial.recipe):
        points = [(b, a) for a, b in run] if flip else run
        if len(points) > 1:
            axes.add_collection(LineCollection([points], zorder=2, **look))
        if len(points) == 1 or marker:
            x, y = zip(*points, strict=True)
            axes.plot(
                x, y, linestyle="none", marker="o", markersize=4, color=look["color"], zorder=3
            )


def _axis(axes: Axes, at: int, parameter: Parameter, flip: bool) -> None:
    ends = [(0.0, float(at)), (1.0, float(at))] if flip else [(float(at), 0.0), (float(at), 1.0)]
    axes.plot(*zip(*ends, strict=True), color="#555555", linewidth=0.9, zorder=1)
    for index, (place_, text) in enumerate(_ticks(parameter)):
        spot = (place_, at) if flip else (at, place_)
        axes.annotate(
            text, spot, textcoords="offset points", fontsize=7, color="#333333", zorder=6,
            **_beside(place_, flip, lower=flip and index % 2 == 1 and _crowded(parameter)),
        )  # fmt: skip
    unit = unit_text(getattr(parameter, "unit", ""))
    name = label(parameter.name) + (f" [{unit}]" if unit else "")
    name += " (log)" if is_log(parameter) else ""
    if flip:
        axes.annotate(name, (0.0, at), xytext=(0, 4), textcoords="offset points", va="bottom",
                      fontsize=8, fontweight="bold", zorder=6, bbox=_BOX)  # fmt: skip
    else:
        axes.annotate(name, (at, 1.0), xytext=(-2, 15), textcoords="offset points", rotation=28,
                      ha="left", va="bottom", fontsize=8, fontweight="bold", zorder=6)  # fmt: skip


def _crowded(parameter: Parameter) -> bool:
    return isinstance(parameter, Categorical) and sum(map(len, parameter.choices)) > 40


def _beside(at: float, flip: bool, *, lower: bool = False) -> dict[str, Any]:
    """Where a tick's text stands: beyond the ends of an upright axis, beside its middle."""
    if flip:
        side = "left" if at < 0.05 else "right" if at > 0.95 else "center"
        return {"xytext": (0, -15 if lower else -6), "ha": side, "va": "top", "bbox": _BOX}
    if at < 0.02:
        return {"xytext": (0, -5), "ha": "center", "va": "top"}
    if at > 0.98:
        return {"xytext": (0, 5), "ha": "center", "va": "bottom"}
    return {"xytext": (4, 0), "ha": "left", "va": "center", "bbox": _BOX}


def _ticks(parameter: Parameter) -> list[tuple[float, str]]:
    if isinstance(parameter, Categorical):
        found = [(place(parameter, {parameter.name: c}), label(c)) for c in parameter.choices]
        return [(at, text) for at, text in found if at is not None]
    low, high = parameter.low, parameter.high  # type: ignore[union-attr]
    middle = math.sqrt(low * high) if is_log(parameter) else (low + high) / 2.0
    return [(0.0, number(low, 3)), (0.5, number(middle, 3)), (1.0, number(high, 3))]


def _alt(record: Record) -> str:
    names = ", ".join(label(p.name) for p in record.varied)
    best = f"; trial {record.best} is highlighted" if record.best is not None else ""
    return f"Parallel coordinates of {plural(len(record.trials), 'recipe')} over {names}{best}."


def _caption(record: Record) -> str:
    parts = ["Each line is one recipe as it was asked for, crossing every axis at its value."]
    if any(p.when is not None for p in record.varied):
        parts.append("A line ends where a parameter does not exist in the recipe.")
    shade = shade_of(record)
    if shade is not None:
        parts.append(f"Colour: {shade.text}.")
    if shade is not None and len(shade.values) < len(record.trials):
        parts.append("Dashed grey recipes gave no value.")
    if record.best is not None:
        parts.append(f"The thick orange line is the best, trial {record.best}.")
    if record.objectives:
        parts.append(
            "Where lines of good recipes bundle, the parameter matters; where they spread over "
            "the whole axis, it does not."
        )
    return " ".join(parts)


__all__ = ["parallel", "place", "runs", "shade_of"]
