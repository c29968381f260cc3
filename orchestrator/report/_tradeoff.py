"""What was traded against what: pairs of objectives with their front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from agents import Objective
from orchestrator.campaign import Outcome
from orchestrator.report._figure import BLACK, BLUE, PALE, Illustration, Layout, panels
from orchestrator.report._marks import shade, widen
from orchestrator.report._record import Record
from orchestrator.report._section import Section, absent
from orchestrator.report._words import label, number, numbers, plural, unit_text

SLUG, TITLE = "pareto", "Pareto front"
MOST_PANELS = 6


@dataclass(frozen=True, slots=True)
class Scale:
    """One objective as an axis; `sign` is +1 where less is better."""

    objective: Objective
    centre: float | None
    sign: float

    def value(self, outcome: Outcome) -> float | None:
        """The trial's place on this axis: the observable, or its distance from the centre."""
        seen = outcome.observables.get(self.objective.observable)
        if seen is None:
            return None
        return seen.value if self.centre is None else abs(seen.value - self.centre)

    def text(self, unit: str) -> str:
        """The axis label."""
        tail = f" [{unit_text(unit)}]" if unit else ""
        name = label(self.objective.observable)
        if self.centre is None:
            return f"{name}{tail}"
        return f"|{name} − {number(self.centre, 5)}|{tail}"

    @property
    def half(self) -> float | None:
        """Half the width of the wanted band, where the axis is a distance from its centre."""
        low, high = self.objective.bounds()
        if self.centre is None or low is None or high is None:
            return None
        return (high - low) / 2.0

    def limits(self) -> Objective:
        """The wish in terms of this axis."""
        if self.centre is None:
            return self.objective
        return Objective(self.objective.observable, "constraint", max=self.half)

    def span(self, values: Sequence[float]) -> tuple[float, float]:
        """Axis limits; a distance is drawn on a log scale beyond the wanted band."""
        if not self.half:
            return widen(values, [self.objective])
        return -0.25 * self.half, 1.6 * max(2.0 * self.half, *values)


def scale(objective: Objective) -> Scale:
    """Return an objective as an axis on which one end is better."""
    if objective.goal == "minimise":
        return Scale(objective, None, 1.0)
    if objective.goal == "maximise":
        return Scale(objective, None, -1.0)
    low, high = objective.bounds()
    if low is not None and high is not None:
        return Scale(objective, (low + high) / 2.0, 1.0)
    return Scale(objective, None, 1.0 if low is None else -1.0)


def tradeoff(record: Record) -> Section:
    """Return the part on what was traded against what."""
    if len(record.objectives) < 2:
        count = "one objective" if record.objectives else "no objectives"
        return absent(
            SLUG, TITLE, f"The campaign declares {count}, so nothing is traded against another."
        )
    if not record.done:
        return absent(SLUG, TITLE, "No trial gave a value, so there is no front.")
    pairs = pairs_of(record)
    illustration = Illustration(
        "pareto", lambda at: _draw(record, pairs, at), _alt(record, pairs), _caption(record, pairs)
    )
    return Section(SLUG, TITLE, figures=(illustration,))


def pairs_of(record: Record) -> list[tuple[Scale, Scale]]:
    """Pairs of driving objectives; with fewer than two, the first against every other."""
    if len(record.driving) >= 2:
        scales = [scale(o) for o in record.driving]
        return list(combinations(scales, 2))[:MOST_PANELS]
    first = (record.driving or record.objectives)[0]
    rest = [scale(o) for o in record.objectives if o is not first]
    return [(scale(first), other) for other in rest][:MOST_PANELS]


def pair_front(points: Sequence[tuple[int, float, float]]) -> list[int]:
    """Numbers of the points (trial, cost, cost) that no other beats, along the first cost."""
    front: list[int] = []
    lowest = float("inf")
    for trial, _, second in sorted(points, key=lambda p: (p[1], p[2], p[0])):
        if second < lowest:
            front.append(trial)
            lowest = second
    return front


def _draw(record: Record, pairs: Sequence[tuple[Scale, Scale]], layout: Layout) -> Figure:
    figure, axes = panels(layout, len(pairs), 3.1)
    for panel, (first, second) in zip(axes, pairs, strict=True):
        _pair(record, panel, first, second)
    handles, texts = axes[0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside upper left", ncols=2 if layout.narrow else 4)
    return figure


def _pair(record: Record, axes: Axes, first: Scale, second: Scale) -> None:
    known = places(record, first, second)
    front = front_of(record, first, second)
    others = [n for n in known if n not in front]
    axes.plot(
        [known[n][0] for n in others], [known[n][1] for n in others], linestyle="none",
        marker="o", markersize=5, mfc=PALE, mec="#9a9a9a", markeredgewidth=0.6,
        label="other trials", zorder=2,
    )  # fmt: skip
    axes.plot(
        [known[n][0] for n in front], [known[n][1] for n in front], color=BLUE, marker="o",
        markersize=5.5, linewidth=1.0, drawstyle="steps-post", label="on the front", zorder=3,
        linestyle="-" if len(record.driving) <= 2 else "none",
    )  # fmt: skip
    if record.best in known:
        axes.plot(
            *([value] for value in known[record.best]), marker="o", markersize=10.5, mfc="none",
            mec=BLACK, markeredgewidth=1.2, linestyle="none", label="best trial", zorder=4,
        )  # fmt: skip
    if first.half:
        axes.set_xscale("symlog", linthresh=first.half, linscale=0.6)
    if second.half:
        axes.set_yscale("symlog", linthresh=second.half, linscale=0.6)
    for axis, used in ((axes.xaxis, first), (axes.yaxis, second)):
        if used.half:
            axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.set_xlim(*first.span([x for x, _ in known.values()]))
    axes.set_ylim(*second.span([y for _, y in known.values()]))
    shade(axes, [first.limits()], across=False)
    shade(axes, [second.limits()])
    axes.set_xlabel(_directed(first, record))
    axes.set_ylabel(_directed(second, record))


def _directed(axis: Scale, record: Record) -> str:
    text = axis.text(record.unit(axis.objective.observable))
    return f"{text}\n← better" if axis.sign > 0 else f"{text}\nbetter →"


def places(record: Record, first: Scale, second: Scale) -> dict[int, tuple[float, float]]:
    """Where each completed trial lies on two axes, by trial number."""
    found: dict[int, tuple[float, float]] = {}
    for outcome in record.done:
        x, y = first.value(outcome), second.value(outcome)
        if x is not None and y is not None:
            found[outcome.trial] = (x, y)
    return found


def front_of(record: Record, first: Scale, second: Scale) -> list[int]:
    """The campaign's Pareto set, or with one driving objective the front of this pair."""
    known = places(record, first, second)
    if len(record.driving) >= 2:
        return sorted((n for n in record.front if n in known), key=lambda n: known[n])
    return pair_front([(n, first.sign * x, second.sign * y) for n, (x, y) in known.items()])


def _alt(record: Record, pairs: Sequence[tuple[Scale, Scale]]) -> str:
    shown = "; ".join(
        f"{label(a.objective.observable)} against {label(b.objective.observable)}, front of "
        f"trials {numbers(sorted(front_of(record, a, b))) or 'none'}"
        for a, b in pairs
    )
    return f"Scatter of {plural(len(record.done), 'trial')}: {shown}."


def _caption(record: Record, pairs: Sequence[tuple[Scale, Scale]]) -> str:
    parts = []
    if len(record.driving) >= 2:
        parts.append("Blue trials are not beaten in every objective at once by any other trial.")
        if any(o.goal != "target" and o.bounds() != (None, None) for o in record.objectives):
            parts.append("A trial outside a minimum or maximum is not on the front.")
        if not record.front:
            parts.append("No trial lies inside every bound, so the front is empty.")
        every = len(record.driving) * (len(record.driving) - 1) // 2
        if every > len(pairs):
            parts.append(f"The first {len(pairs)} of {every} pairs are shown.")
    else:
        parts.append(
            "The campaign has one driving objective, so its Pareto set is its best trial; the "
            "panels show that objective against each bound, with the front of that pair in blue."
        )
    if any(s.centre is not None for pair in pairs for s in pair):
        parts.append(
            "For a target, the axis is the distance from it, on a log scale beyond the band."
        )
    parts.append(
        "Green shading is where a wish is met; a good trial lies in every band. A steep front "
        "means that the one is bought with the other."
    )
    return " ".join(parts)
