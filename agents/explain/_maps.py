"""How a prediction goes along one parameter through a recipe, and over two of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agents.encoding import Array, Encoding
from agents.explain._surrogate import ObservableModel, Predictions
from agents.space import Categorical, Continuous, Recipe, Space, Value

ALONG = 41  # points of a slice
ACROSS = 21  # points of a contour along each side


@dataclass(frozen=True)
class Slice:
    """A prediction along one parameter, all others as in the recipe.

    Attributes:
        parameter: Its name.
        values: (k,) numbers in its unit, or choices.
        predictions: Of the noise-free observable, (k,).
        feasible: (k,) whether the recipe could be made there.
        here: The recipe's own value.
    """

    parameter: str
    values: tuple[Value, ...]
    predictions: Predictions
    feasible: NDArray[np.bool_]
    here: Value


@dataclass(frozen=True)
class Contour:
    """A prediction over two parameters, all others as in the recipe.

    Attributes:
        x: Name and values (k,) of the first.
        y: Name and values (m,) of the second.
        mean: (m, k) of the noise-free observable in its unit.
        sd: (m, k) standard deviation.
        feasible: (m, k) whether the recipe could be made there.
    """

    x: tuple[str, tuple[Value, ...]]
    y: tuple[str, tuple[Value, ...]]
    mean: Array
    sd: Array
    feasible: NDArray[np.bool_]


def slices(encoding: Encoding, model: ObservableModel, recipe: Recipe) -> list[Slice]:
    """Return a slice along every parameter that varies and is active in the recipe."""
    found = []
    for parameter in encoding.free:
        if parameter.name not in recipe:
            continue
        values = _values(parameter, ALONG)
        recipes = [{**recipe, parameter.name: v} for v in values]
        predictions, feasible = _predicted(encoding, model, recipes)
        found.append(Slice(parameter.name, values, predictions, feasible, recipe[parameter.name]))
    return found


def contour_map(
    encoding: Encoding, model: ObservableModel, recipe: Recipe, x: str, y: str
) -> Contour:
    """Return a prediction over the parameters `x` and `y`, both active in the recipe."""
    by_name = {p.name: p for p in encoding.free}
    across, up = _values(by_name[x], ACROSS), _values(by_name[y], ACROSS)
    recipes = [{**recipe, x: a, y: b} for b in up for a in across]
    predictions, feasible = _predicted(encoding, model, recipes)
    shape = (len(up), len(across))
    return Contour(
        (x, across),
        (y, up),
        predictions.mean.reshape(shape),
        predictions.sd.reshape(shape),
        feasible.reshape(shape),
    )


def _predicted(
    encoding: Encoding, model: ObservableModel, recipes: list[dict[str, Value]]
) -> tuple[Predictions, NDArray[np.bool_]]:
    """Predict recipes in which a choice may have switched parameters on and off."""
    rows = encoding.snapped(encoding.rows(recipes))
    predictions = model.predict(encoding.columns(rows))
    made = [_completed(encoding, row) for row in rows]
    feasible = [recipe is not None and not encoding.space.violations(recipe) for recipe in made]
    return predictions, np.array(feasible, dtype=bool)


def _completed(encoding: Encoding, row: Array) -> dict[str, Value] | None:
    """Return the recipe of a row (d,), with a parameter that a choice switched on at mid-range."""
    recipe = encoding.recipe(row)
    for parameter in encoding.free:
        active = parameter.when is None or parameter.when.holds(recipe)
        if active and parameter.name not in recipe:
            if isinstance(parameter, Categorical):
                return None
            middle = np.full(encoding.dimension, np.nan)
            middle[encoding.free.index(parameter)] = 0.5
            recipe |= encoding.recipe(middle)
    return encoding.space.active(recipe)


def _values(parameter: Continuous | Categorical, count: int) -> tuple[Value, ...]:
    """Return values over a parameter's range that the space allows, evenly as it is searched."""
    if isinstance(parameter, Categorical):
        return parameter.choices
    alone = Encoding(Space((replace(parameter, when=None),)))
    rows = alone.snapped(np.linspace(0.0, 1.0, count)[:, None])
    return tuple(dict.fromkeys(alone.recipe(row)[parameter.name] for row in rows))
