"""Plates that the rows of seed 002 are judged on: replicated wells through the station."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from instruments.larp_plate import LarpPlateStation
from instruments.plate_recipe import PARAMETERS
from instruments.station import Analysis, AttemptKey, Recipe, Value
from surrogate_sim.parameters import TwinParameters, Values

Array = NDArray[np.float64]
RATIOS = tuple(round(0.1 * k, 1) for k in range(1, 21))
REPLICATES = 3
LEVELS = {300.0: 1.0 / 30.0, 150.0: 1.0 / 15.0}
"""Volume of PbBr2 solution [uL] in the authors' table, and of acid per volume of it."""
DEFAULTS: dict[str, Value] = {p.name: p.default for p in PARAMETERS if p.default is not None}
LONG, SHORT = "oleic_oleylamine", "octanoic_octylamine"
_Frozen = tuple[tuple[str, float], ...]
_Key = tuple[tuple[str, Value], ...]


@dataclass(frozen=True)
class Sweep:
    """One plate over the ratios: means over replicates that emit, shape (20,).

    Attributes:
        analyses: By ratio, those of the replicates.
    """

    analyses: tuple[tuple[Analysis, ...], ...]

    def mean(self, name: str) -> Array:
        """Mean of an observable per ratio; NaN where no replicate gave it."""
        found = []
        for group in self.analyses:
            values = [a.observables[name].value for a in group if name in a.observables]
            found.append(float(np.mean(values)) if values else np.nan)
        return np.array(found)

    def intensity(self) -> Array:
        """Mean first intensity per ratio; a well without emission counts as 0."""
        return np.nan_to_num(self.mean("intensity"))


def at(values: Array, *ratios: float) -> Array:
    """Values at the given ratios."""
    return values[[RATIOS.index(r) for r in ratios]]


def sweep(p: TwinParameters, pair: str, solvent: str, level: float = 300.0) -> Sweep:
    """Run a plate of all ratios at a level of PbBr2 (`LEVELS`), each in replicate wells."""
    own, shared = (tuple(sorted(t.items())) for t in (p.own, p.materials))
    recipes = tuple(
        tuple(
            sorted(
                {
                    **DEFAULTS,
                    "ligand_pair": pair,
                    "antisolvent": solvent,
                    "pbbr2_volume": level,
                    "ligand_solution_ratio": LEVELS[level],
                    "amine_acid_ratio": r,
                }.items()
            )
        )
        for r in RATIOS
        for _ in range(REPLICATES)
    )
    done = _run(own, shared, p.seed, recipes)
    groups = [done[i : i + REPLICATES] for i in range(0, len(done), REPLICATES)]
    return Sweep(tuple(groups))


def repeated(p: TwinParameters, ratios: tuple[float, ...], wells: int) -> tuple[float, ...]:
    """Mean first peak [nm] of long-chain toluene wells, each ratio in so many wells."""
    own, shared = (tuple(sorted(t.items())) for t in (p.own, p.materials))
    recipes = tuple(
        tuple(sorted({**DEFAULTS, "amine_acid_ratio": r}.items()))
        for r in ratios
        for _ in range(wells)
    )
    done = _run(own, shared, p.seed, recipes)
    peaks = np.array([a.observables["peak_emission"].value for a in done])
    return tuple(float(v) for v in peaks.reshape(len(ratios), wells).mean(axis=1))


def characterised(p: TwinParameters, ratio: float) -> Analysis:
    """Run one long-chain toluene well with microscope, diffractometer and photon counter."""
    own, shared = (tuple(sorted(t.items())) for t in (p.own, p.materials))
    ratios = (0.1, 1.0, 1.5, 2.0)
    recipes = tuple(
        tuple(sorted({**DEFAULTS, "amine_acid_ratio": r, "characterisation": "full"}.items()))
        for r in ratios
    )
    return _run(own, shared, p.seed, recipes)[ratios.index(ratio)]


@lru_cache(maxsize=24)
def _run(
    own: _Frozen, shared: _Frozen, seed: int | None, recipes: tuple[_Key, ...]
) -> tuple[Analysis, ...]:
    lab = TwinParameters("larp_plate", Values(dict(shared)), Values(dict(own)), seed)
    station = LarpPlateStation(parameters=lab)
    station.open()
    keys = [AttemptKey(i + 1, 1) for i in range(len(recipes))]
    asked: list[Recipe] = [dict(r) for r in recipes]
    done = station.run_batch(asked, keys)
    return tuple(station.analyse(m) for m in done)
