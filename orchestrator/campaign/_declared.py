"""Declared stations: their documents, and what people report of them, in declared units."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from instruments import InstrumentError, StationDescription, declared_description, station_names
from orchestrator.campaign._units import UnitError, check_unit, convert, convert_width
from orchestrator.errors import InputRefusedError

Report = Callable[[str], None]
# Assumed, because no quantity of a laboratory is larger: there are 1e29 atoms in a cubic metre.
LARGEST = 1e30


def read_station(document: Mapping[str, Any]) -> StationDescription:
    """Check the document of a declared station.

    Raises:
        InputRefusedError: every mistake; also the name of an installed station.
    """
    try:
        description = declared_description(document)
    except InstrumentError as error:
        raise InputRefusedError(str(error).splitlines()) from error
    units = [(p.name, p.unit) for p in description.parameters]
    units += [(o.name, o.unit) for o in description.observables]
    problems = [f"{name}: {said}" for name, unit in units if (said := _unit_problem(unit))]
    if description.name in station_names():
        problems.append(
            f"name: {description.name} is an installed station with code of its own; choose "
            "another name"
        )
    if problems:
        raise InputRefusedError(problems)
    return description


def _unit_problem(unit: str) -> str:
    try:
        check_unit(unit)
    except UnitError as error:
        return str(error)
    return ""


def reported_observables(
    declared: Sequence[Mapping[str, Any]], given: Any, report: Report
) -> dict[str, dict[str, Any]]:
    """Read `{name: {value, unit, se}}` in declared units; `se` is None where it is not given.

    Args:
        declared: The observables of a station description.
        given: What somebody wrote.
        report: Takes every mistake.
    """
    known = {o["name"]: o for o in declared}
    if not isinstance(given, Mapping) or not given:
        report("observables must be {name: {value, unit, se}} with at least one entry")
        return {}
    found: dict[str, dict[str, Any]] = {}
    for name, entry in given.items():
        if name not in known:
            report(
                f"observables: the station has no observable {name!r}; it has "
                f"{', '.join(sorted(known))}"
            )
            continue
        try:
            found[name] = _observable(entry, known[name])
        except (UnitError, TypeError, ValueError, KeyError, AttributeError) as error:
            report(f"observables: {name} must be {{value, unit, se}}: {error}")
    return found


def _observable(entry: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    unit, spectral = declared["unit"], bool(declared.get("spectral"))
    given, value, se = str(entry.get("unit", "")), _real(entry["value"]), entry.get("se")
    if unknown := sorted(set(entry) - {"value", "unit", "se"}):
        raise ValueError(f"it has no {', '.join(unknown)}")
    error = None
    if se is not None:
        error = convert_width(_real(se), value, given, unit, spectral=spectral)
    if error is not None and error < 0.0:
        raise ValueError(f"se must not be negative, but got {se}")
    converted = _real(convert(value, given, unit, spectral=spectral))
    return {"value": converted, "unit": unit, "se": error if error is None else _real(error)}


def reported_parameters(
    declared: Sequence[Mapping[str, Any]], given: Any, report: Report
) -> dict[str, Any]:
    """Read achieved values, each `{value, unit}` or a plain value in the declared unit.

    Limits are not asked: what was achieved is what was achieved.
    """
    known = {p["name"]: p for p in declared}
    if not isinstance(given, Mapping):
        report("achieved must be {parameter: value} or {parameter: {value, unit}}")
        return {}
    found: dict[str, Any] = {}
    for name, entry in given.items():
        if name not in known:
            report(f"achieved: the station has no {name!r}; it has {', '.join(sorted(known))}")
            continue
        try:
            found[name] = _parameter(entry, known[name])
        except (UnitError, TypeError, ValueError, KeyError) as error:
            report(f"achieved: {name}: {error}")
    return found


def _parameter(entry: Any, declared: Mapping[str, Any]) -> Any:
    value = entry["value"] if isinstance(entry, Mapping) else entry
    unit = str(entry.get("unit", "")) if isinstance(entry, Mapping) else ""
    if declared.get("kind") == "categorical":
        if value not in declared["choices"]:
            options = ", ".join(declared["choices"])
            raise ValueError(f"must be one of {options}, but got {value!r}")
        return value
    return _real(convert(_real(value), unit, declared["unit"]))


def _real(value: Any) -> float:
    if isinstance(value, (bool, str)) or not abs(value) <= LARGEST:
        raise ValueError(
            f"a finite number of at most {LARGEST:g} is wanted, but got {str(value)[:40]!r}"
        )
    return float(value)
