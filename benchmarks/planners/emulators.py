"""The real antisolvent syntheses as an emulator: a Gaussian process, or trees as its control.

A Gaussian process is what most planners here model with, so a lead on it may be the kernel's: the
control has the same inputs, data and goal, and nothing of a kernel.
"""

from __future__ import annotations

import csv
import hashlib
import math
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents import Categorical, Continuous, Objective, Recipe, Space
from benchmarks.planners.functions import noisy
from benchmarks.planners.problems import Problem

ROOT = Path(__file__).resolve().parents[2]
TOLERANCE = 3.0  # [nm], of issue and survey: emission within 3 nm counts as on target
TREES, TREE_SEED, FOLDS = 200, 0, 10
QUANTILES = (0.05, 0.95)
"""Range of each parameter, by the records' own quantiles: beyond them is one odd synthesis."""
# Parameter -> (column, unit, whether on a logarithmic scale).
NUMBERS = {
    "lead_volume": ("V (PbBr2 prec.)", "uL", True),
    "lead_concentration": ("c (PbBr2)", "mol/L", True),
    "caesium_volume": ("V (Cs-OA)", "uL", True),
    "caesium_concentration": ("c (Cs-OA)", "mol/L", True),
    "antisolvent_volume": ("V (antisolvent)", "uL", False),
}
Row = Mapping[str, float | str]
Array = NDArray[np.float64]


def antisolvent(wavelength: float, *, trees: bool) -> Problem:
    """Brightest dots that emit within 3 nm of `wavelength` [nm], on an emulator of the records.

    Raises:
        FileNotFoundError: the records are not there; the message names the setting.
    """
    path = records_path()
    rows = read_records(path)
    solvents = tuple(sorted({str(r["antisolvent"]) for r in rows}))
    models = {
        "peak_emission": _fitted(rows, "peak_emission", solvents, trees),
        "plqy": _fitted([r for r in rows if "plqy" in r], "plqy", solvents, trees),
    }

    def truths(recipes: Sequence[Recipe]) -> list[dict[str, float]]:
        inputs = features(recipes, solvents)
        columns = {name: model.predict(inputs) for name, (model, _) in models.items()}
        return [{n: float(v[i]) for n, v in columns.items()} for i in range(len(recipes))]

    deviations = {name: replicate_deviation(rows, name) for name in models}
    return Problem(
        name=f"antisolvent_{wavelength:.0f}" + ("_trees" if trees else ""),
        space=_space(rows, solvents),
        objectives=(
            Objective("peak_emission", "target", wavelength, TOLERANCE, unit="nm"),
            Objective("plqy", "maximise"),
        ),
        truths=truths,
        measure=noisy(truths, deviations),
        budget=40,
        initial=10,
        versions={
            "records": hashlib.sha256(path.read_bytes()).hexdigest(),
            "scikit-learn": version("scikit-learn"),
        },
        figures={f"cross-validated R2 of {n}": score for n, (_, score) in models.items()}
        | {f"replicate deviation of {n}": d for n, d in deviations.items()},
    )


def records_path() -> Path:
    """Return where the records are.

    Raises:
        FileNotFoundError: they are not there.
    """
    folder = Path(os.environ.get("DOTPILOT_DATA", ROOT.parent / "shared" / "data"))
    path = folder / "cspbbr3_antisolvent" / "syntheses.csv"
    if not path.exists():
        raise FileNotFoundError(
            f"the emulator needs the records of the antisolvent syntheses, but {path} is not "
            "there; set DOTPILOT_DATA to the folder that holds cspbbr3_antisolvent"
        )
    return path


def read_records(path: Path) -> list[Row]:
    """Return the syntheses; `plqy` is absent where it was not measured (empty or zero).

    `phase` says whether supernatant or precipitate was measured.
    """
    found: list[Row] = []
    with path.open(encoding="utf-8") as file:
        for line in csv.DictReader(file, delimiter=";"):
            row: dict[str, float | str] = {
                name: float(line[column]) for name, (column, _, _) in NUMBERS.items()
            }
            row["antisolvent"], row["phase"] = line["antisolvent"], line["S/P"]
            row["peak_emission"] = float(line["peak_pos"])
            if float(line["PLQY"] or 0.0) > 0.0:
                row["plqy"] = float(line["PLQY"])
            found.append(row)
    return found


def features(recipes: Sequence[Row | Recipe], solvents: Sequence[str]) -> Array:
    """Return the emulator's inputs (n, 4 + number of solvents): ratios, dilution, which solvent.

    Molar ratio of caesium to lead, amount of lead, volume of antisolvent to that of lead solution,
    total volume: amounts in logarithms, all of the order of one.
    """
    rows = []
    for r in recipes:
        lead = float(r["lead_volume"]) * float(r["lead_concentration"])
        caesium = float(r["caesium_volume"]) * float(r["caesium_concentration"])
        poured = float(r["antisolvent_volume"])
        total = float(r["lead_volume"]) + float(r["caesium_volume"]) + poured
        numbers = [math.log(caesium / lead), math.log(lead),
                   poured / float(r["lead_volume"]), math.log(total)]  # fmt: skip
        rows.append(numbers + [float(r["antisolvent"] == s) for s in solvents])
    return np.array(rows)


def replicate_deviation(rows: Sequence[Row], name: str) -> float:
    """Return the pooled standard deviation of an observable between equal recipes and phases."""
    groups: defaultdict[tuple[Any, ...], list[float]] = defaultdict(list)
    for row in rows:
        if name in row:
            groups[tuple(row[k] for k in (*NUMBERS, "antisolvent", "phase"))].append(
                float(row[name])
            )
    repeated = [np.array(v) for v in groups.values() if len(v) > 1]
    squares = sum(float(((v - v.mean()) ** 2).sum()) for v in repeated)
    return math.sqrt(squares / sum(len(v) - 1 for v in repeated))


def _space(rows: Sequence[Row], solvents: tuple[str, ...]) -> Space:
    numbers = []
    for name, (_, unit, log) in NUMBERS.items():
        low, high = np.quantile([float(r[name]) for r in rows], QUANTILES)
        numbers.append(Continuous(name, float(low), float(high), unit, log=log))
    return Space((*numbers, Categorical("antisolvent", solvents)))


def _fitted(
    rows: Sequence[Row], name: str, solvents: Sequence[str], trees: bool
) -> tuple[Any, float]:
    """Return the emulator of an observable and its cross-validated R2."""
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
    from sklearn.model_selection import KFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    inputs = features(rows, solvents)
    values = np.array([float(r[name]) for r in rows])
    if trees:
        model = ExtraTreesRegressor(TREES, min_samples_leaf=2, random_state=TREE_SEED)
    else:
        kernel = ConstantKernel() * Matern(np.ones(inputs.shape[1]), nu=2.5) + WhiteKernel(0.1)
        fitted = GaussianProcessRegressor(kernel, normalize_y=True)
        scaler = StandardScaler()
        learnt = fitted.fit(scaler.fit_transform(inputs), values).kernel_
        # The folds share the kernel that all data gave: ten searches for it take a minute.
        fixed = GaussianProcessRegressor(learnt, optimizer=None, normalize_y=True)
        model = make_pipeline(scaler, fixed)
    folds = KFold(FOLDS, shuffle=True, random_state=TREE_SEED)
    score = float(cross_val_score(model, inputs, values, cv=folds, scoring="r2").mean())
    return model.fit(inputs, values), score
