"""Objectives of the file in the station's units."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import replace

from agents import Objective
from instruments import ObservableDeclaration, StationDescription
from orchestrator.campaign._file import ObjectiveItem
from orchestrator.campaign._later import LaterObservable
from orchestrator.campaign._units import UnitError, convert, convert_width

Report = Callable[[str], None]


def resolve_objectives(
    items: list[ObjectiveItem],
    station: StationDescription,
    later: Sequence[LaterObservable],
    report: Report,
) -> tuple[Objective, ...]:
    """Convert each objective, reporting observables and units that do not fit the station.

    Args:
        items: Of the file.
        station: What the station measures.
        later: What the file says is attached later.
        report: Takes every mistake.
    """
    awaited = {o.name for o in later}
    known = {o.name: o.declaration() for o in later} | {o.name: o for o in station.observables}
    found: list[Objective] = []
    for index, item in enumerate(items):
        where = f"objectives[{index}] ({item.observable})"
        declared = known.get(item.observable)
        if declared is None:
            report(f"{where}: {station.name} cannot measure this{_near(item.observable, known)}")
            continue
        try:
            resolved = _resolve(item, declared)
            found.append(replace(resolved, later=item.observable in awaited))
        except UnitError as error:
            report(f"{where}: {error}")
    _check_goals(items, report)
    return tuple(found)


def _near(name: str, known: dict[str, ObservableDeclaration]) -> str:
    near = difflib.get_close_matches(name, known, 1, 0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; it measures {', '.join(sorted(known))}"


def _resolve(item: ObjectiveItem, declared: ObservableDeclaration) -> Objective:
    spectral, unit = declared.spectral, declared.unit

    def to(value: float | None) -> float | None:
        return None if value is None else convert(value, item.unit, unit, spectral=spectral)

    low, high = to(item.min), to(item.max)
    goal = item.goal
    if _reversed(item, declared):  # an energy falls as the wavelength rises
        low, high = high, low
        goal = {"minimise": "maximise", "maximise": "minimise"}.get(goal, goal)  # type: ignore[assignment]
    tolerance = None
    if item.tolerance is not None and item.value is not None:
        tolerance = convert_width(item.tolerance, item.value, item.unit, unit, spectral=spectral)
    return Objective(item.observable, goal, to(item.value), tolerance, low, high, unit)


def _reversed(item: ObjectiveItem, declared: ObservableDeclaration) -> bool:
    if not declared.spectral or not item.unit:
        return False
    first = convert(1.0, item.unit, declared.unit, spectral=True)
    return convert(2.0, item.unit, declared.unit, spectral=True) < first


def _check_goals(items: list[ObjectiveItem], report: Report) -> None:
    by_observable: dict[str, list[str]] = {}
    for item in items:
        by_observable.setdefault(item.observable, []).append(item.goal)
    for name, goals in by_observable.items():
        driving = [g for g in goals if g != "constraint"]
        if len(driving) > 1:
            report(
                f"objectives: an observable may have one goal beside constraints, but {name} has "
                f"{' and '.join(driving)}"
            )
