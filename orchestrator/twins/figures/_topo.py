"""Seed 001: scattering and absorbance as crystals form, ripen and assemble."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from instruments.metrology import topo_batch as metrology
from instruments.metrology.topo_batch import Frames
from orchestrator.report._figure import BLACK, BLUE, GREEN, ORANGE, PURPLE, panels
from orchestrator.report._figure import Layout as Sheet
from orchestrator.twins.catalogue import TWINS
from orchestrator.twins.figures._parts import name, points
from orchestrator.twins.rows import _topo_runs as runs


def draw() -> Figure:
    """Size, number, deviation, yield, linewidth and assembly."""
    figure, axes = panels(Sheet(10.5, 3, narrow=False), 6, 2.7)
    lab = TWINS["topo_batch"].nominal()
    made, dopa = runs.measured(lab, runs.DOPA)
    other, oleate = runs.measured(lab, runs.OLEATE)
    both = ((dopa, BLUE, "Cs-DOPA"), (oleate, ORANGE, "Cs-OA"))
    _course(axes[0], both, "size", "Mean size (TP-02, 04, 09, 17)", "diameter [nm]")
    points(axes[0], [1.1, 30.0, 300.0], [4.4, 7.4, 8.1], [0.3, 0.3, 0.35], BLUE)
    points(axes[0], 2.0, 3.4, 0.4, ORANGE)
    _course(axes[1], both, "number", "Number (TP-03, 08)", "number [µmol/L]")
    points(axes[1], 3.0, 4.2, 1.05, BLUE)
    points(axes[1], 290.0, 1.1, 0.275, BLUE)
    axes[1].set_ylim(0.0, 8.0)
    _course(axes[2], both, "deviation", "Spread of sizes (TP-05)", "deviation [nm]")
    points(axes[2], 30.0, 0.70, 0.25, BLUE)
    axes[2].set_ylim(0.0, 2.2)
    for measured, frames, colour in ((made, dopa, BLUE), (other, oleate, ORANGE)):
        axes[3].plot(frames.saxs_time, runs.gained(measured, frames), color=colour)
    points(axes[3], 30.0, 0.61, 0.06, BLUE)
    points(axes[3], 14.0, 0.25 * 0.61, 0.07 * 0.61, ORANGE)
    _log(axes[3])
    axes[3].set_ylim(0.0, 0.9)
    name(axes[3], "Yield on caesium (TP-07, 19)", "time [s]", "yield")
    _widths(axes[4], dopa)
    _assembly(axes[5])
    axes[0].legend(loc="upper left")
    return figure


def _log(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_xlim(0.4, 400.0)


def _course(
    axes: Axes, both: tuple[tuple[Frames, str, str], ...], what: str, title: str, y: str
) -> None:
    for frames, colour, label in both:
        axes.plot(frames.saxs_time, frames.of(what), color=colour, lw=1.0, label=label)
    _log(axes)
    name(axes, title, "time [s]", y)


def _widths(axes: Axes, frames: Frames) -> None:
    axes.plot(frames.light_time, 1e3 * frames.light("width"), color=BLUE, lw=0.8)
    points(axes, 1.1, 340.0, 70.0, PURPLE, "published: first crystals")
    points(axes, 12.0, 135.0, 20.0, GREEN, "from 7 s")
    axes.set_xscale("log")
    axes.set_xlim(0.3, 60.0)
    axes.set_ylim(60.0, 430.0)
    axes.legend(loc="upper right")
    name(axes, "Width of the first exciton (TP-14)", "time [s]", "FWHM [meV]")


def _assembly(axes: Axes) -> None:
    _, frames = runs.measured(TWINS["topo_batch"].nominal(), runs.HOT)
    spacing = metrology.structure_spacing(frames)
    time = frames.saxs_time
    axes.plot(time, frames.of("size"), color=BLUE, lw=1.0, label="size")
    axes.plot(time, np.where(np.isfinite(spacing), spacing, np.nan), ".", color=GREEN, ms=3,
              label="spacing of the stacks")  # fmt: skip
    axes.errorbar(90.0, 11.6, xerr=20.0, yerr=1.0, color=BLUE, marker="o", mfc="white", capsize=2)
    axes.errorbar(95.0, 16.0, yerr=0.4, color=BLACK, marker="o", mfc="white", capsize=2)
    axes.errorbar(300.0, 14.8, xerr=60.0, yerr=0.3, color=BLACK, marker="o", mfc="white",
                  capsize=2, label="published")  # fmt: skip
    axes.set_xlim(0.0, 600.0)
    axes.legend(loc="lower right")
    name(axes, "Assembly at 100 °C (TP-22 to 24)", "time [s]", "[nm]")
