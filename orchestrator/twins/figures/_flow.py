"""Seed 004: colour by speed and by halide exchange, as the line's spectrometer sees it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from instruments.station import AttemptKey, Value
from orchestrator.report._figure import BLUE, GREEN, ORANGE, VERMILLION, panels
from orchestrator.report._figure import Layout as Sheet
from orchestrator.twins.catalogue import TWINS
from orchestrator.twins.figures._parts import name, points
from orchestrator.twins.running import complete, station_of
from surrogate_sim.materials import wavelength

_TWIN = TWINS["flow_synthesis"]


def draw() -> Figure:
    """Energy over speed, width over speed, and colours that each salt reaches."""
    figure, axes = panels(Sheet(10.0, 3, narrow=False), 3, 2.9)
    speeds = np.geomspace(12.0, 100.0, 10)
    for carrier, colour in (("single_phase", ORANGE), ("gas_liquid", BLUE)):
        seen = [_seen({"flow_velocity": float(u), "flow_format": carrier}) for u in speeds]
        energy = [float(wavelength(s["peak_emission"])) for s in seen]
        axes[0].plot(speeds, energy, ".-", color=colour, label=carrier.replace("_", " "))
        axes[1].plot(speeds, [s["emission_fwhm"] for s in seen], ".-", color=colour)
    points(axes[0], [12.0, 100.0], [2.43, 2.52], [0.025, 0.01], label="published (Kerr 2019)")
    axes[0].legend(loc="lower right")
    name(axes[0], "Colour by speed (FL-01 to 03)", "flow velocity [mm/s]", "peak [eV]")
    name(axes[1], "Width by speed (FL-06, 15)", "flow velocity [mm/s]", "FWHM [nm]")
    _salts(axes[2])
    return figure


def _salts(axes: Axes) -> None:
    declared = {p.name: p for p in station_of(_TWIN).description.parameters}
    salts = {"ZnCl2": GREEN, "ZnI2": VERMILLION}
    amount = declared.get("salt_concentration")
    if amount is None or amount.low is None or amount.high is None:
        axes.set_visible(False)
        return
    values = np.linspace(max(amount.low, 0.02 * amount.high), amount.high, 8)
    for salt, colour in salts.items():
        made = [_seen({"halide_salt": salt, "salt_concentration": float(v)}) for v in values]
        peaks = [s.get("peak_emission", np.nan) for s in made]
        axes.plot(values, peaks, ".-", color=colour, label=salt)
    axes.axhspan(410.0, 700.0, color="#d7efe6", lw=0, zorder=0)
    axes.text(0.03, 0.93, "published gamut", transform=axes.transAxes, color="#555555")
    axes.legend(loc="center right", bbox_to_anchor=(1.0, 0.4))
    name(axes, "Halide exchange (FL-11, 14)", f"salt [{amount.unit}]", "peak [nm]")


def _seen(change: Mapping[str, Value]) -> dict[str, float]:
    station = station_of(_TWIN)
    recipe = complete(station.description.parameters, change)
    if station.check(recipe):
        return {"peak_emission": np.nan, "emission_fwhm": np.nan}
    station.open()
    analysis = station.analyse(station.run(recipe, AttemptKey(1, 1)))
    station.close()
    empty = {"peak_emission": np.nan, "emission_fwhm": np.nan}
    return empty | {n: o.value for n, o in analysis.observables.items()}
