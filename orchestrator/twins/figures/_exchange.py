"""Seed 003: switching, incubation and ensemble emission as iodide comes in."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from orchestrator.report._figure import BLUE, GREY, PURPLE, SKY, VERMILLION, YELLOW, panels
from orchestrator.report._figure import Layout as Sheet
from orchestrator.twins.catalogue import TWINS
from orchestrator.twins.figures._parts import name, points
from orchestrator.twins.rows.anion_exchange import (
    CONCENTRATIONS,
    DISPERSION,
    filmed,
    incubation,
    peaks,
    scanned,
    switching,
    value,
)

_COLOURS = {5.1: BLUE, 6.1: SKY, 7.8: YELLOW, 9.5: PURPLE, 13.1: VERMILLION}
_SWITCHING = {
    5.1: [(5.0, 135.6, 20.3), (50.0, 18.1, 2.7)],
    13.1: [
        (5.0, 14.1, 2.1),
    ],
}
_INCUBATION = {5.1: (393.0, 0.2), 6.1: (380.0, 0.6), 7.8: (393.0, 0.6), 9.5: (773.0, 0.6),
               13.1: (891.0, 0.2)}  # fmt: skip
_VARIATION = {5.1: [(5.0, 0.28), (50.0, 0.52)], 13.1: [(5.0, 0.57), (50.0, 0.67)]}


def draw() -> Figure:
    """Switching, its variation, incubation, ensembles."""
    figure, axes = panels(Sheet(9.0, 2, narrow=False), 4, 2.9)
    _switching(axes[0])
    _variation(axes[1])
    _incubation(axes[2])
    _ensemble(axes[3])
    return figure


def _switching(axes: Axes) -> None:
    lab = TWINS["anion_exchange"].nominal()
    for edge in (5.1, 13.1):
        times = [switching(lab, edge, c) for c in CONCENTRATIONS]
        axes.plot(CONCENTRATIONS, times, ".-", color=_COLOURS[edge], label=f"{edge} nm")
        x, y, half = zip(*_SWITCHING[edge], strict=True)
        points(axes, x, y, half, _COLOURS[edge])
    low, high = 1.3, 4.5  # an uneven band about 2.7 s
    axes.errorbar(
        50.0,
        2.7,
        yerr=[[2.7 - low], [high - 2.7]],
        color=_COLOURS[13.1],
        marker="o",
        mfc="white",
        capsize=2.5,
        zorder=5,
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([5, 10, 20, 50], ["5", "10", "20", "50"])
    axes.minorticks_off()
    axes.legend()
    name(axes, "Switching of single crystals (AX-08 to 11)", "TMSI [µmol/L]", "mean time [s]")


def _variation(axes: Axes) -> None:
    lab = TWINS["anion_exchange"].nominal()
    for i, edge in enumerate((5.1, 13.1)):
        ours = [value(filmed(lab, edge, c), "switching_variation") for c in (5.0, 50.0)]
        place = np.array([0.0, 1.0]) + 0.12 * i
        axes.plot(place, ours, "s", color=_COLOURS[edge], label=f"{edge} nm, ours")
        _, y = zip(*_VARIATION[edge], strict=True)
        points(axes, (place + 0.05).tolist(), y, 0.3, _COLOURS[edge])
    axes.set_xticks([0.08, 1.08], ["5 µmol/L", "50 µmol/L"])
    axes.set_xlim(-0.4, 1.6)
    axes.set_ylim(0.0, 1.1)
    axes.legend(loc="lower right")
    name(axes, "Spread of switching (AX-12)", "TMSI", "deviation / mean")


def _incubation(axes: Axes) -> None:
    lab = TWINS["anion_exchange"].nominal()
    edges = sorted(DISPERSION)
    axes.plot(edges, [incubation(lab, e) for e in edges], ".-", color=BLUE, label="ours")
    y, share = zip(*(_INCUBATION[e] for e in edges), strict=True)
    points(axes, edges, y, [a * b for a, b in zip(y, share, strict=True)], label="published")
    axes.set_ylim(0.0, None)
    axes.legend(loc="upper left")
    name(axes, "Incubation at 5 µmol/L (AX-06, 07)", "edge [nm]", "time [s]")


def _ensemble(axes: Axes) -> None:
    lab = TWINS["anion_exchange"].nominal()
    for edge, until in ((5.1, 315.0), (13.1, 1435.0)):
        found = scanned(lab, edge, until)
        axes.plot(found.series[0].time, peaks(found), ".-", color=_COLOURS[edge],
                  label=f"{edge} nm")  # fmt: skip
    points(axes, [35.0, 315.0], [622.0, 615.0], 4.0, BLUE)
    points(axes, 1435.0, 662.5, 14.5, VERMILLION)
    axes.axhline(486.0, color=GREY, lw=0.7, ls=":")
    axes.set_ylim(480.0, 690.0)
    axes.legend(loc="lower right")
    name(axes, "Ensembles in excess TMSI (AX-02 to 05)", "time [s]", "peak [nm]")
