"""Seed 004: colour by speed and by halide exchange, as the line's spectrometer sees it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from instruments.station import AttemptKey, Value
from orchestrator.report._figure import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILLION, panels
from orchestrator.report._figure import Layout as Sheet
from orchestrator.twins.catalogue import TWINS
from orchestrator.twins.figures._parts import band, name, points
from orchestrator.twins.running import complete, station_of
from surrogate_sim.materials import wavelength

_TWIN = TWINS["flow_synthesis"]


def draw() -> Figure:
    """Colour and width over speed, salt and heat; light that is lost to lifetime."""
    figure, axes = panels(Sheet(10.5, 3, narrow=False), 6, 2.7)
    speeds = np.geomspace(12.0, 100.0, 10)
    for carrier, colour in (("single_phase", ORANGE), ("gas_liquid", BLUE)):
        seen = [_seen({"flow_velocity": float(u), "flow_format": carrier}) for u in speeds]
        energy = [float(wavelength(s["peak_emission"])) for s in seen]
        axes[0].plot(speeds, energy, ".-", color=colour, label=carrier.replace("_", " "))
        axes[1].plot(speeds, [s["emission_fwhm"] for s in seen], ".-", color=colour)
    points(axes[0], [12.0, 100.0], [2.43, 2.52], [0.025, 0.01], label="published (Kerr 2019)")
    axes[0].legend(loc="upper left")
    name(axes[0], "Colour by speed (FL-01 to 03)", "flow velocity [mm/s]", "peak [eV]")
    name(axes[1], "Width by speed (FL-06, 15)", "flow velocity [mm/s]", "FWHM [nm]")
    _salts(axes[2])
    _heat(axes[3])
    _hot_widths(axes[4])
    _lifetimes(axes[5])
    return figure


_HOT: dict[str, Value] = {
    "flow_format": "gas_liquid",
    "solvent": "octadecene",
    "flow_velocity": 25.0,
    "probe_position": 250.0,
}
"""Heat-up synthesis of Lignos 2016: octadecene, up to 10 s in the hot tube."""
_OCTYL: dict[str, Value] = {
    **_HOT,
    "ligand_pair": "octanoic_octylamine",
    "probe_position": 1000.0,
}
"""Octyl ligands of Li 2020; the residence time is not published."""


def _heat(axes: Axes) -> None:
    warm = np.linspace(90.0, 200.0, 12)
    for recipe, colour, label in ((_OCTYL, PURPLE, "octyl (Li)"), (_HOT, BLUE, "oleyl (Lignos)")):
        peaks = [_seen({**recipe, "temperature": float(t)})["peak_emission"] for t in warm]
        axes.plot(warm, peaks, ".-", color=colour, label=label)
    points(axes, [110.0, 140.0], [460.0, 497.0], [8.0, 12.0], PURPLE, "published (Li 2020)")
    axes.legend(loc="lower right")
    name(axes, "Colour by heat (FL-08, 09)", "temperature [°C]", "peak [nm]")


def _hot_widths(axes: Axes) -> None:
    warm = np.linspace(140.0, 200.0, 7)
    widths = [_seen({**_HOT, "temperature": float(t)})["emission_fwhm"] for t in warm]
    band(axes, 25.0, 45.0, "published range")
    axes.plot(warm, widths, ".-", color=BLUE, label="ours")
    axes.set_ylim(20.0, 50.0)
    axes.legend()
    name(axes, "Width by heat (FL-08)", "temperature [°C]", "FWHM [nm]")


def _lifetimes(axes: Axes) -> None:
    warm = np.linspace(140.0, 200.0, 7)
    look: dict[str, Value] = {"characterisation": "light_and_lifetime"}
    seen = [_seen({**_HOT, **look, "temperature": float(t)}) for t in warm]
    band(axes, 5.0, 42.0, "published range, all halides")
    axes.axvline(180.0, color=GREY, lw=0.8, ls=":", label="published maximum")
    axes.plot(warm, [s.get("lifetime", np.nan) for s in seen], ".-", color=BLUE, label="bromide")
    axes.set_ylim(0.0, 50.0)
    axes.legend(loc="upper right")
    name(axes, "Lifetime by heat (FL-16)", "temperature [°C]", "mean lifetime [ns]")


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
