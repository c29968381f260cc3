"""The file's search space in the station's units, completed with the station's defaults."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping

from agents import (
    Categorical,
    Condition,
    Continuous,
    Fixed,
    LinearConstraint,
    Parameter,
    Space,
)
from instruments import ParameterDeclaration, StationDescription
from orchestrator.campaign._file import SpaceItem
from orchestrator.campaign._linear import ConstraintError, parse_constraint
from orchestrator.campaign._units import UnitError, convert

Report = Callable[[str], None]
MOST_STEPS = 100_000
"""Values of a stepped parameter at most: every one of them is held in memory."""


def resolve_space(
    items: list[SpaceItem], constraints: list[str], station: StationDescription, report: Report
) -> Space:
    """Return the complete space in station units, reporting whatever does not fit."""
    declared = {p.name: p for p in station.parameters}
    parameters: dict[str, Parameter] = {}
    given: set[str] = set()
    for index, item in enumerate(items):
        where = f"space[{index}] ({item.name})"
        if item.name in given:
            report(f"{where}: a parameter may be given once")
        elif item.name not in declared:
            report(f"{where}: {station.name} has no such parameter{_near(item.name, declared)}")
        else:
            parameter = _resolve(item, declared[item.name], where, report)
            if parameter is not None:
                parameters[item.name] = parameter
        given.add(item.name)
    for name, declaration in declared.items():
        if name not in given:
            _default(declaration, parameters, station.name, report)
    ordered = _ordered(parameters, station)
    _check_conditions(ordered, given - set(parameters), report)
    linear = _constraints(constraints, items, ordered, report)
    return Space(tuple(ordered), tuple(linear))


def _near(name: str, known: dict[str, ParameterDeclaration]) -> str:
    near = difflib.get_close_matches(name, known, 1, 0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(sorted(known))}"


def _resolve(
    item: SpaceItem, declared: ParameterDeclaration, where: str, report: Report
) -> Parameter | None:
    condition = _condition(item, declared, where, report)
    if declared.kind == "categorical":
        return _categorical(item, declared, condition, where, report)
    if item.kind == "choices":
        report(f"{where}: takes numbers (low and high, or value), but got choices {item.choices}")
        return None
    try:
        return _number(item, declared, condition, where, report)
    except UnitError as error:
        report(f"{where}: {error}")
        return None


def _categorical(
    item: SpaceItem,
    declared: ParameterDeclaration,
    condition: Condition | None,
    where: str,
    report: Report,
) -> Parameter | None:
    options = ", ".join(declared.choices)
    if item.kind == "range":
        report(f"{where}: takes choices of {options}, but got a range")
        return None
    if item.unit:
        report(f"{where}: a choice has no unit, but got {item.unit!r}")
    chosen = item.choices if item.choices is not None else [str(item.value)]
    lacking = [c for c in chosen if c not in declared.choices]
    for choice in lacking:
        near = difflib.get_close_matches(choice, declared.choices, 1, 0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        report(f"{where}: must be one of {options}, but got {choice!r}{hint}")
    if lacking:
        return None
    if len(chosen) == 1:
        return Fixed(item.name, chosen[0], when=condition)
    return Categorical(item.name, tuple(chosen), when=condition)


def _number(
    item: SpaceItem,
    declared: ParameterDeclaration,
    condition: Condition | None,
    where: str,
    report: Report,
) -> Parameter | None:
    unit, integer = declared.unit, declared.kind == "integer"
    if item.kind == "value":
        if isinstance(item.value, str):
            report(f"{where}: must be a number in {unit or 'no unit'}, but got {item.value!r}")
            return None
        assert item.value is not None  # noqa: S101 the kind says so
        value = convert(item.value, item.unit, unit)
        ok = _inside(value, item, declared, where, report)
        if integer and value != round(value):
            report(f"{where}: must be a whole number, but got {value:g}")
            ok = False
        return Fixed(item.name, int(value) if integer else value, unit, condition) if ok else None
    assert item.low is not None and item.high is not None  # noqa: S101 the kind says so
    low, high = convert(item.low, item.unit, unit), convert(item.high, item.unit, unit)
    inside = [_inside(v, item, declared, where, report) for v in (low, high)]
    step = None
    if item.step is not None:
        step = convert(item.low + item.step, item.unit, unit) - low
        if step > high - low:
            report(f"{where}: step must fit into the range, but got step={item.step}")
        elif step * MOST_STEPS < high - low:
            report(
                f"{where}: step must part the range into at most {MOST_STEPS} values, but got "
                f"step={item.step}; take a coarser one, or none for any value"
            )
            step = None
    return (
        Continuous(item.name, low, high, unit, item.log, step, integer, condition)
        if all(inside)
        else None
    )


def _inside(
    value: float, item: SpaceItem, declared: ParameterDeclaration, where: str, report: Report
) -> bool:
    low, high = declared.low, declared.high
    slack = 1e-9 * max(abs(low or 0.0), abs(high or 0.0))
    below = low is not None and value < low - slack
    above = high is not None and value > high + slack
    if below or above:
        report(
            f"{where}: the station's limits are {low:g} to {high:g} {declared.unit}".rstrip()
            + f", but got {value:.6g} {declared.unit}".rstrip()
        )
    return not (below or above)


def _condition(
    item: SpaceItem, declared: ParameterDeclaration, where: str, report: Report
) -> Condition | None:
    station = Condition(*declared.when) if declared.when is not None else None
    if item.when is None:
        return station
    ((parent, choices),) = item.when.items()
    if station is not None and (
        parent != station.parameter or not set(choices) <= set(station.choices)
    ):
        report(
            f"{where}: exists only when {station.parameter} is one of "
            f"{', '.join(station.choices)}, but when says {item.when}"
        )
        return station
    return Condition(parent, tuple(choices))


def _default(
    declared: ParameterDeclaration, parameters: dict[str, Parameter], station: str, report: Report
) -> None:
    if declared.default is None:
        report(f"space: {station} needs {declared.name}, which has no default; add it")
        return
    condition = Condition(*declared.when) if declared.when is not None else None
    parameters[declared.name] = Fixed(declared.name, declared.default, declared.unit, condition)


def _ordered(parameters: dict[str, Parameter], station: StationDescription) -> list[Parameter]:
    """Station order, with unconditional parameters before those that depend on them."""
    known = [parameters[p.name] for p in station.parameters if p.name in parameters]
    return [p for p in known if p.when is None] + [p for p in known if p.when is not None]


def _check_conditions(parameters: list[Parameter], faulty: set[str], report: Report) -> None:
    by_name = {p.name: p for p in parameters}
    for parameter in parameters:
        if parameter.when is None or parameter.when.parameter in faulty:
            continue  # a parent with a mistake of its own was reported already
        where = f"space ({parameter.name})"
        parent = by_name.get(parameter.when.parameter)
        if parent is None or isinstance(parent, Continuous) or parent.when is not None:
            report(
                f"{where}: when must name an unconditional parameter with choices, but names "
                f"{parameter.when.parameter!r}"
            )
            continue
        offered = parent.choices if isinstance(parent, Categorical) else (str(parent.value),)
        # a default that never applies is harmless; a range that never applies is a mistake
        if not set(parameter.when.choices) & set(offered) and not isinstance(parameter, Fixed):
            report(
                f"{where}: is never active, since {parent.name} is only {', '.join(offered)}; "
                f"leave it out, or offer one of {', '.join(parameter.when.choices)}"
            )


def _constraints(
    texts: list[str], items: list[SpaceItem], parameters: list[Parameter], report: Report
) -> list[LinearConstraint]:
    numbers = {p.name: p for p in parameters if _is_number(p)}
    units = {i.name: i.unit for i in items}
    found: list[LinearConstraint] = []
    for index, text in enumerate(texts):
        where = f"constraints[{index}]"
        try:
            parsed = parse_constraint(text)
            for constraint in parsed:
                unknown = [n for n, _ in constraint.terms if n not in numbers]
                for name in unknown:
                    near = difflib.get_close_matches(name, numbers, 1, 0.5)
                    hint = f"; did you mean {near[0]!r}?" if near else ""
                    report(f"{where}: {name!r} is not a numeric parameter{hint}")
                if not unknown:
                    found.append(_in_station_units(constraint, numbers, units))
        except (ConstraintError, UnitError) as error:
            report(f"{where}: {error}")
    return found


def _is_number(parameter: Parameter) -> bool:
    fixed_text = isinstance(parameter, Fixed) and isinstance(parameter.value, str)
    return not (isinstance(parameter, Categorical) or fixed_text)


def _in_station_units(
    constraint: LinearConstraint, numbers: Mapping[str, Parameter], units: Mapping[str, str]
) -> LinearConstraint:
    """Rewrite a constraint that is meant in the file's units: value = slope * station + offset."""
    terms, bound = [], constraint.bound
    for name, weight in constraint.terms:
        parameter = numbers[name]
        declared = getattr(parameter, "unit", "")
        given = units.get(name) or declared
        offset = convert(0.0, declared, given)
        slope = convert(1.0, declared, given) - offset
        terms.append((name, weight * slope))
        bound -= weight * offset
    return LinearConstraint(tuple(terms), bound, constraint.text)
