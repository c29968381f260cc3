"""The random forest and SHAP analysis of seed 002, run on a virtual 160-well set.

The same code as the authors': 100 trees, at least 5 samples to split, at most 10 deep, one fifth
held out, random state 42, SHAP values on the held-out wells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from instruments.larp_plate import LarpPlateStation
from instruments.station import AttemptKey, Recipe
from orchestrator.twins._larp_runs import LEVELS, RATIOS
from surrogate_sim.parameters import TwinParameters

Array = NDArray[np.float64]
FEATURES = (
    "OAc",
    "OLAm",
    "PbBr2",
    "Cs",
    "Ligand ratio",
    "OctAc",
    "OctAm",
    "Toluene",
    "Chloroform",
)


class ScienceMissingError(ImportError):
    """scikit-learn or shap is not installed."""


@dataclass(frozen=True)
class Importance:
    """SHAP values of one target.

    Attributes:
        size: Mean absolute SHAP value by feature, in the target's unit.
        sign: Correlation of feature and SHAP value; 0 where the feature is constant.
    """

    size: Mapping[str, float]
    sign: Mapping[str, float]

    def ranked(self) -> list[str]:
        """Features from the most to the least important."""
        return sorted(self.size, key=lambda name: -self.size[name])


def recipes() -> list[dict[str, float | str]]:
    """The 160 recipes: two pairs, two antisolvents, two levels of lead, twenty ratios."""
    return [
        {
            "ligand_pair": pair,
            "antisolvent": solvent,
            "amine_acid_ratio": r,
            "pbbr2_volume": level,
            "ligand_solution_ratio": ratio,
            "lead_concentration": 50.1,
            "duration": 12.0,
            "characterisation": "reader",
        }
        for pair in ("oleic_oleylamine", "octanoic_octylamine")
        for solvent in ("toluene", "chloroform")
        for level, ratio in LEVELS.items()
        for r in RATIOS
    ]


def features(recipe: Recipe) -> list[float]:
    """A recipe as the authors' table has it."""
    r, long = float(recipe["amine_acid_ratio"]), recipe["ligand_pair"] == "oleic_oleylamine"
    oleic, octanoic = (100.0, 0.0) if long else (0.0, 100.0)
    toluene = 100.0 if recipe["antisolvent"] == "toluene" else 0.0
    return [
        oleic,
        oleic * r,
        float(recipe["pbbr2_volume"]),
        100.0,
        10.0 * (1.0 + r),
        octanoic,
        octanoic * r,
        toluene,
        100.0 - toluene,
    ]


def virtual_wells(parameters: TwinParameters, seed: int = 0) -> tuple[Array, Array, Array]:
    """Make the 160 wells on two plates; return features, peaks [nm] and intensities [counts].

    A well without emission has intensity 0 and peak NaN.
    """
    station = LarpPlateStation(parameters=parameters, seed=seed)
    station.open()
    made = recipes()
    order = np.random.default_rng(np.random.SeedSequence([seed, 160])).permutation(len(made))
    peak, height = np.full(len(made), np.nan), np.zeros(len(made))
    for half in np.array_split(order, 2):
        keys = [AttemptKey(int(i) + 1, 1) for i in half]
        for i, measured in zip(
            half, station.run_batch([made[i] for i in half], keys), strict=True
        ):
            found = station.analyse(measured).observables
            if "peak_emission" in found:
                peak[i], height[i] = found["peak_emission"].value, found["intensity"].value
    station.close()
    return np.array([features(r) for r in made]), peak, height


def importance(table: Array, target: Array) -> Importance:
    """Train the authors' forest on (n, 9) features and explain its held-out fifth.

    Raises:
        ScienceMissingError: the extra `science` is not installed.
    """
    try:
        import shap
        from sklearn.ensemble import RandomForestRegressor
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise ScienceMissingError(
            "the SHAP analysis needs scikit-learn and shap, which are not installed; "
            "run: pip install 'dotpilot[science]'"
        ) from error
    known = np.isfinite(target)
    train, test, answers, _ = train_test_split(
        table[known], target[known], test_size=0.2, random_state=42
    )
    forest = RandomForestRegressor(
        n_estimators=100, min_samples_split=5, max_depth=10, random_state=42
    ).fit(train, answers)
    values = np.asarray(shap.TreeExplainer(forest).shap_values(test))
    size = np.abs(values).mean(axis=0)
    return Importance(
        dict(zip(FEATURES, size.tolist(), strict=True)),
        {n: _sign(test[:, j], values[:, j]) for j, n in enumerate(FEATURES)},
    )


def _sign(feature: Array, value: Array) -> float:
    if np.ptp(feature) == 0.0 or np.ptp(value) == 0.0:
        return 0.0
    return float(np.corrcoef(feature, value)[0, 1])
