"""Checks of a recipe against a station's declaration: names, kinds, hard limits, conditions."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence

from instruments.station import ParameterDeclaration, Recipe, Violation


def declaration_violations(
    parameters: Sequence[ParameterDeclaration], recipe: Recipe
) -> list[Violation]:
    """Return every way in which `recipe` departs from what is declared; nothing is clamped."""
    known = [p.name for p in parameters]
    found = [_unknown(name, known) for name in recipe if name not in known]
    for parameter in parameters:
        found += _check(parameter, recipe)
    return found


def _unknown(name: str, known: list[str]) -> Violation:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    message = f"a recipe may hold only declared parameters, but got {name!r}{hint}"
    return Violation(name, "unknown", "declared parameters", "", message)


def _check(parameter: ParameterDeclaration, recipe: Recipe) -> list[Violation]:
    name = parameter.name
    active = parameter.when is None or recipe.get(parameter.when[0]) in parameter.when[1]
    if not active:
        return _inactive(parameter, recipe) if name in recipe else []
    if name not in recipe:
        message = f"a complete recipe needs {name!r}, but it is absent; give it a value"
        return [Violation(name, "absent", "present", parameter.unit, message)]
    value = recipe[name]
    if parameter.kind == "categorical":
        if value in parameter.choices:
            return []
        choices = ", ".join(parameter.choices)
        message = f"{name} must be one of {choices}, but got {value!r}"
        return [Violation(name, str(value), choices, "", message)]
    return _number(parameter, value)


def _inactive(parameter: ParameterDeclaration, recipe: Recipe) -> list[Violation]:
    condition = parameter.when or ("", ())
    needs = f"{condition[0]} in ({', '.join(condition[1])})"
    message = (
        f"{parameter.name} exists only with {needs}, but {condition[0]} is "
        f"{recipe.get(condition[0])!r}; leave it out"
    )
    return [Violation(parameter.name, str(recipe[parameter.name]), needs, parameter.unit, message)]


def _number(parameter: ParameterDeclaration, value: float | int | str) -> list[Violation]:
    name, unit = parameter.name, parameter.unit
    if isinstance(value, (str, bool)) or not math.isfinite(value):
        message = f"{name} must be a finite number [{unit}], but got {value!r}"
        return [Violation(name, str(value), "a finite number", unit, message)]
    low = -math.inf if parameter.low is None else parameter.low
    high = math.inf if parameter.high is None else parameter.high
    slack = 1e-9 * max(abs(low), abs(high)) if math.isfinite(low + high) else 0.0
    if not low - slack <= value <= high + slack:
        limit = f"{low:g} to {high:g}"
        message = (
            f"{name} must be within {limit} {unit}".rstrip()
            + f", but got {value:g}; choose a value inside"
        )
        return [Violation(name, float(value), limit, unit, message)]
    if parameter.kind == "integer" and float(value) != round(float(value)):
        message = f"{name} must be a whole number, but got {value}"
        return [Violation(name, float(value), "a whole number", unit, message)]
    return []
