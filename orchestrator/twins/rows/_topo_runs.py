"""The syntheses of seed 001 as runs of the batch station, and what to read off them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from instruments.metrology import topo_batch as metrology
from instruments.metrology.topo_batch import Frames
from instruments.station import AttemptKey, Measurement, Value
from instruments.topo_batch import PARAMETERS, TopoBatchStation
from surrogate_sim.parameters import TwinParameters, Values
from surrogate_sim.topo_batch import Reaction
from surrogate_sim.topo_chemistry import Charge

Array = NDArray[np.float64]
_Frozen = tuple[tuple[str, float], ...]
DOPA: dict[str, Value] = {"caesium_ligand": "dopa", "reaction_time": 300.0}
OLEATE: dict[str, Value] = {"caesium_ligand": "oleate", "reaction_time": 120.0}
HOT: dict[str, Value] = {
    "caesium_ligand": "dopa",
    "temperature": 100.0,
    "reaction_time": 1100.0,
}
ULTRAVIOLET: dict[str, Value] = {"dilution": 2.5, "reaction_time": 4.0}


def dilute_oleate(dilution: float) -> dict[str, Value]:
    """The magic-size synthesis: 4 mM of caesium, diluted 35 to 45 times (9e-5 M).

    Watched for four minutes (seed 001 does not say for how long): later frames are then not so
    sparse beside the early ones that a size which comes between them is lost in the histogram.
    """
    return {
        "caesium_ligand": "oleate",
        "caesium_concentration": 3.6,
        "lead_concentration": 10.8,
        "topo_concentration": 54.0,
        "dilution": dilution,
        "reaction_time": 240.0,
    }


def measured(
    parameters: TwinParameters, recipe: Mapping[str, Value]
) -> tuple[Measurement, Frames]:
    """Run a recipe on a lab with these parameters; recent runs are remembered."""
    whole = {p.name: p.default for p in PARAMETERS if p.default is not None} | dict(recipe)
    own, shared = (tuple(sorted(t.items())) for t in (parameters.own, parameters.materials))
    return _run(own, shared, parameters.seed, tuple(sorted(whole.items())))


@lru_cache(maxsize=24)
def _run(
    own: _Frozen, shared: _Frozen, seed: int | None, recipe: tuple[tuple[str, Value], ...]
) -> tuple[Measurement, Frames]:
    lab = TwinParameters("topo_batch", Values(dict(shared)), Values(dict(own)), seed)
    station = TopoBatchStation(parameters=lab)
    station.open()
    made = station.run(dict(recipe), AttemptKey(1, 1))
    return made, metrology.read_frames(made)


def near(time: Array, values: Array, at: float, half: float) -> float:
    """Mean of the values that exist within `half` of `at` [s]; NaN where there are none."""
    inside = (np.abs(time - at) <= half + 1e-9) & np.isfinite(values)
    return float(values[inside].mean()) if inside.any() else math.nan


def first(values: Array, count: int = 1) -> float:
    """Mean of the first `count` values that exist."""
    known = values[np.isfinite(values)]
    return float(known[:count].mean()) if len(known) else math.nan


def bound(frames: Frames) -> Array:
    """Formula units in crystals at each X-ray frame [mmol/L]."""
    return metrology.formula_concentration(frames.of("number"), frames.of("cube_moment"))


def gained(made: Measurement, frames: Frames) -> Array:
    """Yield on caesium at each X-ray frame."""
    return np.asarray(bound(frames) / float(made.conditions["caesium_in_vessel"]["value"]))


def reaction(parameters: TwinParameters, ligand: str, until: float) -> Reaction:
    """The population balance itself, for rows that ask for it."""
    charge = Charge("oleate" if ligand == "oleate" else "dopa", 2.0, 6.0, 30.0, 298.15)
    return Reaction(charge, parameters, until)


def histogram_peaks(edges: Array, step: float = 0.05) -> Array:
    """Sizes at which a histogram of sizes has its maxima, rising [nm].

    Counts are smoothed over three bins; a maximum holds at least 1.5 % of the frames and stands
    a fifth above the valleys beside it.
    """
    known = edges[np.isfinite(edges)]
    if len(known) < 20:
        return np.zeros(0)
    bins = np.arange(1.5, 8.0, step)
    counts = np.convolve(np.histogram(known, bins)[0], [0.25, 0.5, 0.25], mode="same")
    middle = 0.5 * (bins[1:] + bins[:-1])
    found: list[float] = []
    for i in range(1, len(counts) - 1):
        if counts[i] < max(counts[i - 1], counts[i + 1]) or counts[i] < 0.015 * len(known):
            continue
        around = counts[max(i - 7, 0) : i + 8]
        left, right = counts[max(i - 7, 0) : i + 1].min(), counts[i : i + 8].min()
        tied = found and middle[i] - found[-1] < 7.5 * step  # equal counts are one maximum
        if counts[i] >= around.max() and counts[i] > 1.2 * max(left, right) and not tied:
            found.append(float(middle[i]))
    return np.array(found)
