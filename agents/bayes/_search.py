"""Maximise an acquisition function over the feasible recipes of a space.

A pool of quasi-random points and of variations of good trials is scored at once; the best
feasible few are refined by gradient with their categories held; what comes back is snapped to
the space and checked again, and counts only where it beats the pool. Feasibility is asked for
down the ranking alone, so a slow check is called for tens of points, not for thousands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from scipy.optimize import Bounds, minimize
from torch import Tensor

from agents.encoding import Array, Encoding
from agents.errors import ProposalError
from agents.sampling import Key, feasible_sequence, recipe_key, unit_blocks
from agents.space import Categorical, Value

QUASI_RANDOM = 1024
VARIATIONS = 512
STARTS = 3
CHECKS = 512
SCALES = (0.02, 0.05, 0.1, 0.2)
CHUNK = 1024
PENALTY = 1e4
RETRACTIONS = (1.0, 0.99, 0.97, 0.9, 0.75, 0.5, 0.25)


@dataclass(frozen=True)
class Choice:
    """A feasible recipe, its model columns (D,) and its acquisition value."""

    recipe: dict[str, Value]
    columns: Array
    value: float


def maximise(
    encoding: Encoding,
    function: AcquisitionFunction,
    near: Array,
    exclude: Collection[Key],
    seed: int,
    iterations: int,
) -> Choice:
    """Return the best feasible recipe found.

    Args:
        encoding: Of the space.
        function: What to maximise, over model columns (b, 1, D).
        near: (k, d) rows of good trials to vary.
        exclude: Recipes that must not come again.
        seed: Of the pool.
        iterations: Limit of the gradient search; 0 leaves it out.

    Raises:
        ProposalError: no feasible recipe is found within a bounded number of draws.
    """
    rows = _pool(encoding, near, seed)
    values = score(function, encoding.columns(rows))
    starts = _feasible_best(encoding, rows, values, exclude)
    if not starts:
        starts = _rejection(encoding, function, exclude, seed)
    best = max((c for _, c in starts), key=lambda c: c.value)
    if iterations == 0:
        return best
    refined = _refine(encoding, function, np.stack([r for r, _ in starts]), iterations)
    values = score(function, encoding.columns(refined))
    for _, choice in _feasible_best(encoding, refined, values, exclude):
        best = max(best, choice, key=lambda c: c.value)
    return best


def score(function: AcquisitionFunction, columns: Array) -> Array:
    """Return the values (n,) of a function at model columns (n, D)."""
    points = torch.as_tensor(columns, dtype=torch.float64).unsqueeze(-2)
    with torch.no_grad():
        return torch.cat([function(part) for part in torch.split(points, CHUNK)]).numpy()


def _pool(encoding: Encoding, near: Array, seed: int) -> Array:
    """Return snapped rows that satisfy the linear constraints."""
    blocks = unit_blocks(encoding.dimension, seed, "sobol")
    unit = np.concatenate(list(islice(blocks, QUASI_RANDOM.bit_length() - 6)))
    rows = encoding.rows_from_unit(unit)
    if len(near):
        rows = np.concatenate([rows, _variations(encoding, near, seed)])
    return rows[(encoding.constraint_excess(rows) <= 0.0).all(axis=1)]


def _variations(encoding: Encoding, near: Array, seed: int) -> Array:
    """Return variations of the rows `near`: some parameters moved a little, at several scales."""
    generator = np.random.default_rng(seed)
    rows = near[np.arange(VARIATIONS) % len(near)].copy()
    scale = np.asarray(SCALES)[(np.arange(VARIATIONS) // len(near)) % len(SCALES)]
    moved = generator.random(rows.shape) < generator.uniform(0.2, 1.0, (VARIATIONS, 1))
    steps = generator.standard_normal(rows.shape) * scale[:, None]
    anew = generator.random(rows.shape)
    for j, parameter in enumerate(encoding.free):
        lost = np.isnan(rows[:, j])
        if isinstance(parameter, Categorical):
            count = len(parameter.choices)
            change = lost | (anew[:, j] < 0.1)
            drawn = np.floor(generator.random(VARIATIONS) * count)
            rows[:, j] = np.where(change, drawn, rows[:, j])
        else:
            stepped = rows[:, j] + np.where(moved[:, j], steps[:, j], 0.0)
            rows[:, j] = np.where(lost, anew[:, j], stepped)
    return encoding.snapped(rows)


def _feasible_best(
    encoding: Encoding, rows: Array, values: Array, exclude: Collection[Key]
) -> list[tuple[Array, Choice]]:
    """Return up to STARTS feasible rows of distinct recipes, best first."""
    found: list[tuple[Array, Choice]] = []
    seen = set(exclude)
    for i in np.argsort(-values, kind="stable")[:CHECKS]:
        recipe = encoding.recipe(rows[i])
        key = recipe_key(recipe)
        if key in seen or encoding.space.violations(recipe):
            continue
        seen.add(key)
        found.append(
            (rows[i], Choice(recipe, encoding.columns(rows[i : i + 1])[0], float(values[i])))
        )
        if len(found) == STARTS:
            break
    return found


def _rejection(
    encoding: Encoding, function: AcquisitionFunction, exclude: Collection[Key], seed: int
) -> list[tuple[Array, Choice]]:
    """Return feasible starts where the pool holds none: draw until some are met."""
    refusals: Counter[str] = Counter()
    sequence = feasible_sequence(encoding.space, seed, "sobol", refusals)
    recipes = [r for r in islice(sequence, 64) if recipe_key(r) not in exclude]
    if not recipes:
        worst = "; ".join(f"{n}: {c}" for n, c in refusals.most_common(5) if n != "(drawn)")
        raise ProposalError(
            f"no feasible recipe was found among {refusals['(drawn)']} points drawn (refused by "
            f"{worst or 'nothing: all are pending'}); widen the bounds or choices, relax a "
            "constraint, or resolve pending trials"
        )
    rows = encoding.rows(recipes)
    return _feasible_best(encoding, rows, score(function, encoding.columns(rows)), exclude)


def _refine(
    encoding: Encoding, function: AcquisitionFunction, rows: Array, iterations: int
) -> Array:
    """Return rows moved uphill in their active numbers, snapped; categories are held."""
    columns = encoding.columns(rows)
    lower, upper = columns.copy(), columns.copy()
    active = ~np.isnan(rows[:, encoding.groups]) & encoding.numeric_columns
    lower[active], upper[active] = 0.0, 1.0
    lower, upper = np.minimum(lower, columns), np.maximum(upper, columns)
    found = _ascend(_Penalised(function, encoding), columns, lower, upper, iterations)
    goal = rows.copy()
    where = encoding.groups[encoding.numeric_columns]
    result = found[:, encoding.numeric_columns]
    goal[:, where] = np.where(np.isnan(rows[:, where]), np.nan, result)
    return _retracted(encoding, rows, goal)


def _ascend(
    function: AcquisitionFunction, start: Array, lower: Array, upper: Array, iterations: int
) -> Array:
    """Return points (n, D) uphill of `start` within bounds of each point's own: L-BFGS-B on all.

    BoTorch's `gen_candidates_scipy` does the same, but warns whenever a line search ends early,
    which is no news here: a point that does not beat its start is not used.
    """

    def negative(flat: Array) -> tuple[float, Array]:
        points = torch.tensor(flat.reshape(start.shape)).unsqueeze(-2).requires_grad_()
        total = -function(points).sum()
        (slope,) = torch.autograd.grad(total, points)
        return float(total.detach()), slope.numpy().ravel()

    bounds = Bounds(lower.ravel(), upper.ravel())
    found = minimize(
        negative,
        start.ravel(),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": iterations, "maxfun": 2 * iterations},
    )
    return np.asarray(found.x).reshape(start.shape)


class _Penalised(AcquisitionFunction):
    """A function less a steep penalty where a linear constraint is broken."""

    def __init__(self, function: AcquisitionFunction, encoding: Encoding) -> None:
        super().__init__(model=function.model)
        self.function = function
        limits = encoding.linear_columns()
        self.limits = [(torch.as_tensor(a), bound, float(a @ a) or 1.0) for a, bound in limits]

    def forward(self, X: Tensor) -> Tensor:
        """Return the value (b,) at points X (b, 1, D)."""
        value: Tensor = self.function(X)
        for weights, bound, norm in self.limits:
            excess = (X.squeeze(-2) @ weights - bound).clamp_min(0.0)
            value = value - PENALTY * excess.square() / norm
        return value


def _retracted(encoding: Encoding, rows: Array, goal: Array) -> Array:
    """Return `goal` rows, snapped, drawn back towards `rows` as far as feasibility asks."""
    result = rows.copy()
    for i in range(len(rows)):
        for fraction in RETRACTIONS:
            trial = encoding.snapped(rows[i : i + 1] + fraction * (goal[i] - rows[i]))
            if not encoding.space.violations(encoding.recipe(trial[0])):
                result[i] = trial[0]
                break
    return result
