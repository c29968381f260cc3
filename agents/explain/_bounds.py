"""Which limits hold a recipe back: its parameters' bounds, constraints, what can be made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from agents.space import Continuous, LinearConstraint, Recipe, Space

TOUCHING = 1e-6  # of a range: a search that ends at a bound ends there to rounding
NUDGE = 0.01  # of a range, assumed: closer than this a limit is felt by the search


@dataclass(frozen=True, slots=True)
class ActiveLimit:
    """One limit that a recipe touches.

    Attributes:
        kind: `bound` of a parameter, `constraint` of the campaign, or `feasibility`: the station
            refuses the recipe with one parameter moved by a hundredth of its range.
        name: The parameter, or the constraint's text.
        side: `low` or `high`, the way that is closed; None for a constraint.
        text: The limit in words.
    """

    kind: Literal["bound", "constraint", "feasibility"]
    name: str
    side: Literal["low", "high"] | None
    text: str


def active_limits(space: Space, recipe: Recipe) -> list[ActiveLimit]:
    """Return every limit that a recipe of the space touches."""
    found = [limit for p in _numbers(space, recipe) for limit in _at_bounds(p, recipe)]
    found += [
        ActiveLimit("constraint", c.text or str(c.terms), None, c.text or str(c.terms))
        for c in space.constraints
        if _tight(c, space, recipe)
    ]
    bounded = {(limit.name, limit.side) for limit in found}
    found += [
        limit
        for p in _numbers(space, recipe)
        for limit in _refused(p, space, recipe)
        if (limit.name, limit.side) not in bounded
    ]
    return found


def _numbers(space: Space, recipe: Recipe) -> list[Continuous]:
    numbers = [p for p in space.parameters if isinstance(p, Continuous)]
    return [p for p in numbers if p.name in recipe and p.high > p.low]


def _at_bounds(parameter: Continuous, recipe: Recipe) -> Iterator[ActiveLimit]:
    value = float(recipe[parameter.name])
    reach = TOUCHING * (parameter.high - parameter.low)
    for side, bound, words in (
        ("low", parameter.low, "lowest"),
        ("high", parameter.high, "highest"),
    ):
        if abs(value - bound) <= reach:
            text = f"{parameter.name} is at its {words}, {bound:g} {parameter.unit}".rstrip()
            yield ActiveLimit("bound", parameter.name, side, text)  # type: ignore[arg-type]


def _tight(constraint: LinearConstraint, space: Space, recipe: Recipe) -> bool:
    if any(name not in recipe for name, _ in constraint.terms):
        return False
    widths = {p.name: p.high - p.low for p in space.parameters if isinstance(p, Continuous)}
    reach = TOUCHING * sum(abs(w) * widths.get(n, 0.0) for n, w in constraint.terms)
    total = sum(w * float(recipe[n]) for n, w in constraint.terms)
    return total >= constraint.bound - reach


def _refused(parameter: Continuous, space: Space, recipe: Recipe) -> Iterator[ActiveLimit]:
    """Yield the sides on which the next value of a parameter cannot be made."""
    for side, moved in _nudged(parameter, float(recipe[parameter.name])):
        if not parameter.low <= moved <= parameter.high:
            continue
        if reasons := list(space.infeasible({**recipe, parameter.name: moved})):
            yield ActiveLimit("feasibility", parameter.name, side, reasons[0])


def _nudged(parameter: Continuous, value: float) -> list[tuple[Literal["low", "high"], float]]:
    step = 1.0 if parameter.integer else parameter.step
    if step is None and parameter.log:
        factor = (parameter.high / parameter.low) ** NUDGE
        return [("low", value / factor), ("high", value * factor)]
    step = step or NUDGE * (parameter.high - parameter.low)
    return [("low", value - step), ("high", value + step)]
