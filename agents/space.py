"""What a campaign varies: parameters, conditions between them, and what is feasible.

All numbers are in the unit that the parameter declares; a space never converts units. An
inactive conditional parameter is absent from a recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Value = float | int | str
Recipe = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Condition:
    """A parameter is active only while `parameter` (a categorical) takes one of `choices`."""

    parameter: str
    choices: tuple[str, ...]

    def holds(self, recipe: Recipe) -> bool:
        """Tell whether the condition holds in `recipe` (absent counts as not holding)."""
        return recipe.get(self.parameter) in self.choices


@dataclass(frozen=True, slots=True)
class Continuous:
    """A number in [low, high] `unit`; `step` makes a grid from `low`, `integer` whole numbers."""

    name: str
    low: float
    high: float
    unit: str = ""
    log: bool = False
    step: float | None = None
    integer: bool = False
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class Categorical:
    """One of `choices`, unordered."""

    name: str
    choices: tuple[str, ...]
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class Fixed:
    """A parameter that this campaign holds at one value."""

    name: str
    value: Value
    unit: str = ""
    when: Condition | None = None


Parameter = Continuous | Categorical | Fixed


@dataclass(frozen=True, slots=True)
class LinearConstraint:
    """sum(coefficient * parameter) <= bound; holds by itself while a parameter is inactive."""

    terms: tuple[tuple[str, float], ...]
    bound: float
    text: str = ""

    def holds(self, recipe: Recipe, slack: float = 1e-9) -> bool:
        """Tell whether `recipe` satisfies the constraint, up to a relative `slack`."""
        if any(name not in recipe for name, _ in self.terms):
            return True
        total = sum(weight * float(recipe[name]) for name, weight in self.terms)
        scale = max(1.0, abs(self.bound), *(abs(w * float(recipe[n])) for n, w in self.terms))
        return total <= self.bound + slack * scale


@dataclass(frozen=True, slots=True)
class Feature:
    """A derived quantity that models see beside the parameters (`agents.features`).

    `expression` is arithmetic over numeric parameters ("a * b / (c * d)"), in their units; `log`
    takes the logarithm of its value, which then has to be above zero to tell anything.
    """

    name: str
    expression: str
    log: bool = True


def _always(_: Recipe) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Space:
    """Parameters, linear constraints, and the known physics of what can be made.

    Attributes:
        parameters: In a fixed order; a condition refers to a parameter earlier in the order.
        constraints: Linear inequalities between numeric parameters.
        infeasible: Reasons why a recipe cannot be made (empty when it can); pure and cheap.
            The orchestrator injects the station's own check here.
        candidates: When given, proposals are picked from these recipes alone, each at most once
            (replay of a measured campaign); trials in the history may be among them.
        features: Derived quantities for the models; they change no recipe's feasibility.
    """

    parameters: tuple[Parameter, ...]
    constraints: tuple[LinearConstraint, ...] = ()
    infeasible: Callable[[Recipe], Sequence[str]] = field(default=_always, compare=False)
    candidates: tuple[Recipe, ...] | None = None
    features: tuple[Feature, ...] = ()

    def active(self, chosen: Mapping[str, Value]) -> dict[str, Value]:
        """Drop from `chosen` every parameter whose condition does not hold, fill in fixed ones."""
        recipe: dict[str, Value] = {}
        for parameter in self.parameters:
            if parameter.when is not None and not parameter.when.holds(recipe):
                continue
            if isinstance(parameter, Fixed):
                recipe[parameter.name] = parameter.value
            elif parameter.name in chosen:
                recipe[parameter.name] = chosen[parameter.name]
        return recipe

    def violations(self, recipe: Recipe) -> list[str]:
        """Say every way in which `recipe` leaves the space (empty when it is inside)."""
        found = [text for p in self.parameters for text in _parameter_violations(p, recipe)]
        known = {p.name for p in self.parameters}
        found += [
            f"{name} is not a parameter of this space" for name in recipe if name not in known
        ]
        found += [
            f"constraint {c.text or c.terms} is broken"
            for c in self.constraints
            if not c.holds(recipe)
        ]
        return found or list(self.infeasible(recipe))


def _parameter_violations(parameter: Parameter, recipe: Recipe) -> list[str]:
    name = parameter.name
    active = parameter.when is None or parameter.when.holds(recipe)
    if not active:
        return [f"{name} is inactive and must be absent"] if name in recipe else []
    if name not in recipe:
        return [f"{name} is missing"]
    value = recipe[name]
    if isinstance(parameter, Fixed):
        return [] if value == parameter.value else [f"{name} is fixed at {parameter.value}"]
    if isinstance(parameter, Categorical):
        return [] if value in parameter.choices else [f"{name}={value!r} is not a choice"]
    return _number_violations(parameter, value)


def _number_violations(parameter: Continuous, value: Value) -> list[str]:
    name, low, high = parameter.name, parameter.low, parameter.high
    if isinstance(value, str):
        return [f"{name}={value!r} is not a number"]
    slack = 1e-9 * max(abs(low), abs(high))
    if not low - slack <= value <= high + slack:
        return [f"{name}={value} is outside [{low}, {high}] {parameter.unit}".rstrip()]
    step = 1.0 if parameter.integer else parameter.step
    if step is not None:
        count = (value - low) / step
        if abs(count - round(count)) > 1e-6:
            return [f"{name}={value} is off the grid of step {step} from {low}"]
    return []
