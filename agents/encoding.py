"""From recipes to numbers and back: design cube, rows and model columns.

Three views of a recipe are used by the planners:

- the *design cube* [0, 1)^d, one coordinate per free parameter, where quasi-random points live;
- a *row* (d,): numeric parameters scaled to [0, 1] between their bounds (in the logarithm where
  `log` says so), categoricals as the index of their choice, NaN where inactive or unknown;
- *columns* (D,), what models see: numbers as in the row, one indicator per choice. An inactive
  number sits at mid-range and an inactive categorical has no indicator set: whether it is active
  is known through the indicators of the categorical that it depends on.

Indicators rather than a categorical kernel: a Matern kernel over indicators with one
lengthscale per categorical *is* an exchangeable categorical kernel (all unequal choices are
equally far apart), and needs no special treatment of products with the numeric part.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.space import Categorical, Continuous, Fixed, Recipe, Space, Value

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class Encoding:
    """The numeric views of one space.

    Attributes:
        space: The space.
        free: Its parameters that vary, in order; column j of a row belongs to `free[j]`.
        dimension: d, the number of free parameters.
        width: D, the number of model columns.
        groups: (D,) the index in `free` that each column belongs to.
        numeric_columns: (D,) whether a column is a number (else an indicator).
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.free = tuple(p for p in space.parameters if not isinstance(p, Fixed))
        self.dimension = len(self.free)
        counts = [len(p.choices) if isinstance(p, Categorical) else 1 for p in self.free]
        self.groups = np.repeat(np.arange(self.dimension), counts).astype(np.int64)
        self.width = int(sum(counts))
        kinds = [isinstance(p, Continuous) for p in self.free]
        self.numeric_columns = np.repeat(np.asarray(kinds, dtype=bool), counts)
        self._place = {p.name: j for j, p in enumerate(self.free)}
        self._fixed = {p.name: p.value for p in space.parameters if isinstance(p, Fixed)}

    def rows_from_unit(self, unit: Array) -> Array:
        """Return the rows (n, d) of design points (n, d): snapped, NaN where inactive."""
        rows = np.empty_like(unit)
        for j, parameter in enumerate(self.free):
            if isinstance(parameter, Categorical):
                count = len(parameter.choices)
                rows[:, j] = np.minimum(np.floor(unit[:, j] * count), count - 1)
            else:
                rows[:, j] = _levelled(parameter, unit[:, j])
        return self._deactivated(rows)

    def snapped(self, rows: Array) -> Array:
        """Return rows (n, d) moved to the nearest values that the space allows."""
        rows = rows.copy()
        for j, parameter in enumerate(self.free):
            if isinstance(parameter, Continuous):
                grid = _grid(parameter)
                if grid is None:
                    rows[:, j] = np.clip(rows[:, j], 0.0, 1.0)
                else:
                    known = ~np.isnan(rows[:, j])
                    rows[known, j] = grid[
                        np.abs(rows[known, j, None] - grid[None, :]).argmin(axis=1)
                    ]
        return self._deactivated(rows)

    def _deactivated(self, rows: Array) -> Array:
        """Set NaN where the condition does not hold (parents come earlier in the order)."""
        for j, parameter in enumerate(self.free):
            if parameter.when is None:
                continue
            parent, choices = parameter.when.parameter, parameter.when.choices
            if parent in self._fixed:
                active = np.full(len(rows), self._fixed_active(parent, choices))
            else:
                place = self._place[parent]
                wanted = [_choices(self.free[place]).index(c) for c in choices
                          if c in _choices(self.free[place])]  # fmt: skip
                active = np.isin(rows[:, place], wanted)
            rows[~active, j] = np.nan
        return rows

    def _fixed_active(self, name: str, choices: tuple[str, ...]) -> bool:
        return name in self.space.active({}) and self._fixed[name] in choices

    def recipe(self, row: Array) -> dict[str, Value]:
        """Return the recipe of one row (d,), on the grid and within the bounds exactly."""
        chosen: dict[str, Value] = {}
        for parameter, x in zip(self.free, row, strict=True):
            if np.isnan(x):
                continue
            if isinstance(parameter, Categorical):
                chosen[parameter.name] = parameter.choices[int(x)]
            else:
                chosen[parameter.name] = _number(parameter, float(x))
        return self.space.active(chosen)

    def rows(self, recipes: Sequence[Recipe]) -> Array:
        """Return the rows (n, d) of recipes; achieved values are neither snapped nor clamped."""
        rows = np.full((len(recipes), self.dimension), np.nan)
        for i, recipe in enumerate(recipes):
            for j, parameter in enumerate(self.free):
                value = recipe.get(parameter.name)
                if value is None:
                    continue
                if isinstance(parameter, Categorical):
                    if value in parameter.choices:
                        rows[i, j] = parameter.choices.index(str(value))
                else:
                    rows[i, j] = _coordinate(parameter, float(value))
        return rows

    def columns(self, rows: Array) -> Array:
        """Return the model columns (n, D) of rows (n, d)."""
        out = np.empty((len(rows), self.width))
        start = 0
        for j, parameter in enumerate(self.free):
            if isinstance(parameter, Categorical):
                count = len(parameter.choices)
                out[:, start : start + count] = rows[:, j, None] == np.arange(count)
                start += count
            else:
                out[:, start] = np.where(np.isnan(rows[:, j]), 0.5, rows[:, j])
                start += 1
        return out

    def numbers(self, rows: Array) -> Array:
        """Return the numeric parameters' values (n, d) in their units; NaN for the others."""
        out = np.full(rows.shape, np.nan)
        for j, parameter in enumerate(self.free):
            if isinstance(parameter, Continuous):
                out[:, j] = _numbers(parameter, rows[:, j])
        return out

    def constraint_excess(self, rows: Array) -> Array:
        """Return (n, c): by how much each linear constraint is broken (<= 0 where it holds)."""
        numbers = self.numbers(rows)
        excess = np.full((len(rows), len(self.space.constraints)), -np.inf)
        for k, constraint in enumerate(self.space.constraints):
            total = np.zeros(len(rows))
            for name, weight in constraint.terms:
                if name in self._place:
                    total += weight * numbers[:, self._place[name]]
                else:
                    total += weight * float(self._fixed.get(name, np.nan))
            excess[:, k] = np.where(np.isnan(total), -np.inf, total - constraint.bound)
        return excess

    def linear_columns(self) -> list[tuple[Array, float]]:
        """Return `linear_rows` over model columns: (coefficients (D,), bound)."""
        return [
            (np.where(self.numeric_columns, weights[self.groups], 0.0), bound)
            for weights, bound in self.linear_rows()
        ]

    def linear_rows(self) -> list[tuple[Array, float]]:
        """Return the linear constraints as (coefficients (d,), bound) over rows: a.x <= b.

        Left out are those with a log-scaled or conditional parameter, which are not linear in
        the row; whoever relies on these re-checks the recipe.
        """
        found = []
        for constraint in self.space.constraints:
            weights, bound = np.zeros(self.dimension), constraint.bound
            for name, weight in constraint.terms:
                parameter = self.free[self._place[name]] if name in self._place else None
                if parameter is None and name in self._fixed:
                    bound -= weight * float(self._fixed[name])
                elif isinstance(parameter, Continuous) and not parameter.log:
                    if parameter.when is not None:
                        break
                    weights[self._place[name]] += weight * (parameter.high - parameter.low)
                    bound -= weight * parameter.low
                else:
                    break
            else:
                found.append((weights, bound))
        return found


def _choices(parameter: object) -> tuple[str, ...]:
    return parameter.choices if isinstance(parameter, Categorical) else ()


def _grid_values(parameter: Continuous) -> Array | None:
    """Return the allowed values of a stepped or integer parameter, None for a free one."""
    step = 1.0 if parameter.integer else parameter.step
    if step is None:
        return None
    count = int(np.floor((parameter.high - parameter.low) / step + 1e-9)) + 1
    return np.asarray(parameter.low + step * np.arange(count), dtype=np.float64)


def _grid(parameter: Continuous) -> Array | None:
    """Return the coordinates of the allowed values, None for a free parameter."""
    values = _grid_values(parameter)
    if values is None:
        return None
    return np.array([_coordinate(parameter, v) for v in values])


def _levelled(parameter: Continuous, unit: Array) -> Array:
    """Give every grid value an equal share of [0, 1) (nearest value on a log scale)."""
    grid = _grid(parameter)
    if grid is None:
        return unit
    if parameter.log:
        return np.asarray(grid[np.abs(unit[:, None] - grid[None, :]).argmin(axis=1)])
    return np.asarray(grid[np.minimum((unit * len(grid)).astype(int), len(grid) - 1)])


def _coordinate(parameter: Continuous, value: float) -> float:
    low, high = parameter.low, parameter.high
    if high == low:
        return 0.5
    if parameter.log:
        # A read-back at or below zero has no logarithm: hold it a decade below the range.
        value = max(value, low * 0.1)
        return float(np.log(value / low) / np.log(high / low))
    return (value - low) / (high - low)


def _numbers(parameter: Continuous, x: Array) -> Array:
    low, high = parameter.low, parameter.high
    if parameter.log:
        return np.asarray(low * (high / low) ** x)
    return np.asarray(low + (high - low) * x)


def _number(parameter: Continuous, x: float) -> float | int:
    values = _grid_values(parameter)
    if values is not None:
        grid = _grid(parameter)
        assert grid is not None  # noqa: S101 both exist or neither
        value = float(values[int(np.abs(grid - x).argmin())])
        return round(value) if parameter.integer else min(value, parameter.high)
    value = float(_numbers(parameter, np.array(x)))
    return min(max(value, parameter.low), parameter.high)
