"""The random forest and SHAP analysis of seed 002, run on a virtual 160-well set.

The same code as the authors': 100 trees, at least 5 samples to split, at most 10 deep, one fifth
held out, random state 42, SHAP values on the held-out wells.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instruments.larp_plate import LarpPlateStation
from instruments.station import AttemptKey, Recipe
from orchestrator.twins._larp_runs import LEVELS, RATIOS
from surrogate_sim.parameters import TwinParameters, Values, twin_parameters

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


PUBLISHED_PEAK: Mapping[str, float] = {
    "Chloroform": 4.8,
    "Toluene": 4.1,
    "OLAm": 2.5,
    "PbBr2": 2.0,
    "Ligand ratio": 1.6,
    "OctAm": 0.4,
    "OctAc": 0.1,
    "OAc": 0.1,
    "Cs": 0.0,
}
"""Mean absolute SHAP value on the peak [nm] that the authors print."""
PUBLISHED_INTENSITY = ("OLAm", "Ligand ratio", "PbBr2")
"""Their three most important features for the intensity, no order or size given."""
PEAK_SIGNS: Mapping[str, int] = {
    "Chloroform": -1,
    "Toluene": 1,
    "OLAm": -1,
    "PbBr2": 1,
    "Ligand ratio": -1,
}
INTENSITY_SIGNS: Mapping[str, int] = {"OLAm": -1, "Ligand ratio": -1, "PbBr2": 1}


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


_Frozen = tuple[tuple[str, float], ...]


def virtual_wells(parameters: TwinParameters, seed: int = 0) -> tuple[Array, Array, Array]:
    """Make the 160 wells on two plates; return features, peaks [nm] and intensities [counts].

    A well without emission has intensity 0 and peak NaN. The last set is remembered.
    """
    own, shared = (tuple(sorted(t.items())) for t in (parameters.own, parameters.materials))
    return _wells(own, shared, parameters.seed, seed)


@lru_cache(maxsize=1)
def _wells(
    own: _Frozen, shared: _Frozen, hidden: int | None, seed: int
) -> tuple[Array, Array, Array]:
    parameters = TwinParameters("larp_plate", Values(dict(shared)), Values(dict(own)), hidden)
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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # shap's import uses what matplotlib will drop
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


def shap_document() -> dict[str, Any]:
    """Return the document of `twin shap`: our ranking beside the published one, per target.

    Raises:
        ScienceMissingError: the extra `science` is not installed.
    """
    made, peak, light = virtual_wells(twin_parameters("larp_plate"))
    ranks = {name: k + 1 for k, name in enumerate(PUBLISHED_PEAK)}
    top = dict.fromkeys(PUBLISHED_INTENSITY)
    return {
        "wells": len(made),
        "emitting": int(np.isfinite(peak).sum()),
        "model": {"trees": 100, "min_samples_split": 5, "max_depth": 10, "random_state": 42},
        "targets": [
            _target("peak_emission", "nm", importance(made, peak), ranks, PUBLISHED_PEAK),
            _target("intensity", "counts", importance(made, light), top, {}),
        ],
    }


def _target(
    name: str,
    unit: str,
    found: Importance,
    ranks: Mapping[str, int | None],
    sizes: Mapping[str, float],
) -> dict[str, Any]:
    signs = PEAK_SIGNS if sizes else INTENSITY_SIGNS
    return {
        "target": name,
        "unit": unit,
        "ranking": found.ranked(),
        "published_ranking": list(ranks),
        "features": [
            {
                "feature": feature,
                "rank": k + 1,
                "size": found.size[feature],
                "sign": found.sign[feature],
                "published_rank": ranks.get(feature),
                "published_size": sizes.get(feature),
                "published_sign": signs.get(feature),
            }
            for k, feature in enumerate(found.ranked())
        ],
    }
