"""Seed 002: what the plate reader saw over the ratio of ligands, and what SHAP made of it."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from orchestrator.report._figure import BLUE, GREEN, ORANGE, VERMILLION, panels
from orchestrator.report._figure import Layout as Sheet
from orchestrator.twins import larp_shap
from orchestrator.twins._larp_runs import LONG, RATIOS, SHORT, sweep
from orchestrator.twins.catalogue import TWINS
from orchestrator.twins.figures._parts import name, points

_SERIES = (
    (LONG, "toluene", BLUE, "C18 pair, toluene"),
    (SHORT, "toluene", ORANGE, "C8 pair, toluene"),
    (LONG, "chloroform", VERMILLION, "C18 pair, chloroform"),
)
_FIRST = ([0.1, 0.2, 0.3, 0.4, 0.5], [522.6, 522.3, 523.2, 520.0, 517.8])


def draw() -> Figure:
    """Peak, width, light and drift over the ratio; SHAP on the peak where it is installed."""
    figure, axes = panels(Sheet(10.5, 3, narrow=False), 6, 2.7)
    _over_ratio(axes[0], "peak_emission", "First peak (LP-01, 12, 14)", "peak [nm]")
    points(axes[0], *_FIRST, 3.0, BLUE)
    points(axes[0], 0.55, 506.8, 4.0, VERMILLION)
    _over_ratio(axes[1], "emission_fwhm", "First width (LP-02, 10, 17)", "FWHM [nm]")
    for x, y, half, colour in (
        (0.2, 26.0, 2.5, BLUE), (1.8, 30.0, 2.5, BLUE), (0.27, 27.5, 3.5, ORANGE),
        (1.87, 35.0, 3.5, ORANGE), (0.55, 33.0, 4.0, VERMILLION),
    ):  # fmt: skip
        points(axes[1], x, y, half, colour)
    _over_ratio(axes[2], "intensity", "Light (LP-03, 11)", "height [counts]")
    _over_ratio(axes[3], "peak_drift", "Drift in 12 h (LP-05, 11)", "shift [nm]")
    axes[3].fill_between([0.1, 0.5], -3.0, 3.0, color="#d7efe6", lw=0)
    _levels(axes[4])
    _shap(axes[5])
    axes[2].legend(loc="upper right")
    return figure


def _over_ratio(axes: Axes, what: str, title: str, y: str) -> None:
    lab = TWINS["larp_plate"].nominal()
    for pair, solvent, colour, label in _SERIES:
        plate = sweep(lab, pair, solvent)
        values = plate.intensity() if what == "intensity" else plate.mean(what)
        axes.plot(RATIOS, values, ".-", color=colour, lw=1.0, ms=4, label=label)
    name(axes, title, "amine / acid, v/v", y)


def _levels(axes: Axes) -> None:
    lab = TWINS["larp_plate"].nominal()
    for level, colour, label in ((300.0, BLUE, "1:30"), (150.0, GREEN, "1:15")):
        light = sweep(lab, LONG, "toluene", level).intensity()
        axes.plot(RATIOS, light / light[0], ".-", color=colour, lw=1.0, ms=4, label=label)
    axes.set_ylim(0.0, None)
    axes.legend(title="acid : PbBr2 solution")
    name(axes, "More ligand, less light (LP-04)", "amine / acid, v/v", "light / that at 0.1")


def _shap(axes: Axes) -> None:
    names = list(larp_shap.PUBLISHED_PEAK)
    place = np.arange(len(names))
    axes.barh(place - 0.2, list(larp_shap.PUBLISHED_PEAK.values()), 0.36, color="white",
              edgecolor="#222222", label="published")  # fmt: skip
    try:
        table, peak, _ = larp_shap.virtual_wells(TWINS["larp_plate"].nominal())
        found = larp_shap.importance(table, peak)
        axes.barh(place + 0.2, [found.size[n] for n in names], 0.36, color=BLUE, label="ours")
    except larp_shap.ScienceMissingError:
        axes.text(0.4, 0.5, "the extra 'science'\nis not installed", transform=axes.transAxes)
    axes.set_yticks(place, names)
    axes.invert_yaxis()
    axes.legend(loc="lower right")
    name(axes, "SHAP on the peak (LP-18)", "mean |SHAP| [nm]", "")
