"""Text that would keep the process for ever, or break it, is refused before it is evaluated."""

from __future__ import annotations

import copy
import time
from typing import Any

import pytest

from agents import Continuous, Feature, Space
from agents.features import feature_problems, feature_value
from orchestrator.campaign import (
    UnitError,
    check_campaign,
    check_unit,
    convert,
    reported_observables,
)
from orchestrator.campaign._linear import ConstraintError, parse_constraint
from orchestrator.errors import InputRefusedError
from tests.loop.campaigns import SMALL


def changed(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(SMALL), **changes}


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "unit",
    ["9**9**9", "9**9**9**9*nm", "9**(9**9)", "(9**99)**99", "((9**99)**99)**99", "9^9^9",
     "9 squared squared squared squared squared squared", "9⁹⁹⁹⁹⁹", "9²³²", "m**999999999",
     "(", ")", "()", "[", "m**", "nm" * 100, "zork"],
)  # fmt: skip
def test_a_unit_that_is_none_is_refused_at_once(unit: str) -> None:
    begun = time.monotonic()
    document = changed()
    document["space"][1]["unit"] = unit
    with pytest.raises(InputRefusedError, match=r"space\[1\].*a unit must be one that pint knows"):
        check_campaign(document)
    assert time.monotonic() - begun < 10.0


@pytest.mark.parametrize(
    "unit",
    ["mol/L", "umol/L", "µmol/L", "W/cm^2", "W/cm**2", "m s**-1", "cm⁻¹", "1/cm", "°C", "degC",
     "percent", "%", "kg·m²/s²", "(m/s)**2", "m**0.5", "m**(1/2)", "meter per second",
     "square meter", "J/(kg*K)", "1/(m**2*s)", ""],
)  # fmt: skip
def test_a_unit_that_chemists_write_is_taken(unit: str) -> None:
    check_unit(unit)


def test_a_difference_of_degrees_is_no_temperature() -> None:
    with pytest.raises(UnitError, match="must convert to 'degC', but got 'delta_degC'"):
        convert(5.0, "delta_degC", "degC")


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "expression",
    ["x**9**9**9", "9**9**9**9*x", "(9**99)**99*x", "x**x", "x**21", "9" * 400 + "*x",
     "x+" * 5000 + "x", "(" * 500 + "x" + ")" * 500, "(9**20)**20*x", "x\0"],
)  # fmt: skip
def test_a_feature_that_is_too_steep_or_too_long_is_refused(expression: str) -> None:
    x = Continuous("x", 0.1, 1.0, "mol/L")
    assert feature_problems(Space((x,), features=(Feature("r", expression),)))


def test_a_feature_may_have_modest_powers() -> None:
    feature = Feature("r", "2 * x ** -2 + x ** 0.5")
    assert feature_value(feature, {"x": 4.0}) == 2.125
    x = Continuous("x", 0.0, 1.0, "mol/L")
    assert feature_problems(Space((x,), features=(feature,))) == []


@pytest.mark.parametrize(
    "text", ["9" * 400 + " * a <= 1", "a <= " + "9" * 400, "a <= 1" + " + 1" * 5000]
)
def test_a_constraint_with_a_number_that_no_double_holds_is_refused(text: str) -> None:
    with pytest.raises(ConstraintError, match="must be a linear inequality"):
        parse_constraint(text)


def test_a_constraint_on_a_choice_held_at_its_default_is_refused() -> None:
    space = [p for p in SMALL["space"] if p["name"] in ("lead_concentration", "flow_velocity")]
    document = changed(space=space, constraints=["halide_salt <= 1"])
    with pytest.raises(InputRefusedError, match="'halide_salt' is not a numeric parameter"):
        check_campaign(document)


@pytest.mark.parametrize(
    "entry",
    [{"value": 10**400}, {"value": 1e308, "unit": "km"}, {"value": 1, "unit": "9**9**9"},
     {"value": 500, "unit": "nm", "se": 10**400}, {"value": 500, "unit": "("}],
)  # fmt: skip
def test_what_a_person_reports_is_refused_where_no_double_holds_it(entry: dict[str, Any]) -> None:
    problems: list[str] = []
    declared = [{"name": "peak", "unit": "nm", "spectral": True}]
    assert reported_observables(declared, {"peak": entry}, problems.append) == {}
    assert problems


@pytest.mark.parametrize("value", [10**400, float("inf")])
def test_a_range_that_no_double_holds_is_refused(value: float) -> None:
    document = changed()
    document["space"][1]["high"] = value
    with pytest.raises(InputRefusedError, match=r"space\[1\]"):
        check_campaign(document)
