"""Can the model predict what it has not seen? Cross-validation of a surrogate by recipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from agents.encoding import Array, Encoding
from agents.explain._surrogate import Surrogate
from agents.history import PastTrial
from agents.sampling import recipe_key

FOLDS = 10
"""Parts of a long record; Kohavi 1995 (IJCAI) finds ten as good as leaving one out."""
LEAVE_ONE = 30  # recipes up to which each is left out in turn, assumed: half a minute of fits
FOLD_SEED = 0
ROUNDING = 1e-18  # of the sum of squares: less is no variation

Fit = Callable[[Sequence[PastTrial], Sequence[str]], Surrogate]
"""From a history and observables to a surrogate."""


@dataclass(frozen=True)
class Validation:
    """Predictions of one observable's measurements by models that had not seen them.

    Attributes:
        trials: (n,) numbers.
        values: (n,) what was measured.
        mean: (n,) what was predicted, in the observable's unit.
        sd: (n,) its standard deviation: model, noise and stated error together.
        errors: (n,) standardised errors in the model's own scale; NaN where that has no value.
        log_density: (n,) log predictive density of what was measured.
        folds: How many models were fitted.
        one_out: Whether every recipe was left out by itself.
    """

    trials: tuple[int, ...]
    values: Array
    mean: Array
    sd: Array
    errors: Array
    log_density: Array
    folds: int
    one_out: bool

    @property
    def rmse(self) -> float:
        """Root mean square error of the predicted means, in the observable's unit."""
        return float(np.sqrt(np.mean((self.values - self.mean) ** 2)))

    @property
    def r2(self) -> float | None:
        """Share of the values' variance that is predicted; None where they do not vary.

        Below zero, the mean of all values would have predicted better.
        """
        total = float(np.sum((self.values - self.values.mean()) ** 2))
        if total <= ROUNDING * float(np.sum(self.values**2)):
            return None
        return 1.0 - float(np.sum((self.values - self.mean) ** 2)) / total

    @property
    def log_score(self) -> float | None:
        """Mean log predictive density, per unit of the observable, higher is better.

        None where a value was called impossible.
        """
        score = float(np.mean(self.log_density))
        return score if np.isfinite(score) else None

    def coverage(self, level: float) -> float:
        """Return the share of values within their central predictive interval of this level."""
        return float(np.mean(np.abs(self.errors) <= ndtri(0.5 + 0.5 * level)))


def cross_validate(
    encoding: Encoding, fit: Fit, history: Sequence[PastTrial], observable: str
) -> Validation | None:
    """Predict every value of an observable by a model fitted without its recipe.

    Repeats of a recipe are left out together, else they would give each other away. Failed
    trials stay in every history. None where fewer than three recipes gave a value: a model needs
    two, and one to be tried on.

    Args:
        encoding: The space.
        fit: Fits the surrogate as the agent does.
        history: The whole record.
        observable: What is predicted.
    """
    seen = [t for t in history if t.state == "completed" and observable in t.observables]
    groups: dict[object, list[PastTrial]] = {}
    for trial in seen:
        groups.setdefault(recipe_key(trial.recipe), []).append(trial)
    if len(groups) < 3:
        return None
    parts = _parts(list(groups.values()))
    rows = [row for part in parts for row in _predicted(encoding, fit, history, observable, part)]
    if not rows:
        return None
    ordered = sorted(rows)
    table = np.array([row[1:] for row in ordered], dtype=np.float64).T
    value, mean, sd, error, density = table
    numbers = tuple(row[0] for row in ordered)
    one_out = len(parts) == len(groups)
    return Validation(numbers, value, mean, sd, error, density, len(parts), one_out)


def _predicted(
    encoding: Encoding,
    fit: Fit,
    history: Sequence[PastTrial],
    observable: str,
    part: Sequence[PastTrial],
) -> list[tuple[int, float, float, float, float, float]]:
    """Return number, value, mean, sd, error and log density of every trial of a part."""
    left_out = {t.number for t in part}
    model = fit([t for t in history if t.number not in left_out], [observable]).get(observable)
    if model is None:
        return []
    values = np.array([t.observables[observable].value for t in part])
    errors = np.array([t.observables[observable].se for t in part])
    columns = encoding.columns(encoding.rows([t.made for t in part]))
    found = model.predict(columns, measured=True).widened(values, errors)
    each = values, found.mean, found.sd, found.errors(values), found.log_density(values)
    return [
        (t.number, *(float(a[i]) for a in each))  # type: ignore[misc]
        for i, t in enumerate(part)
    ]


def _parts(groups: list[list[PastTrial]]) -> list[list[PastTrial]]:
    if len(groups) <= LEAVE_ONE:
        return groups
    order = np.random.default_rng(FOLD_SEED).permutation(len(groups))
    return [[t for i in order[k::FOLDS] for t in groups[i]] for k in range(FOLDS)]
