"""A station in its place: tubes, liquids, calibrations, and who overrode which rule.

A campaign carries its place in `lab.place`, so the record says under which conditions it ran, and
a resumed or verified campaign is judged by the same ones.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from instruments.around import Around, around_problems
from instruments.errors import InstrumentError
from instruments.hazards import (
    RULE_NAMES,
    Contact,
    ContactStation,
    Surroundings,
    contact_violations,
)
from instruments.solvents import is_known, unknown_liquid
from instruments.station import Recipe, Station, Violation
from instruments.stores import declared_stocks
from instruments.tubing import Tube, TubedStation

Role = Literal["carrier", "wash"]
Text = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"\S")]


class _Item(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Calibration(_Item):
    """When an instrument was calibrated: `made`, how long that holds [days], where it is kept."""

    made: date = Field(alias="date")
    valid_days: Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
    file: Text | None = None

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Override(_Item):
    """A rule that a person has set aside here, and why."""

    rule: Text
    by: Text
    reason: Text


class Place(_Item):
    """What surrounds a station.

    Attributes:
        tubing: Tubes as built, by the station's names of them.
        fluids: The liquid in the carrier's part, and the one that washes the station.
        hazards: GHS codes of each lot, by stock.
        one_waste: The stocks whose leftovers meet in one waste vessel; () where nobody said.
        calibrations: By name.
        demand: Calibrations without which nothing may move.
        expires: Last day of each lot that has one, by stock.
        overrides: Rules set aside.
        procedures: What is done between and around trials.
    """

    tubing: dict[str, Tube] = {}
    fluids: dict[Role, str] = {}
    hazards: dict[str, tuple[str, ...]] = {}
    one_waste: tuple[str, ...] = ()
    calibrations: dict[str, Calibration] = {}
    demand: tuple[str, ...] = ()
    expires: dict[str, date] = {}
    overrides: tuple[Override, ...] = ()
    procedures: Around | None = None

    def document(self) -> dict[str, Any]:
        """What it says, as plain JSON values; {} for nothing."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def overridden(self, rule: str) -> Override | None:
        """Who set a rule aside, if anybody did."""
        return next((o for o in self.overrides if o.rule == rule), None)


def read_place(document: Mapping[str, Any]) -> Place:
    """Return a place from what a campaign carries.

    Raises:
        InstrumentError: it is none.
    """
    try:
        return Place.model_validate(dict(document))
    except ValidationError as error:
        problems = [
            f"place.{'.'.join(map(str, e['loc']))}: {e['msg']}"
            for e in error.errors(include_url=False)
        ]
        raise InstrumentError("; ".join(problems)) from error


def place_problems(place: Place, station: Station) -> list[str]:
    """Return every name in a place that is none: of tubes, liquids, rules or procedures."""
    tubes = station.tubes() if isinstance(station, TubedStation) else ()
    stocks = [stock.name for stock in declared_stocks(station)]
    named: list[tuple[str, Sequence[str], Sequence[str]]] = [
        ("tubing", list(place.tubing), tubes),
        ("hazards", list(place.hazards), stocks),
        ("one_waste", place.one_waste, stocks),
        ("expires", list(place.expires), stocks),
        ("overrides", [o.rule for o in place.overrides], RULE_NAMES),
    ]
    found = [_stranger(key, name, known) for key, names, known in named for name in names
             if name not in known]  # fmt: skip
    found += [
        f"fluids.{role}: {unknown_liquid(name)}"
        for role, name in place.fluids.items()
        if not is_known(name)
    ]
    return found + around_problems(place.procedures, station)


def _stranger(key: str, name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{key}: must name one of {', '.join(known) or 'none'}, but got {name!r}{hint}"


def stale(place: Place, today: date) -> list[str]:
    """Return every demanded calibration that is missing or too old, and every expired lot.

    Args:
        place: With calibrations and lots.
        today: On the clock of whoever asks.
    """
    found = []
    for name in place.demand:
        known = place.calibrations.get(name)
        if known is None:
            found.append(
                f"the station demands calibration {name!r}, but its file has none; calibrate and "
                "enter it"
            )
            continue
        age = (today - known.made).days
        if age < 0:
            found.append(
                f"calibration {name!r} cannot be of a day to come, but is of {known.made} and "
                f"today is {today}; correct the date"
            )
        elif age > known.valid_days:
            found.append(
                f"calibration {name!r} holds for {known.valid_days:g} days, but is {age} days old "
                f"(of {known.made}); calibrate again"
            )
    for stock, last in place.expires.items():
        if today > last:
            found.append(
                f"the lot of {stock!r} may be used until {last}, but today is {today}: "
                f"{(today - last) // timedelta(days=1)} days over; put up a fresh one"
            )
    return found


class Judge:
    """Judges recipes of one station in one place; agents ask thousands of times.

    Args:
        place: What surrounds the station.
        station: Says what meets where; one that does not is never judged.
    """

    def __init__(self, place: Place, station: object) -> None:
        self._place = place
        self._station = station if isinstance(station, ContactStation) else None
        declared = {stock.name: stock for stock in declared_stocks(station)}
        self._around = Surroundings(declared, place.hazards, place.tubing)
        self._judged = lru_cache(maxsize=1024)(self._judge)

    def violations(self, recipe: Recipe) -> list[Violation]:
        """Return every rule that a complete recipe would break, overridden or not."""
        if self._station is None:
            return []
        meetings = [_with_carrier(c, self._place) for c in self._station.contacts(recipe)]
        if wash := self._place.fluids.get("wash"):
            meetings += [_washed(c, wash) for c in meetings]
        if self._place.one_waste:
            meetings.append(Contact("the waste", self._place.one_waste))
        found: dict[str, Violation] = {}
        for meeting in meetings:
            for violation in self._judged(meeting):
                found.setdefault(violation.message, violation)
        return list(found.values())

    def _judge(self, contact: Contact) -> tuple[Violation, ...]:
        return tuple(contact_violations(contact, self._around))


def _with_carrier(contact: Contact, place: Place) -> Contact:
    """A contact whose unnamed perfluorinated oil is the one of this place."""
    named = place.fluids.get("carrier")
    if named is None or "perfluorinated_oil" not in contact.liquids:
        return contact
    liquids = tuple(named if n == "perfluorinated_oil" else n for n in contact.liquids)
    return Contact(contact.place, contact.stocks, liquids, contact.temperature, contact.tubes)


def _washed(contact: Contact, wash: str) -> Contact:
    """What a washing liquid meets in a place that has cooled."""
    place = f"{contact.place} as it is washed"
    return Contact(place, contact.stocks, (*contact.liquids, wash), tubes=contact.tubes)
