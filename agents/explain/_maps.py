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
        feasible: (k,) whether the recipe could be made there; None where a choice brings
            parameters that the recipe lacks, which the prediction takes at mid-range.
        here: The recipe's own value.
    """

    parameter: str
    values: tuple[Value, ...]
    predictions: Predictions
    feasible: tuple[bool | None, ...]
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
        np.array([f is not False for f in feasible]).reshape(shape),
    )


def _predicted(
    encoding: Encoding, model: ObservableModel, recipes: list[dict[str, Value]]
) -> tuple[Predictions, tuple[bool | None, ...]]:
    """Predict recipes in which a choice may have switched parameters on and off."""
    rows = encoding.snapped(encoding.rows(recipes))
    predictions = model.predict(encoding.columns(rows))
    made = [encoding.recipe(row) for row in rows]
    feasible = [_makeable(encoding.space, recipe) for recipe in made]
    return predictions, tuple(feasible)


def _makeable(space: Space, recipe: Recipe) -> bool | None:
    """Tell whether a recipe can be made; None where a choice asks for more than it says."""
    active = [p for p in space.parameters if p.when is None or p.when.holds(recipe)]
    if any(p.name not in recipe for p in active):
        return None
    return not space.violations(recipe)


def _values(parameter: Continuous | Categorical, count: int) -> tuple[Value, ...]:
    """Return values over a parameter's range that the space allows, evenly as it is searched."""
    if isinstance(parameter, Categorical):
        return parameter.choices
    alone = Encoding(Space((replace(parameter, when=None),)))
    rows = alone.snapped(np.linspace(0.0, 1.0, count)[:, None])
    return tuple(dict.fromkeys(alone.recipe(row)[parameter.name] for row in rows))
