"""Which parameters moved each trial's prediction: Shapley values, by the optional library shap."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.encoding import Array, Encoding
from agents.explain._sample import unit_points
from agents.explain._surrogate import ObservableModel
from agents.space import Recipe

BACKGROUND = 32  # points of the space that a prediction is compared with, a power of two
PERMUTATIONS = 2  # orders of the parameters, each also reversed: exact up to pairs of them
SHAP_SEED = 0
OFF = -9.0
"""Stands for an inactive parameter, since shap compares values and NaN equals nothing."""


class ShapMissingError(ImportError):
    """The library shap is not installed."""


@dataclass(frozen=True)
class Shapley:
    """Shapley values of a surrogate's mean.

    Attributes:
        names: (d,) the parameters.
        base: Mean prediction over the space, in the observable's unit.
        values: (n, d) by how much each parameter moved each prediction from there.
    """

    names: tuple[str, ...]
    base: float
    values: Array

    @property
    def size(self) -> Array:
        """Mean absolute value (d,) of each parameter."""
        return np.asarray(np.abs(self.values).mean(axis=0))


def shapley_values(
    encoding: Encoding, model: ObservableModel, recipes: Sequence[Recipe]
) -> Shapley:
    """Explain the predictions of recipes against a fixed sample of the space.

    A parameter is removed by putting in its value at the sample's points (Lundberg and Lee 2017,
    interventional); constraints between parameters are left aside, and an achieved value beyond a
    bound counts as the bound.

    Raises:
        ShapMissingError: the library is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # shap's import uses what matplotlib will drop
            from shap.explainers import Permutation
    except ImportError as error:
        raise ShapMissingError(
            "SHAP values need the library shap, which is not installed; "
            "run: pip install 'dotpilot[science]'"
        ) from error
    d = encoding.dimension

    def mean(points: Array) -> Array:
        rows = encoding.snapped(np.where(points == OFF, np.nan, points))
        return model.predict(encoding.columns(rows)).mean

    unit = unit_points(d, BACKGROUND, SHAP_SEED)
    background = _filled(encoding.rows_from_unit(unit))
    explainer = Permutation(mean, _Removal(background), seed=SHAP_SEED)
    found = explainer(
        _filled(encoding.rows(recipes)), max_evals=PERMUTATIONS * (2 * d + 1), silent=True
    )
    base = float(np.mean(mean(background)))
    return Shapley(tuple(p.name for p in encoding.free), base, np.asarray(found.values))


class _Removal:
    """Puts the sample's values in place of removed ones; shap's own compiles itself for 20 s."""

    def __init__(self, background: Array) -> None:
        self._background = background
        self.shape = background.shape

    def __call__(self, kept: Array, row: Array) -> tuple[Array]:
        """Return the sample (m, d) with the values of `row` (d,) where `kept` (d,) is true."""
        return (np.where(kept, row, self._background),)


def _filled(rows: Array) -> Array:
    return np.asarray(np.where(np.isnan(rows), OFF, rows))
