"""Did it get better? Every observable and the probability of success against trial number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from orchestrator.campaign import probability_met
from orchestrator.report._figure import BLACK, BLUE, GREEN, Illustration, Layout, panels
from orchestrator.report._marks import (
    LOST,
    ORIGINS,
    error_bars,
    lost_marks,
    origin,
    shade,
    widen,
)
from orchestrator.report._record import Record
from orchestrator.report._section import Section, absent
from orchestrator.report._words import axis_label, label, numbers, percent, plural, title

SLUG = "convergence"


def convergence(record: Record) -> Section:
    """Return the part on how the results went from trial to trial."""
    name = "Convergence" if record.objectives else "Results by trial"
    if not record.trials:
        return absent(SLUG, name, "No trial has been proposed yet, so there is nothing to plot.")
    if not record.done:
        return absent(
            SLUG, name,
            "No trial gave a value, so there is nothing to plot; the table of trials gives the "
            "reasons.",
        )  # fmt: skip
    illustration = Illustration(
        "convergence", lambda at: _draw(record, at), _alt(record), _caption(record)
    )
    return Section(SLUG, name, figures=(illustration,))


def _draw(record: Record, layout: Layout) -> Figure:
    names = record.observables
    count = len(names) + int(record.bounded)
    columns = 1 if count <= 1 else 2
    figure, axes = panels(layout, count, 2.25, columns)
    for panel, name in zip(axes, names, strict=False):
        _observable(record, panel, name)
    if record.bounded:
        _probability(record, axes[-1])
    for panel in axes:
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
        panel.set_xlim(0.3, max(t.number for t in record.trials) + 0.7)
        panel.set_xlabel("trial")
    _legend(figure, axes, layout)
    return figure


def _observable(record: Record, axes: Axes, name: str) -> None:
    rows = [t for t in record.trials if t.state == "completed" and name in t.observables]
    for kind in ORIGINS:
        chosen = [t for t in rows if origin(t) == kind]
        if chosen:
            seen = [t.observables[name] for t in chosen]
            x = [float(t.number) for t in chosen]
            error_bars(axes, x, [s.value for s in seen], [s.se or 0.0 for s in seen], kind)
    leaders = {n: record.trial(b) for n, b in record.best_so_far().items()}
    steps = [(n, t.observables[name].value) for n, t in leaders.items() if name in t.observables]
    if steps:
        last = (record.trials[-1].number, steps[-1][1])
        axes.step(
            *zip(*steps, last, strict=True), where="post", color=BLACK, linewidth=1.2,
            label="best so far", zorder=2,
        )  # fmt: skip
    _mark_best(record, axes, name)
    values = {t.number: t.observables[name].value for t in rows}
    ends = [v for t in rows for v in _ends(t.observables[name].value, t.observables[name].se)]
    low, high = fences(list(values.values()))
    axes.set_ylim(*widen([v for v in ends if low <= v <= high], record.wishes(name)))
    _far(axes, values)
    shade(axes, record.wishes(name))
    lost_marks(axes, record.trials)
    axes.set_ylabel(axis_label(name, record.unit(name)))


def fences(values: Sequence[float]) -> tuple[float, float]:
    """Between which values a panel is drawn: all of them, unless a few would flatten the rest.

    Tukey's outer fences (Tukey 1977, "Exploratory Data Analysis"): three interquartile ranges
    beyond the quartiles.
    """
    if len(values) < 6:
        return -np.inf, np.inf
    first, third = (float(q) for q in np.percentile(values, [25.0, 75.0]))
    return first - 3.0 * (third - first), third + 3.0 * (third - first)


def _far(axes: Axes, values: Mapping[int, float]) -> None:
    """Mark trials off the scale by arrowheads at the edge that they lie beyond."""
    low, high = axes.get_ylim()
    for marker, edge, numbers_ in (
        ("v", 0.02, [n for n, v in values.items() if v < low]),
        ("^", 0.98, [n for n, v in values.items() if v > high]),
    ):
        if numbers_:
            axes.plot(
                numbers_, np.full(len(numbers_), edge), linestyle="none", marker=marker,
                transform=axes.get_xaxis_transform(), mfc="white", mec=BLACK, markersize=5.5,
                label="off the scale", zorder=4,
            )  # fmt: skip


def _ends(value: float, error: float | None) -> tuple[float, float]:
    return value - (error or 0.0), value + (error or 0.0)


def _mark_best(record: Record, axes: Axes, name: str) -> None:
    if record.best is None:
        return
    seen = record.trial(record.best).observables.get(name)
    if seen is not None:
        axes.plot(
            [record.best], [seen.value], marker="o", markersize=10, mfc="none", mec=BLACK,
            markeredgewidth=1.2, linestyle="none", label="best trial", zorder=5,
        )  # fmt: skip


def _probability(record: Record, axes: Axes) -> None:
    x = [o.trial for o in record.done]
    y = [probability_met(o, record.objectives) for o in record.done]
    axes.vlines(x, 0.0, y, color=BLUE, linewidth=1.0, zorder=2)
    axes.plot(x, y, linestyle="none", marker="o", markersize=4, color=BLUE, zorder=3)
    axes.set_ylim(-0.02, 1.05)
    if record.campaign.confidence is not None:
        confidence = record.campaign.confidence
        axes.axhline(confidence, color=GREEN, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
        axes.annotate(
            f"stop at {percent(confidence)}", (0.01, confidence), xytext=(0, 2), va="bottom",
            xycoords=axes.get_yaxis_transform(), textcoords="offset points", color=GREEN,
        )  # fmt: skip
    axes.set_ylabel("Probability that all is met")


def _legend(figure: Figure, axes: list[Axes], layout: Layout) -> None:
    found: dict[str, Artist] = {}
    for panel in axes:
        for handle, text in zip(*panel.get_legend_handles_labels(), strict=True):
            found.setdefault(text, handle)
    order = [
        *ORIGINS,
        "best so far",
        "best trial",
        "off the scale",
        *(s.replace("_", " ") for s in LOST),
    ]
    texts = [t for t in order if t in found]
    columns = 2 if layout.narrow else min(len(texts), 6)
    figure.legend([found[t] for t in texts], texts, loc="outside upper left", ncols=columns)


def _alt(record: Record) -> str:
    names = ", ".join(label(n) for n in record.observables)
    best = f" The best is trial {record.best}." if record.best is not None else ""
    return f"{names} against trial number for {plural(len(record.done), 'completed trial')}.{best}"


def _is_far(record: Record, name: str) -> bool:
    values = [o.observables[name].value for o in record.done if name in o.observables]
    low, high = fences(values)
    return any(not low <= v <= high for v in values)


def _caption(record: Record) -> str:
    parts = ["Each point is one completed trial with ± one standard error where one is known."]
    if record.bounded:
        parts.append(
            "Green shading is where a wish is met: read off from which trial on the points stay "
            "inside it."
        )
    if record.objectives:
        parts.append("The black line follows the best trial so far through every panel.")
    if any(t.predicted for t in record.trials):
        parts.append("Open circles were chosen without a model, filled ones by the agent's model.")
    if any(t.policy is None for t in record.trials):
        parts.append("Diamonds came with another record.")
    if any(_is_far(record, name) for name in record.observables):
        parts.append("Arrowheads at an edge are trials off the scale; the table has their values.")
    for name in record.observables:
        known = sum(name in o.observables for o in record.done)
        if known < len(record.done):
            parts.append(f"{title(name)} is known of {known} of {len(record.done)} trials.")
    lost = [t.number for t in record.trials if t.state in LOST]
    if lost:
        parts.append(f"Marks on the axis are trials without a value: {numbers(lost)}.")
    if record.bounded:
        parts.append(
            "The last panel gives the probability that a trial's true values meet every target "
            "and bound, from its standard errors alone."
        )
    return " ".join(parts)
