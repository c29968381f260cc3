"""Observables that the station does not measure: declared in the file, attached later."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pydantic import Field, model_validator

from instruments import ObservableDeclaration, StationDescription
from orchestrator.campaign._file import Item, Word
from orchestrator.campaign._units import UnitError, check_unit, convert

Reader = Literal["mean", "spread", "relative_spread", "emission_peak"]
Report = Callable[[str], None]


class LaterItem(Item):
    """One observable of the file: what it is, and how a file of evidence is read."""

    name: Word
    unit: str = ""
    description: str = ""
    method: str = Field(default="", max_length=200)
    spectral: bool = False
    reader: Reader | None = None
    column: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _fits_reader(self) -> LaterItem:
        if self.column is not None and self.reader in (None, "emission_peak"):
            raise ValueError("column belongs to the readers mean, spread and relative_spread")
        return self


@dataclass(frozen=True, slots=True)
class LaterObservable:
    """A declared observable whose values are attached to trials.

    Attributes:
        name: As objectives name it.
        unit: Declared unit; "" is a pure number.
        description: For people.
        method: The technique, such as TEM.
        spectral: A position on the light axis, which may be given as an energy.
        reader: How a file gives its value; None where a person states it.
        column: Which column of a table is read; None for the only one.
    """

    name: str
    unit: str = ""
    description: str = ""
    method: str = ""
    spectral: bool = False
    reader: Reader | None = None
    column: str | None = None

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)

    def declaration(self) -> ObservableDeclaration:
        """Return it as a station declares one."""
        return ObservableDeclaration(self.name, self.description, self.unit, self.spectral)


def resolve_later(
    items: Sequence[LaterItem], station: StationDescription, report: Report
) -> tuple[LaterObservable, ...]:
    """Check the file's own observables against the station's, and their units."""
    measured = {o.name for o in station.observables}
    found: dict[str, LaterObservable] = {}
    for index, item in enumerate(items):
        where = f"observables[{index}] ({item.name})"
        if item.name in measured:
            report(
                f"{where}: {station.name} measures this itself; take another name, such as "
                f"{item.name}_later, or correct single values with `dotpilot attach --correct`"
            )
        if item.name in found:
            report(f"{where}: is declared twice; keep one")
        if problem := _unit_problem(item):
            report(f"{where}: {problem}")
        light = item.spectral or item.reader == "emission_peak"
        found[item.name] = LaterObservable(**item.model_dump() | {"spectral": light})
    return tuple(found.values())


def _unit_problem(item: LaterItem) -> str:
    try:
        check_unit(item.unit)
        if item.reader == "relative_spread":
            convert(1.0, "dimensionless", item.unit)
        if item.reader == "emission_peak":
            convert(500.0, item.unit, "nm", spectral=True)
    except UnitError as error:
        return str(error)
    return ""


def attachable(
    station: Mapping[str, Any], resolved: Mapping[str, Any]
) -> dict[str, LaterObservable]:
    """Return every observable of a campaign that a value can be attached to, by name.

    Args:
        station: The station's description as it is recorded.
        resolved: The campaign as it is recorded.
    """
    found = [_measured(o) for o in station["observables"]]
    found += [LaterObservable(**o) for o in resolved.get("observables", ())]
    return {o.name: o for o in found}


def _measured(declared: Mapping[str, Any]) -> LaterObservable:
    """A station's own observable: a light position can be read from a spectrum's file."""
    spectral = bool(declared.get("spectral"))
    emission = spectral and declared["name"] == "peak_emission"
    return LaterObservable(
        name=declared["name"],
        unit=declared["unit"],
        description=str(declared.get("description", "")),
        spectral=spectral,
        reader="emission_peak" if emission else None,
    )
