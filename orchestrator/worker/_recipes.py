"""Recipes that a person types or keeps in a file: `key=value`, with units where they like."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from instruments import ParameterDeclaration, StationDescription, Value
from orchestrator.campaign import read_document
from orchestrator.errors import InputRefusedError
from orchestrator.worker._quantities import quantity_in


def read_recipes(
    station: StationDescription, words: Sequence[str], many: Path | None
) -> list[dict[str, Value]]:
    """Return complete recipes; what is not given has its default.

    Args:
        station: What it declares.
        words: `key=value` for one recipe, or the path of one recipe's file.
        many: A file with `recipes: [...]`; None for one recipe.

    Raises:
        NotFoundError: no such file.
        InputRefusedError: every word or value that is not to be understood.
    """
    files = [w for w in words if "=" not in w]
    typed = [w for w in words if "=" in w]
    if many is not None:
        if words:
            raise InputRefusedError("--recipes is instead of --recipe; give one of them")
        found = read_document(many).get("recipes")
        if not isinstance(found, list) or not all(isinstance(r, dict) for r in found) or not found:
            raise InputRefusedError(f"{many}: recipes: must be a list of mappings")
        given = [dict(r) for r in found]
    elif len(files) > 1 or (files and typed):
        raise InputRefusedError(
            f"--recipe takes key=value as often as you like, or one file, but got {list(words)}"
        )
    else:
        given = [read_document(Path(files[0])) if files else _typed(typed)]
    problems: list[str] = []
    made = [_complete(station, recipe, problems) for recipe in given]
    if problems:
        raise InputRefusedError(problems)
    return made


def _typed(words: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in words:
        name, _, value = (part.strip() for part in word.partition("="))
        if name in found:
            raise InputRefusedError(f"{name!r} is given twice; give it once")
        found[name] = value
    return found


def _complete(
    station: StationDescription, given: Mapping[str, Any], problems: list[str]
) -> dict[str, Value]:
    declared = {p.name: p for p in station.parameters}
    recipe: dict[str, Value] = {}
    for name, value in given.items():
        if name not in declared:
            near = difflib.get_close_matches(name, declared, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            problems.append(f"{station.name} has no parameter {name!r}{hint}")
            continue
        try:
            recipe[name] = _value(declared[name], value)
        except ValueError as error:
            problems.append(f"{name}: {error}")
    for p in station.parameters:
        exists = p.when is None or recipe.get(p.when[0]) in p.when[1]
        if exists and p.name not in recipe and p.default is not None:
            recipe[p.name] = p.default
    return recipe


def _value(parameter: ParameterDeclaration, given: Any) -> Value:
    """A value in the parameter's unit; a bare number is in it already."""
    if parameter.kind == "categorical":
        return str(given)
    if isinstance(given, bool):
        raise ValueError(f"must be a number, but got {given!r}")
    try:
        number = float(given)
    except (TypeError, ValueError):
        if not parameter.unit:
            raise ValueError(f"must be a number without a unit, but got {given!r}") from None
        number = quantity_in(given, parameter.unit)
    return int(number) if parameter.kind == "integer" and number.is_integer() else number
