"""Marks that all figures share: published points, bands, panel titles."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from orchestrator.report._figure import BAND, BLACK

LABEL = "published, with its band"


def points(
    axes: Axes,
    x: Sequence[float] | float,
    y: Sequence[float] | float,
    half: Sequence[float] | float,
    colour: str = BLACK,
    label: str | None = None,
) -> None:
    """Published values with half of their acceptance bands."""
    axes.errorbar(
        x,
        y,
        yerr=half,
        linestyle="none",
        marker="o",
        markersize=5.0,
        mfc="white",
        mec=colour,
        ecolor=colour,
        elinewidth=1.1,
        markeredgewidth=1.3,
        capsize=2.5,
        label=label,
        zorder=5,
    )


def band(axes: Axes, low: float, high: float, label: str | None = None) -> None:
    """A published range of the ordinate."""
    axes.axhspan(low, high, color=BAND, lw=0, zorder=0, label=label)


def name(axes: Axes, title: str, x: str, y: str) -> None:
    """Title and axis labels."""
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
