"""A campaign file against what the station declares; every mistake is reported at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from agents import Objective, Space, create_agent
from agents.errors import AgentError
from instruments import InstrumentError, StationDescription, create_station
from instruments.stores import declared_stocks
from orchestrator.campaign._file import (
    DEFAULTS,
    FIELDS,
    REQUIRED,
    AgentItem,
    BudgetItem,
    LabItem,
    ObjectiveItem,
    SpaceItem,
    StopItem,
)
from orchestrator.campaign._later import LaterItem, LaterObservable, resolve_later
from orchestrator.campaign._matter import MatterBudget, read_matter
from orchestrator.campaign._model import Campaign
from orchestrator.campaign._objectives import resolve_objectives
from orchestrator.campaign._space import resolve_space
from orchestrator.campaign._words import models_in, nearest, said
from orchestrator.errors import InputRefusedError

T = TypeVar("T", bound=BaseModel)
Report = Callable[[str], None]


def check_campaign(
    document: Mapping[str, Any], declared: Mapping[str, StationDescription] | None = None
) -> Campaign:
    """Check a campaign document against its station and agent.

    Args:
        document: The campaign file.
        declared: Stations without code that are known beside the installed ones, by name.

    Raises:
        InputRefusedError: `problems` names every mistake found.
    """
    problems: list[str] = []
    values = _fields(document, problems.append)
    space_items = _items(values["space"], "space", SpaceItem, problems.append)
    objective_items = _items(values["objectives"], "objectives", ObjectiveItem, problems.append)
    later_items = _items(
        values["observables"], "observables", LaterItem, problems.append, empty=True
    )
    station = _station(values["station"], values["lab"], declared or {}, problems.append)
    space = Space(())
    objectives: tuple[Objective, ...] = ()
    later: tuple[LaterObservable, ...] = ()
    if station is not None:
        space = resolve_space(space_items, values["constraints"] or [], station, problems.append)
        later = resolve_later(later_items, station, problems.append)
        objectives = resolve_objectives(objective_items, station, later, problems.append)
        if values["batch"] is not None and values["batch"] > station.max_batch > 1:
            problems.append(
                f"batch: {station.name} takes at most {station.max_batch} recipes at once, "
                f"but got {values['batch']}"
            )
    matter = _matter(values["budget"], values["station"], problems.append)
    _agent(values["agent"], problems.append)
    _stop(values["stop"], objective_items, problems.append)
    if problems:
        raise InputRefusedError(problems)
    return replace(_build(document, values, space, objectives, later), matter=matter)


def _fields(document: Mapping[str, Any], report: Report) -> dict[str, Any]:
    for key in document:
        if key not in FIELDS:
            report(f"{key}: a campaign file has no such key{nearest(str(key), FIELDS)}")
    values: dict[str, Any] = {}
    for key, kind in FIELDS.items():
        if key not in document and key in REQUIRED:
            report(f"{key}: a campaign file must have this key")
        raw = document.get(key, DEFAULTS.get(key))
        if key not in document and key in REQUIRED:
            values[key] = None
            continue
        try:
            values[key] = TypeAdapter(kind).validate_python(raw)
        except ValidationError as error:
            values[key] = None
            _say(error, key, report, *models_in(kind))
    return values


def _say(error: ValidationError, where: str, report: Report, *models: type[BaseModel]) -> None:
    for item in error.errors(include_url=False):
        path = ".".join([where, *(str(p) for p in item["loc"])])
        report(f"{path}: {said(item, *models)}")


def _items(
    raw: list[Any] | None, key: str, model: type[T], report: Report, *, empty: bool = False
) -> list[T]:
    found = []
    if raw is not None and not raw and not empty:
        report(f"{key}: must have at least one entry")
    for index, item in enumerate(raw or []):
        name = item.get("name", item.get("observable")) if isinstance(item, dict) else None
        where = f"{key}[{index}]" + (f" ({name})" if name else "")
        try:
            found.append(model.model_validate(item))
        except ValidationError as error:
            _say(error, where, report, model)
    return found


def _station(
    name: str | None,
    lab: LabItem | None,
    declared: Mapping[str, StationDescription],
    report: Report,
) -> StationDescription | None:
    if name is None:
        return None
    if name in declared:
        if lab is not None:
            report(f"lab: {name} is declared, not simulated, so it has no hidden laboratory")
        return declared[name]
    try:
        return create_station(name, lab.given if lab else None).description
    except InstrumentError as error:
        report(f"station: {error}")
        return None


def _matter(item: BudgetItem | None, station: str | None, report: Report) -> MatterBudget:
    """Return what the budget says of matter and money."""
    if item is None or not (item.stocks or item.species or item.money):
        return MatterBudget()
    try:
        declared = declared_stocks(create_station(station or ""))
    except InstrumentError:  # named already, or declared by a file: it draws from nothing
        declared = ()
    return read_matter(item.stocks, item.species, item.money, declared, report)


def _agent(item: AgentItem | None, report: Report) -> None:
    if item is None:
        return
    try:
        create_agent(item.name, item.options)
    except AgentError as error:
        report(f"agent: {error}")


def _stop(stop: StopItem | None, objectives: list[ObjectiveItem], report: Report) -> None:
    bounded = [
        o for o in objectives if o.goal == "target" or o.min is not None or o.max is not None
    ]
    if stop is not None and stop.target is not None and objectives and not bounded:
        report("stop.target: needs an objective with a target or a bound to be reached")


def _build(
    document: Mapping[str, Any],
    values: dict[str, Any],
    space: Space,
    objectives: tuple[Objective, ...],
    later: tuple[LaterObservable, ...],
) -> Campaign:
    agent: AgentItem = values["agent"]
    budget: BudgetItem = values["budget"]
    stop: StopItem = values["stop"]
    lab: LabItem | None = values["lab"]
    return Campaign(
        declared=dict(document),
        name=values["name"],
        station=values["station"],
        space=space,
        objectives=objectives,
        observables=later,
        agent=agent.name,
        agent_options=agent.options,
        lab=lab.given if lab else None,
        lab_seed=lab.hidden if lab and lab.hidden is not None else values["seed"],
        batch=values["batch"],
        trials=budget.trials,
        hours=budget.hours,
        confidence=stop.target.confidence if stop.target else None,
        no_improvement=stop.no_improvement,
        approval=values["approval"],
        in_doubt=values["in_doubt"],
        seed=values["seed"],
        labs=tuple(values["labs"]),
    )
