"""Was the agent right, and as sure as it should have been? Predicted against measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy.special import bdtr

from orchestrator.report._figure import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    VERMILLION,
    Illustration,
    Layout,
    panels,
)
from orchestrator.report._record import Record
from orchestrator.report._section import Section, absent
from orchestrator.report._words import NBSP, label, paragraph, plural, title, unit_text

SLUG, TITLE = "prediction", "Predicted against measured"
LEVELS = (0.5, 0.8, 0.95)
_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION, SKY)
_SHAPES = ("o", "s", "^", "D", "v", "P")

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Predictions:
    """What was predicted and measured of one observable; arrays of shape (n,), in its unit.

    `spread` is the standard deviation that the difference should have: predicted sd and
    measurement standard error in quadrature.
    """

    name: str
    trials: tuple[int, ...]
    mean: Array
    sd: Array
    value: Array
    se: Array

    @property
    def spread(self) -> Array:
        """Standard deviation expected of measured minus predicted."""
        return np.hypot(self.sd, self.se)

    def coverage(self, level: float) -> float:
        """Fraction of measurements inside the central predictive interval of this level."""
        return float(np.mean(self.inside(level)))

    def inside(self, level: float) -> NDArray[np.bool_]:
        """Which measurements lie inside the central predictive interval, normal errors."""
        half = NormalDist().inv_cdf(0.5 + level / 2.0) * self.spread
        return np.asarray(np.abs(self.value - self.mean) <= half)


def predictions_of(record: Record) -> list[Predictions]:
    """Collect per observable the completed trials that carry a prediction."""
    names = dict.fromkeys(name for t in record.trials for name in t.predicted)
    found = []
    for name in names:
        rows = [
            t
            for t in record.trials
            if t.state == "completed" and name in t.predicted and name in t.observables
        ]
        if rows:
            found.append(
                Predictions(
                    name,
                    tuple(t.number for t in rows),
                    np.array([t.predicted[name]["mean"] for t in rows], dtype=np.float64),
                    np.array([t.predicted[name]["sd"] for t in rows], dtype=np.float64),
                    np.array([t.observables[name].value for t in rows], dtype=np.float64),
                    np.array([t.observables[name].se or 0.0 for t in rows], dtype=np.float64),
                )
            )
    order = {name: i for i, name in enumerate(record.observables)}
    return sorted(found, key=lambda p: (order.get(p.name, len(order)), p.name))


def calibration(record: Record) -> Section:
    """Return the part on predictions."""
    found = predictions_of(record)
    if not found:
        reason = "No completed trial carries a prediction"
        why = {
            "imported": ", because imported records come without an agent.",
            "forked": ": those that came from the parent are kept without theirs.",
        }
        agent = f": {record.campaign.agent} had not used a model by then, or has none."
        return absent(SLUG, TITLE, reason + why.get(record.row.source, agent))
    scatter = Illustration(
        "predicted_measured", lambda at: _scatter(record, found, at), _alt(found),
        "Each point is one trial that the model proposed: what it expected (± 2 predictive "
        "standard deviations) against what was measured (± 2 standard errors). On the dashed line "
        "the two are equal, and about 19 crosses in 20 should reach it.",
    )  # fmt: skip
    curve = Illustration(
        "calibration", lambda at: _curve(found, at), _curve_alt(found),
        "How often the measurement fell inside the interval that was promised to hold it that "
        "often. Above the diagonal the agent was too cautious, below it too sure. The grey band "
        "is where a well-calibrated agent lies nine times in ten with so few trials. Beside it, "
        "each error over the spread promised for it: 19 in 20 should lie in the grey band, on "
        "both sides of zero.",
    )  # fmt: skip
    return Section(SLUG, TITLE, figures=(scatter, curve), after=_sentences(found))


def _scatter(record: Record, found: Sequence[Predictions], layout: Layout) -> Figure:
    figure, axes = panels(layout, len(found), 2.9)
    for panel, predictions in zip(axes, found, strict=True):
        _panel(record, panel, predictions)
    return figure


def _panel(record: Record, axes: Axes, p: Predictions) -> None:
    axes.errorbar(
        p.mean, p.value, xerr=2.0 * p.sd, yerr=2.0 * p.se, linestyle="none", marker="o",
        markersize=4.2, color=BLUE, elinewidth=0.8, ecolor=SKY, zorder=3,
    )  # fmt: skip
    ends = np.concatenate(
        [p.value - 2 * p.se, p.value + 2 * p.se, p.mean - 2 * p.sd, p.mean + 2 * p.sd]
    )
    low, high = float(ends.min()), float(ends.max())
    air = 0.05 * (high - low) or 0.5
    limits = (low - air, high + air)
    axes.plot(limits, limits, color=GREY, linewidth=1.0, linestyle=(0, (4, 2)), zorder=1)
    if record.best in p.trials:
        at = p.trials.index(record.best)
        axes.plot(
            p.mean[at], p.value[at], marker="o", markersize=10, mfc="none", mec=BLACK, zorder=4
        )
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    axes.locator_params(nbins=5)
    unit = unit_text(record.unit(p.name))
    axes.set_title(title(p.name))
    axes.set_xlabel(f"predicted [{unit}]" if unit else "predicted")
    axes.set_ylabel(f"measured [{unit}]" if unit else "measured")


def _curve(found: Sequence[Predictions], layout: Layout) -> Figure:
    figure, (left, right) = panels(layout, 2, 3.0)
    _coverage(left, found)
    _errors(right, found)
    return figure


def _coverage(axes: Axes, found: Sequence[Predictions]) -> None:
    levels = np.linspace(0.02, 0.98, 49)
    count = min(len(p.trials) for p in found)
    band = [binomial_quantile(q, count, levels) / count for q in (0.05, 0.95)]
    axes.fill_between(levels, band[0], band[1], color="#eeeeee", step="mid", linewidth=0, zorder=0)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1.0, linestyle=(0, (4, 2)), zorder=1)
    for i, p in enumerate(found):
        colour, shape = _COLOURS[i % len(_COLOURS)], _SHAPES[i % len(_SHAPES)]
        axes.plot(levels, [p.coverage(v) for v in levels], color=colour, linewidth=1.0, alpha=0.6)
        axes.plot(
            LEVELS, [p.coverage(v) for v in LEVELS], color=colour, marker=shape, markersize=5.5,
            linestyle="none", zorder=3,
        )  # fmt: skip
    for level in LEVELS:
        axes.axvline(level, color=PALE, linewidth=0.7, zorder=0)
    axes.set(xlim=(0, 1), ylim=(0, 1.03))
    axes.set_xlabel("promised share inside the interval")
    axes.set_ylabel("measured share inside")
    axes.set_xticks([0.0, *LEVELS], ["0", *(f"{100 * v:.0f} %" for v in LEVELS)])
    axes.set_yticks([0.0, 0.5, 1.0], ["0", "50 %", "100 %"])


def binomial_quantile(quantile: float, count: int, chances: Array) -> Array:
    """Smallest number of successes whose cumulative probability reaches `quantile`.

    Args:
        quantile: Between 0 and 1.
        count: Number of tries.
        chances: Probability of success in one try, shape (n,).
    """
    below = bdtr(np.arange(count + 1.0)[:, None], count, chances[None, :])
    return np.asarray(np.argmax(below >= quantile, axis=0), dtype=np.float64)


def _errors(axes: Axes, found: Sequence[Predictions]) -> None:
    """Draw each error over the spread that was promised for it, in the order of the trials."""
    worst = 3.0
    for i, p in enumerate(found):
        known = p.spread > 0.0
        score = (p.value - p.mean)[known] / p.spread[known]
        worst = max(worst, float(np.abs(score).max(initial=0.0)) + 0.4)
        axes.plot(
            np.array(p.trials)[known], score, color=_COLOURS[i % len(_COLOURS)], markersize=5.0,
            marker=_SHAPES[i % len(_SHAPES)], linestyle="none", label=label(p.name), zorder=3,
        )  # fmt: skip
    axes.axhspan(-2.0, 2.0, color="#eeeeee", linewidth=0, zorder=0)
    axes.axhline(0.0, color=GREY, linewidth=1.0, linestyle=(0, (4, 2)), zorder=1)
    axes.set_ylim(-worst, worst)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=7, min_n_ticks=1))
    axes.set_xlabel("trial")
    axes.set_ylabel("(measured − predicted) / spread")
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=min(len(found), 3),
                borderaxespad=0.2, handletextpad=0.1, columnspacing=0.8)  # fmt: skip


def _whole(share: float) -> str:
    return f"{100.0 * share:.0f}{NBSP}%"


def _sentences(found: Sequence[Predictions]) -> str:
    return "".join(paragraph(_sentence(p)) for p in found)


def _sentence(p: Predictions) -> str:
    count = len(p.trials)
    hits = [int(np.sum(p.inside(level))) for level in LEVELS]
    shares = ", ".join(
        f"{hit} ({_whole(hit / count)}) in the {_whole(level)} interval"
        for hit, level in zip(hits, LEVELS, strict=True)
    )
    spread = p.spread
    usable = spread > 0.0
    score = ""
    if usable.any():
        z = (p.value[usable] - p.mean[usable]) / spread[usable]
        size = float(np.sqrt(np.mean(z**2)))
        sure = "about as sure as it should have been"
        if size > 1.3:
            sure = "surer than it should have been"
        elif size < 0.7:
            sure = "more cautious than it needed to be"
        score = (
            f" Typical error: {size:.1f} predictive standard deviations, so the agent was {sure}."
        )
    return f"{title(p.name)}: of {plural(count, 'measurement')}, {shares}.{score}"


def _alt(found: Sequence[Predictions]) -> str:
    names = ", ".join(f"{label(p.name)} ({plural(len(p.trials), 'trial')})" for p in found)
    return f"Measured against predicted values with error bars and the line of equality: {names}."


def _curve_alt(found: Sequence[Predictions]) -> str:
    said = "; ".join(
        f"{label(p.name)} " + ", ".join(f"{_whole(p.coverage(v))} at {_whole(v)}" for v in LEVELS)
        for p in found
    )
    return f"Share of trials inside the predictive interval against the promised share: {said}."
