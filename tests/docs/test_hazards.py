"""The page of the place's rules says what the tables say."""

from __future__ import annotations

from _markdown import first_column, sections, text

from instruments.hazards import BOILING_MARGIN, RULE_NAMES
from instruments.solvents import LIQUIDS, SUBSTANCES
from instruments.tubing import MATERIALS, SWELLING_LIMIT

FOUND = sections(text("docs/reference/hazards.md"))


def test_every_rule_liquid_substance_and_material_has_its_row() -> None:
    rules = {*first_column(FOUND["Meetings"]), *first_column(FOUND["Single liquids"])}
    assert rules == set(RULE_NAMES)
    assert set(first_column(FOUND["Liquids"])) == set(LIQUIDS)
    assert set(first_column(FOUND["Substances"])) == set(SUBSTANCES)
    assert set(first_column(FOUND["Materials of tubes"])) == set(MATERIALS)


def test_the_numbers_are_those_of_the_tables() -> None:
    for name, liquid in LIQUIDS.items():
        assert f"| `{name}` | {liquid.boiling:g} | {liquid.melting:g} |" in FOUND["Liquids"]
    for name, material in MATERIALS.items():
        assert f"| `{name}` | {material.highest:g} |" in FOUND["Materials of tubes"]
    assert f"{BOILING_MARGIN:g} K below" in FOUND["Single liquids"]
    assert f"{SWELLING_LIMIT:.2f} of its length" in FOUND["Single liquids"]


def test_every_number_has_its_source() -> None:
    assert all(liquid.source for liquid in LIQUIDS.values())
    assert all(material.source for material in MATERIALS.values())
