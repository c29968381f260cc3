"""What is wrong with an entry of a document, in words with a suggestion."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean ...?" or the list of what is known."""
    options = sorted(known)
    near = difflib.get_close_matches(name, options, 1, 0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(options)}"


def said(item: ErrorDetails, *models: type[BaseModel]) -> str:
    """Say one mistake that pydantic found.

    Args:
        item: The mistake.
        models: Whose keys are known, the outermost first; they are followed into their fields.
    """
    if item["type"] == "extra_forbidden":
        known = _keys(models, item["loc"][:-1])
        hint = nearest(str(item["loc"][-1]), known) if known else ""
        return f"there is no such key{hint}"
    if item["type"] == "missing":
        return "must be given"
    message, given = item["msg"].removeprefix("Value error, "), item["input"]
    shown = "" if isinstance(given, (dict, list)) else f", but got {given!r}"
    if item["type"] == "literal_error" and isinstance(given, str):
        shown += _choice(given, str(item.get("ctx", {}).get("expected", "")))
    return f"{message[0].lower()}{message[1:]}{shown}"


def _choice(given: str, expected: str) -> str:
    """Suggest one of the choices that pydantic names in quotation marks."""
    near = difflib.get_close_matches(given, expected.split("'")[1::2], 1, 0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def _keys(models: tuple[type[BaseModel], ...], loc: tuple[int | str, ...]) -> list[str]:
    """Return the keys known at a place; none where it leads out of the models."""
    at = list(models)
    for step in loc:
        if isinstance(step, int):
            continue
        fields = [m.model_fields[step].annotation for m in at if step in m.model_fields]
        at = [found for kind in fields for found in models_in(kind)]
    return sorted({key for model in at for key in model.model_fields})


def models_in(kind: Any) -> Iterator[type[BaseModel]]:
    """Every model in an annotation."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for part in getattr(kind, "__args__", ()):
        yield from models_in(part)
