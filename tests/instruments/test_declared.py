"""A station without code takes what people report exactly as they report it."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest

from agents.sampling import sample_space
from instruments import (
    AttemptKey,
    DeclaredStation,
    InstrumentError,
    Measurement,
    declared_description,
)
from orchestrator.campaign import (
    check_campaign,
    read_document,
    read_station,
    reported_observables,
    reported_parameters,
)
from orchestrator.errors import InputRefusedError
from orchestrator.loop import analysis_records, station_document, station_of

EXAMPLES = Path(__file__).parents[2] / "examples"
BENCH: dict[str, Any] = read_document(EXAMPLES / "stations" / "bench_by_hand.yaml")


def _told(**conditions: Any) -> Measurement:
    return Measurement({}, {}, conditions, (), {})


def test_reported_values_come_out_as_they_went_in_and_an_unknown_error_stays_unknown() -> None:
    station = DeclaredStation(read_station(BENCH))
    told = _told(
        peak_emission={"value": 516.25, "unit": "nm", "se": 0.5},
        plqy={"value": 0.71, "unit": ""},
        humidity={"value": 40, "unit": "percent"},
    )
    observables, verdict = analysis_records(station.analyse(told))
    assert {n: (o.value, o.se, o.unit, o.method) for n, o in observables.items()} == {
        "peak_emission": (516.25, 0.5, "nm", "reported@1"),
        "plqy": (0.71, None, "", "reported@1"),
    }
    assert verdict.kind == "accept" and "emission_fwhm was not reported" in verdict.reasons


def test_a_value_in_another_unit_is_left_out_and_said_so() -> None:
    analysis = DeclaredStation(read_station(BENCH)).analyse(
        _told(
            peak_emission={"value": 2.4, "unit": "eV"},
            plqy={"value": True, "unit": ""},
            emission_fwhm={"value": 20, "unit": "nm", "se": "small"},
        )
    )
    assert not analysis.observables and analysis.verdict.failure == "nothing_reported"
    assert any("in nm" in reason for reason in analysis.verdict.reasons)


def test_a_recorded_description_makes_the_station_again() -> None:
    description = read_station(BENCH)
    campaign = check_campaign(
        read_document(EXAMPLES / "by_hand" / "flask.yaml"), {description.name: description}
    )
    again = station_of(campaign, station_document(description))
    assert again.description == description
    for recipe in sample_space(campaign.space, 20, seed=1):
        assert again.check(recipe) == []
    assert again.check({**recipe, "growth_time": 500.0})[0].limit == "3 to 120"


def test_nobody_runs_it_by_mistake() -> None:
    station = DeclaredStation(read_station(BENCH))
    with pytest.raises(InstrumentError, match="dotpilot ask"):
        station.run({}, AttemptKey(1, 1))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"name": "flow_synthesis"}, "installed"),
        ({"repeatable": True}, "repeatable"),
        ({"colour": "red"}, "colour"),
        ({"observables": [{"name": "peak", "unit": "furlongish"}]}, "furlongish"),
        ({"parameters": [{"name": "x", "low": 2, "high": 1}]}, "low below high"),
        ({"parameters": [{"name": "x", "low": 0, "high": 1, "default": 3}]}, "0 to 1"),
        ({"parameters": [{"name": "x", "low": 0, "high": 1}] * 2}, "twice"),
        (
            {"parameters": [{"name": "x", "low": 0, "high": 1, "when": {"y": ["a"]}}]},
            "must name choices",
        ),
    ],
)
def test_a_bad_station_document_is_refused(change: dict[str, Any], word: str) -> None:
    with pytest.raises(InputRefusedError, match=word):
        read_station({**copy.deepcopy(BENCH), **change})


def test_what_people_write_is_read_in_declared_units_or_refused_whole() -> None:
    document = station_document(declared_description(BENCH))
    problems: list[str] = []
    read = reported_observables(
        document["observables"],
        {"peak_emission": {"value": 2.4, "unit": "eV", "se": 0.01}, "plqy": {"value": 0.5}},
        problems.append,
    )
    assert not problems and read["plqy"] == {"value": 0.5, "unit": "", "se": None}
    assert math.isclose(read["peak_emission"]["value"], 1239.841984 / 2.4)
    achieved = {"growth_time": {"value": 0.1, "unit": "minute"}, "antisolvent": "acetone"}
    assert reported_parameters(document["parameters"], achieved, problems.append) == {
        "growth_time": 6.0,
        "antisolvent": "acetone",
    }
    reported_observables(
        document["observables"], {"plqy": {"value": 1, "se": -1}}, problems.append
    )
    reported_observables(document["observables"], {"plqy": {"valu": 1}}, problems.append)
    reported_parameters(document["parameters"], {"antisolvent": "water"}, problems.append)
    reported_parameters(document["parameters"], {"growth_time": "long"}, problems.append)
    assert len(problems) == 4
