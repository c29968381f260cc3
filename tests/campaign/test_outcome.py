"""Target reached, best, Pareto set and improvement do not depend on the agent."""

from __future__ import annotations

import math

import pytest

from agents import Objective, Observation
from orchestrator.campaign import (
    Outcome,
    best_trial,
    check_campaign,
    pareto_trials,
    probability_met,
    target_reached,
    trials_without_improvement,
)
from tests.loop.campaigns import SMALL

PEAK = Objective("peak", "target", 520.0, 2.0)
WIDTH = Objective("width", "constraint", max=20.0)
BRIGHT = Objective("plqy", "maximise")


def outcome(trial: int, peak: float, width: float = 18.0, plqy: float = 0.5, se: float = 0.0):  # type: ignore[no-untyped-def]
    seen = {"peak": (peak, se), "width": (width, se), "plqy": (plqy, se)}
    return Outcome(trial, {k: Observation(*v) for k, v in seen.items()})


def test_the_probability_is_that_of_independent_normal_errors() -> None:
    met = probability_met(outcome(1, 522.0, 20.0, se=1.0), [PEAK, WIDTH])
    inside = 0.5 * math.erf(4.0 / math.sqrt(2.0))
    assert met == pytest.approx(inside * 0.5, rel=1e-12)
    assert probability_met(outcome(1, 521.9), [PEAK, WIDTH]) == 1.0
    assert probability_met(Outcome(1, {}), [PEAK]) == 0.0


def test_a_larger_error_can_undo_a_reached_target() -> None:
    objectives = [PEAK, WIDTH]
    assert target_reached([outcome(1, 520.0, se=0.5)], objectives, 0.9)
    assert not target_reached([outcome(1, 520.0, se=3.0)], objectives, 0.9)


def test_the_best_is_inside_first_and_then_by_the_goal() -> None:
    objectives = [PEAK, WIDTH, BRIGHT]
    outside, dim, bright = (
        outcome(1, 530.0, plqy=0.9),
        outcome(2, 521.0, plqy=0.3),
        outcome(3, 519.0),
    )
    assert best_trial([outside, dim, bright], objectives) == 3
    assert best_trial([outside], objectives) == 1
    assert best_trial([], objectives) is None


def test_the_front_holds_what_nothing_beats() -> None:
    a, b, c = outcome(1, 520.0, plqy=0.2), outcome(2, 521.0, plqy=0.6), outcome(3, 521.5, plqy=0.5)
    wide = outcome(4, 520.0, width=25.0, plqy=0.9)
    assert pareto_trials([a, b, c, wide], [PEAK, WIDTH, BRIGHT]) == [1, 2]


def test_trials_without_improvement_count_from_the_last_change() -> None:
    seen = [outcome(1, 525.0), outcome(2, 521.0), outcome(3, 524.0), outcome(5, 526.0)]
    assert trials_without_improvement(seen, [PEAK], [1, 2, 3, 4, 5]) == 3
    assert trials_without_improvement(seen[:2], [PEAK], [1, 2]) == 0


def test_an_energy_target_becomes_a_wavelength_and_bounds_swap() -> None:
    document = {
        **SMALL,
        "objectives": [
            {"observable": "peak_emission", "goal": "target", "value": 2.4, "tolerance": 0.01,
             "unit": "eV"},
            {"observable": "first_exciton", "goal": "constraint", "min": 2.4, "max": 2.6,
             "unit": "eV"},
            {"observable": "emission_linewidth", "goal": "minimise", "max": 0.09, "unit": "eV"},
        ],
    }  # fmt: skip
    peak, exciton, width = check_campaign(document).objectives
    assert peak.value == pytest.approx(516.60, abs=0.01)
    assert peak.tolerance == pytest.approx(2.153, abs=0.01)
    assert (exciton.min, exciton.max) == pytest.approx((476.86, 516.60), abs=0.01)
    assert width.max == pytest.approx(90.0)


def test_ranges_and_constraints_are_converted_to_the_station_s_units() -> None:
    document = {
        **SMALL,
        "space": [
            {"name": "flow_velocity", "low": 2, "high": 5, "unit": "cm/s"},
            {"name": "temperature", "low": 298.15, "high": 333.15, "unit": "kelvin"},
        ],
        "constraints": ["flow_velocity + 0.1 * temperature <= 37"],
    }
    space = check_campaign(document).space
    velocity, temperature = (
        next(p for p in space.parameters if p.name == n) for n in ("flow_velocity", "temperature")
    )
    assert (velocity.low, velocity.high) == pytest.approx((20.0, 50.0))  # type: ignore[union-attr]
    assert (temperature.low, temperature.high) == pytest.approx((25.0, 60.0))  # type: ignore[union-attr]
    recipe = {"flow_velocity": 40.0, "temperature": 25.0}
    assert space.constraints[0].holds(recipe)  # 4 + 29.8 <= 37
    assert not space.constraints[0].holds({**recipe, "flow_velocity": 75.0})
