"""Recipes of the works that seed 004 reviews, as runs of the flow station."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from instruments.flow_line import PARAMETERS
from instruments.flow_synthesis import FlowSynthesisStation
from instruments.station import Analysis, AttemptKey, Measurement, Value
from surrogate_sim import materials
from surrogate_sim.parameters import TwinParameters, Values

Array = NDArray[np.float64]
HC = materials.HC
_Frozen = tuple[tuple[str, float], ...]
GAS: dict[str, Value] = {"flow_format": "gas_liquid"}
HOT: dict[str, Value] = {
    **GAS,
    "solvent": "octadecene",
    "flow_velocity": 25.0,
    "probe_position": 250.0,
}
"""Heat-up synthesis of Lignos: octadecene, up to 10 s in the hot tube."""
LI: dict[str, Value] = {
    **HOT,
    "ligand_pair": "octanoic_octylamine",
    "probe_position": 1000.0,
}
"""Octyl ligands of Li 2020; their residence is not in the seed, 40 s assumed."""
LIFETIME: dict[str, Value] = {"characterisation": "light_and_lifetime"}
BRIGHT: dict[str, Value] = {
    "lead_concentration": 2.3,
    "cs_pb_ratio": 0.57,
    "br_pb_ratio": 5.5,
    "oleic_acid_fraction": 6.7,
    "ligand_solvent_ratio": 0.18,
    "flow_velocity": 22.0,
    "probe_position": 2300.0,
}
"""The brightest feed that a search found."""


def kerr(velocity: float) -> dict[str, Value]:
    """The reference feed in gas-segmented toluene at a speed [mm/s], at the tube's end."""
    return {**GAS, "flow_velocity": velocity, "probe_position": 3000.0}


def salted(salt: str, amount: float, ratio: float = 0.5, **more: Value) -> dict[str, Value]:
    """Exchange with a zinc salt [mmol/L] at an R_L."""
    made: dict[str, Value] = {**GAS, "flow_velocity": 25.0, "probe_position": 3000.0}
    made |= {"halide_salt": salt, "salt_concentration": amount, "ligand_ratio": ratio}
    return made | more


def measured(
    p: TwinParameters, recipe: Mapping[str, Value], model: str = "reduced"
) -> tuple[Measurement, Analysis]:
    """Run a recipe on a lab with these parameters; recent runs are remembered."""
    salt = recipe.get("halide_salt", "none")
    whole = {
        d.name: d.default
        for d in PARAMETERS
        if d.default is not None and (d.when is None or salt in d.when[1])
    } | dict(recipe)
    own, shared = (tuple(sorted(t.items())) for t in (p.own, p.materials))
    return _run(own, shared, p.seed, model, tuple(sorted(whole.items())))


@lru_cache(maxsize=128)
def _run(
    own: _Frozen,
    shared: _Frozen,
    seed: int | None,
    model: str,
    recipe: tuple[tuple[str, Value], ...],
) -> tuple[Measurement, Analysis]:
    lab = TwinParameters("flow", Values(dict(shared)), Values(dict(own)), seed)
    station = FlowSynthesisStation({"model": model}, parameters=lab)
    station.open()
    made = station.run(dict(recipe), AttemptKey(1, 1))
    return made, station.analyse(made)


def seen(p: TwinParameters, recipe: Mapping[str, Value], name: str) -> float:
    """Return an observable, NaN where the analysis gave none."""
    found = measured(p, recipe)[1].observables.get(name)
    return math.nan if found is None else found.value


def energy(p: TwinParameters, recipe: Mapping[str, Value]) -> float:
    """Peak emission [eV]."""
    return HC / seen(p, recipe, "peak_emission")


def plateau(p: TwinParameters, temperature: float) -> float:
    """Residence time after which the size stays within 5 % of that at 10 s [s].

    The size is read off the emission along the tube by the sizing curve at that temperature.
    """
    scan = {**HOT, "temperature": temperature, "scan_positions": 76}
    series = {s.name: s for s in measured(p, scan)[1].series}
    peaks = series["peak_emission"]
    c = p.materials
    shift = c["energy_per_kelvin"] * (temperature + 273.15 - materials.ROOM)
    known = np.isfinite(peaks.values)
    if not known.any():
        return math.nan
    size = np.full(len(peaks.values), np.nan)
    size[known] = materials.edge_from_energy(HC / peaks.values[known] - shift, constants=c)
    away = np.flatnonzero(~(np.abs(size / size[-1] - 1.0) <= 0.05))
    return float(peaks.time[min(away[-1] + 1, len(size) - 1)]) if len(away) else 0.0


def absorbed(p: TwinParameters, recipe: Mapping[str, Value], low: float = 363.0) -> float:
    """Mean absorbance over the 5 nm above `low` [nm], where size hardly matters."""
    found = next(s for s in measured(p, recipe)[0].spectra if s.name == "absorbance")
    near = (found.axis >= low) & (found.axis <= low + 5.0)
    return float(found.values[near].mean())
