"""What is done between and around trials: carry-over, washing, sentinels, and their memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from instruments import AttemptKey, InstrumentError, create_station
from instruments.carry_over import contamination, laminar_remainder, plug_remainder
from instruments.formulation import Contents
from instruments.rounds import best_order
from surrogate_sim.hydrodynamics import fluid_pair, residence_quantiles

FAST = {"probe_position": 100.0, "flow_velocity": 100.0}


def station_of(**procedures: Any) -> Any:
    return create_station("flow_synthesis", {"place": {"procedures": procedures}})


def recipe_of(station: Any, **changed: Any) -> dict[str, Any]:
    recipe: dict[str, Any] = {**FAST, **changed}
    for p in station.description.parameters:
        if p.when is None or recipe.get(p.when[0]) in p.when[1]:
            recipe.setdefault(p.name, p.default)
    return recipe


SALTED = {
    "halide_salt": "ZnI2",
    "salt_concentration": 40.0,
    "probe_position": 500.0,
    "lead_concentration": 10.0,
    "flow_velocity": 60.0,
}


def run(station: Any, trial: int, **changed: Any) -> Any:
    return station.run(recipe_of(station, **changed), AttemptKey(trial, 1))


def test_the_laminar_remainder_is_that_of_the_model_s_residence_times() -> None:
    """Shares of equal size whose mean ages come from the same distribution."""
    ages = residence_quantiles(fluid_pair("toluene", "none"), 40.0, 0.4, 1000.0, 20000)
    for volumes in (0.6, 1.0, 2.0, 4.0):
        assert np.mean(ages > volumes) == pytest.approx(laminar_remainder(volumes), abs=2e-3)
    assert laminar_remainder(0.3) == 1.0


def test_the_plug_remainder_has_the_mean_and_spread_of_tanks_in_series() -> None:
    grid = np.linspace(0.0, 6.0, 60001)
    left = np.array([plug_remainder(float(v), 50.0) for v in grid])
    mean = np.trapezoid(left, grid)
    square = np.trapezoid(2.0 * grid * left, grid)
    assert mean == pytest.approx(1.0, rel=1e-6)
    assert square - mean**2 == pytest.approx(1.0 / 50.0, rel=1e-4)


def test_contamination_counts_halides_against_all_halides() -> None:
    now = Contents(lead=10.0, caesium=8.0, bromide=40.0)
    before = replace(now, iodide=80.0)
    assert contamination(0.01, before, now) == pytest.approx(0.01 * 80.0 / 40.0)
    assert contamination(0.01, replace(now, lead=20.0), now) == pytest.approx(0.01)
    assert contamination(0.01, now, now) == 0.0


def test_carry_over_falls_with_the_flush() -> None:
    found = []
    for volumes in (1.0, 4.0, 12.0):
        station = station_of(flush={"volumes": volumes}, carry_over={})
        before, now = recipe_of(station, **SALTED), recipe_of(station)
        found.append(station._station.carry_over(before, now))
        assert station._station.carry_over(now, now) == 0.0
    assert found[0] / found[1] == pytest.approx((8.0 / 5.0) ** 2)
    assert found[1] / found[2] == pytest.approx((16.0 / 8.0) ** 2)


def test_a_contaminated_result_is_flagged_and_widened() -> None:
    station = station_of(flush={"volumes": 1.0}, carry_over={"limit": 0.02})
    station.open()
    run(station, 1, **SALTED)
    plain = run(station, 2)
    analysis = station.analyse(plain)
    station.close()
    assert plain.conditions["carry_over"]["value"] > 0.02
    assert any("carry-over" in w for w in plain.warnings)
    assert analysis.verdict.kind == "accept_wide"
    assert any("carry-over" in r for r in analysis.verdict.reasons)
    assert create_station("flow_synthesis").analyse(plain) == analysis, "a server judges alike"
    clean = replace(plain, conditions={**plain.conditions, "carry_over": {"value": 0.0}})
    narrow = station.analyse(clean)
    assert narrow.verdict.kind == "accept"
    ratio = analysis.observables["peak_emission"].se / narrow.observables["peak_emission"].se
    assert ratio == pytest.approx(2.0)


def test_a_wash_ends_carry_over_and_comes_as_often_as_declared() -> None:
    station = station_of(wash={"every": 2}, carry_over={})
    station.open()
    made = [run(station, n) for n in (1, 2, 3)]
    station.close()
    washed = ["volume_toluene" in m.conditions for m in made]
    assert washed == [True, False, True]
    assert ["carry_over" in m.conditions for m in made] == [False, True, False]


def test_a_sentinel_is_compared_with_the_first_and_has_its_own_noise() -> None:
    station = station_of(sentinel={"every": 2, "recipe": FAST})
    station.open()
    made = [run(station, n, flow_velocity=80.0) for n in (1, 2, 3)]
    station.close()
    seen = [m.conditions.get("sentinel_peak_emission") for m in made]
    assert seen[1] is None and seen[0] is not None and seen[2] is not None
    assert seen[0] != seen[2]
    assert abs(seen[0]["value"] - seen[2]["value"]) < 1.0
    memory = made[2].station_state["around"]["sentinel"]
    assert memory["peak_emission"][0] == seen[0]["value"], "the first one is the reference"


def test_a_drifted_sentinel_is_said() -> None:
    station = station_of(sentinel={"every": 1, "recipe": FAST})
    station.open()
    state = dict(run(station, 1).station_state)
    first = state["around"]["sentinel"]["peak_emission"]
    state["around"] = {
        **state["around"],
        "sentinel": {"peak_emission": [first[0] + 5.0, first[1]]},
    }
    station.restore(state)
    warned = run(station, 2).warnings
    station.close()
    assert any("sentinel's peak_emission" in w for w in warned)


def test_a_restored_station_does_what_one_that_never_stopped_does() -> None:
    said = {
        "wash": {"every": 3},
        "reference": {"every": 2},
        "sentinel": {"every": 2, "recipe": FAST},
        "carry_over": {},
    }
    through = station_of(**said)
    through.open()
    first, second = run(through, 1, **SALTED), run(through, 2)
    third = run(through, 3)
    through.close()
    resumed = station_of(**said)
    resumed.open()
    resumed.restore(second.station_state)
    again = run(resumed, 3)
    resumed.close()
    assert again.conditions == third.conditions
    assert again.station_state == third.station_state
    assert np.array_equal(again.spectra[0].values, third.spectra[0].values)
    assert first.station_state["around"]["trials"] == 1


def test_a_narrowed_tube_is_washed_before_the_next_trial() -> None:
    station = station_of(clean={"faster": 0.05})
    station.open()
    made = run(station, 1)
    assert "dirty" not in made.station_state["around"]
    asked = made.requested["flow_velocity"]
    fouled = replace(made, achieved={**made.achieved, "flow_velocity": 1.1 * asked})
    station._rounds.after(fouled)
    washed = run(station, 2)
    station.close()
    assert "volume_toluene" in washed.conditions
    assert "dirty" not in washed.station_state["around"]


def test_what_a_station_cannot_do_is_refused() -> None:
    with pytest.raises(InstrumentError, match=r"procedures\.wash: topo_batch"):
        create_station("topo_batch", {"place": {"procedures": {"wash": {"every": 2}}}})
    with pytest.raises(InstrumentError, match="put the sentinel into the batch"):
        create_station("larp_plate", {"place": {"procedures": {"sentinel": {"every": 2}}}})
    with pytest.raises(InstrumentError, match="flow_velocity must be within"):
        station_of(sentinel={"every": 2, "recipe": {"flow_velocity": 1e4}})
    with pytest.raises(InstrumentError, match="every"):
        station_of(wash={"every": 0})


@pytest.mark.parametrize("name", ["wash", "dark", "blank", "reference"])
def test_procedures_leave_the_line_safe_and_say_what_they_saw(name: str) -> None:
    station = create_station("flow_synthesis")
    station.open()
    record = station.care(name)
    again = station.care(name)
    rig = station._rig
    rig.clock.wait(120.0)  # until the syringes have relaxed
    assert all(pump.read_flow() == 0.0 for pump in rig.pumps.values())
    station.close()
    assert set(record.values) == set(again.values)
    expected = {"wash": "volume_toluene", "dark": "dark_rate", "blank": "lamp"}
    assert record.values[expected.get(name, "reference_dye")][0] > 0.0
    if name == "blank":
        assert abs(record.values["background"][0]) < 1e-2 * record.values["lamp"][0]


def test_priming_draws_the_feed_and_needs_stocks() -> None:
    station = create_station("flow_synthesis")
    station.open()
    record = station.care("prime", stocks=["lead_bromide"])
    assert record.values["volume_lead_bromide"][0] == pytest.approx(15.0 * 20.0 + 1.5 * 60.0)
    for name, stocks in (("prime", ()), ("wash", ("toluene",)), ("prime", ("lead",)), ("x", ())):
        with pytest.raises(InstrumentError, match="must be one of"):
            station.care(name, stocks=stocks)
    station.close()


def test_the_recipe_that_the_last_one_spoils_least_comes_next() -> None:
    said = {"flush": {"volumes": 1.0}, "carry_over": {"choose": True}}
    station = station_of(**said)
    salted, plain = recipe_of(station, **SALTED), recipe_of(station)
    other = {**salted, "salt_concentration": 35.0}
    station.open()
    made = run(station, 1, **SALTED)
    station.close()
    assert station.first_of([plain, other]) == 1
    fixed = station_of(flush={"volumes": 1.0}, carry_over={})
    fixed.restore(made.station_state)
    assert fixed.first_of([plain, other]) == 0


def test_the_best_order_is_that_of_least_sum_and_long_ones_are_nearest_first() -> None:
    then = [[0.0, 9.0, 1.0], [1.0, 0.0, 9.0], [9.0, 1.0, 0.0]]
    assert best_order([5.0, 0.0, 0.0], then) == (1, 0, 2)
    assert best_order([0.0, 5.0, 5.0], then) == (0, 2, 1)
    line = [[abs(i - j) * 1.0 for j in range(9)] for i in range(9)]
    assert best_order([float(i) for i in range(9)], line) == tuple(range(9))


def test_a_sentinel_counts_among_the_doses_and_the_needs() -> None:
    station = station_of(sentinel={"every": 2, "recipe": FAST})
    station.open()
    recipe = recipe_of(station)
    due = station.needs([recipe])
    with_sentinel = run(station, 1).doses
    alone, needed = run(station, 2).doses, station.needs([recipe])
    station.close()
    assert due["toluene"] > 1.9 * alone["toluene"].most
    assert with_sentinel["toluene"].most == pytest.approx(2.0 * alone["toluene"].most, rel=0.05)
    assert needed["toluene"] == pytest.approx(due["toluene"]), "the third trial has one, too"
