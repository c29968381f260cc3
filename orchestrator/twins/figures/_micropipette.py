"""Seed 000: emission as dots grow at the interface, and the ions that feed them."""

from __future__ import annotations

from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from instruments.station import Value
from orchestrator.report._figure import BLACK, BLUE, GREEN, ORANGE, PURPLE, VERMILLION, panels
from orchestrator.report._figure import Layout as Sheet
from orchestrator.twins.catalogue import TWINS
from orchestrator.twins.figures._parts import name, points
from orchestrator.twins.rows.micropipette import TIPS, Watched, closely, watch
from surrogate_sim.micropipette import half_angle
from surrogate_sim.micropipette_fields import bromide_field, cation_field, consumption_rate

_COLOURS = {"M1": BLUE, "M2": GREEN, "M3": ORANGE}
_PEAK = {
    "M1": [(1.0, 490.0)],
    "M2": [(0.0, 463.0), (1.0, 474.0)],
    "M3": [(0.0, 453.0), (1.0, 460.0)],
}
_STAGE = {"M1": (5.0, 1.5), "M2": (10.0, 3.0), "M3": (12.0, 3.0)}


def draw() -> Figure:
    """Peaks, widths, half concentrations, and profiles of the ions."""
    figure, axes = panels(Sheet(9.0, 2, narrow=False), 4, 2.9)
    lab = TWINS["micropipette"].nominal()
    grown = {m: watch(lab, tip_diameter=t) for m, t in TIPS.items()}
    _peaks(axes[0], grown)
    _widths(axes[1], grown)
    _halves(axes[2])
    _profiles(axes[3])
    return figure


def _peaks(axes: Axes, grown: dict[str, Watched]) -> None:
    for m, growth in grown.items():
        time, peak = growth.series("peak_emission")
        axes.plot(time / 60.0, peak, color=_COLOURS[m], label=f"{m}, {TIPS[m] / 1e3:g} µm")
        x, y = zip(*_PEAK[m], strict=True)
        points(axes, x, y, 4.0, _COLOURS[m])
        ends, half = _STAGE[m]
        low = 447.0 - 3.0 * list(TIPS).index(m)
        points_x = [ends - half, ends + half]
        axes.plot(points_x, [low, low], color=_COLOURS[m], lw=3.5, solid_capstyle="butt")
        axes.plot(growth.observable("stage_1_duration") / 60.0, low, "|", color=BLACK, ms=9, mew=2)
    axes.text(15.6, 444.0, "bars: published end of stage 1\nticks: ours", va="center", fontsize=7)
    axes.set_xlim(-0.6, 25.0)
    axes.set_ylim(437.0, None)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.25))
    name(axes, "Emission of three tips (MP-06, 08, 09)", "time [min]", "peak [nm]")


def _widths(axes: Axes, grown: dict[str, Watched]) -> None:
    for m, growth in grown.items():
        time, width = growth.series("emission_fwhm")
        axes.plot(time / 60.0, width, color=_COLOURS[m], label=m)
    points(axes, 5.0, 22.0, 2.0, BLUE, "published for M1: end of stage 1")
    points(axes, 15.0, 18.0, 2.0, VERMILLION, "least width, end of stage 2")
    axes.set_xlim(-0.6, 25.0)
    axes.legend(loc="upper right")
    name(axes, "Linewidth (MP-15)", "time [min]", "FWHM [nm]")


def _halves(axes: Axes) -> None:
    lab = TWINS["micropipette"].nominal()
    made: tuple[tuple[str, str, dict[str, Value], tuple[float, float]], ...] = (
        ("as usual", BLUE, {}, (15.0, 3.0)),
        ("half the lead", GREEN, {"lead_concentration": 10.0}, (5.0, 3.0)),
        ("half the caesium", ORANGE, {"caesium_concentration": 15.0}, (5.0, 3.0)),
    )
    for i, (label, colour, change, (shift, half)) in enumerate(made):
        growth = closely(lab, 190.0, **{"sampling_interval": 2.0, **change})
        time, peak = growth.series("peak_emission")
        if len(peak) < 4:
            continue
        axes.plot(time / 60.0, peak - peak[:3].mean(), color=colour, label=label)
        points(axes, 3.0 + 0.06 * i, shift, half, colour)
    axes.legend(loc="upper left")
    name(axes, "Shift with less precursor (MP-11, 12)", "time [min]", "shift of the peak [nm]")


def _profiles(axes: Axes) -> None:
    lab = TWINS["micropipette"].nominal()
    rate = consumption_rate(lab.own)
    apex = 0.5 * lab.own["reference_tip"] / np.tan(half_angle(lab.own))
    distance = np.linspace(1.0, 40.0, 200)
    ions: tuple[tuple[Literal["lead", "caesium"], str], ...] = (("lead", BLUE), ("caesium", GREEN))
    for ion, colour in ions:
        field = cation_field(ion, rate, lab.own).along(apex + 1e3 * distance)
        axes.plot(
            distance,
            field / field[-1],
            color=colour,
            label=f"{ion}, in the tip",
            ls="--" if ion == "caesium" else "-",
        )
    out = np.linspace(0.06, 9.0, 200)
    bromide = bromide_field(rate, 60.0, lab.own).along(1e3 * out)
    axes.plot(out, bromide / bromide[0], color=PURPLE, label="bromide, outside")
    points(axes, [15.0, 20.0], [0.79, 0.86], 0.05, BLACK, "published for lead")
    axes.set_ylim(0.0, 1.05)
    axes.legend(loc="lower right")
    name(axes, "Ions along the axis (MP-03, 04)", "distance from the interface [µm]", "relative")
