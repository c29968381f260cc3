"""Every event type and every field of its payload stands in the reference, and nothing else."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from _markdown import first_column, sections, text
from pydantic import BaseModel

from orchestrator.events import PAYLOADS, Event, Payload

PAGE = sections(text("docs/reference/events.md"))


def _nested(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation} | _records(annotation)
    return {model for part in get_args(annotation) for model in _nested(part)}


def _records(model: type[BaseModel]) -> set[type[BaseModel]]:
    """Models that the fields of a model hold, at any depth."""
    return {m for field in model.model_fields.values() for m in _nested(field.annotation)}


RECORDS = {r.__name__: r for p in PAYLOADS.values() for r in _records(p)}


def test_the_sections_are_the_types_and_records() -> None:
    assert set(PAGE) == {"Envelope", *PAYLOADS, *RECORDS}


def _fields_of_table(section: str) -> list[str]:
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert all(line.rstrip(" |").count(" | ") == 1 for line in rows), "a field has no meaning"
    return first_column("\n".join(rows))


@pytest.mark.parametrize("name", sorted([*PAYLOADS, *RECORDS]))
def test_every_field_is_documented_in_order(name: str) -> None:
    model = PAYLOADS.get(name) or RECORDS[name]
    assert _fields_of_table(PAGE[name]) == list(model.model_fields)


def test_the_envelope_is_documented_in_order() -> None:
    assert _fields_of_table(PAGE["Envelope"]) == list(Event.__slots__)


def test_versions_other_than_one_are_named() -> None:
    for name, model in PAYLOADS.items():
        assert issubclass(model, Payload)
        assert model.VERSION == 1 or f"version {model.VERSION}" in PAGE[name].lower()
