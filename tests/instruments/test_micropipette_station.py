"""The micropipette station keeps the contract, and reports what it can stand for."""

import json
from pathlib import Path

import numpy as np
import pint
import pytest
import yaml

import instruments
from instruments.errors import InstrumentError, RecipeRefusedError
from instruments.metrology.decay import fit_decay, pile_up_corrected, response
from instruments.metrology.growth_stages import find_stages
from instruments.micropipette import OBSERVABLES, PARAMETERS, MicropipetteStation
from instruments.station import AttemptKey
from orchestrator.campaign import check_campaign
from orchestrator.loop import check_feasible, station_of

ROOT = Path(__file__).parents[2]

DEFAULTS = {p.name: p.default for p in PARAMETERS}
SHORT = DEFAULTS | {"reaction_time": 60.0, "sampling_interval": 2.0}


def opened(lab=None, seed=0, state=None):
    station = MicropipetteStation(lab, seed)
    station.open()
    station.restore(state or {})
    return station


def same(one, other):
    return all(
        np.array_equal(a.values, b.values) for a, b in zip(one.spectra, other.spectra, strict=True)
    )


@pytest.fixture(scope="module")
def default_run():
    station = opened()
    return station, station.run(DEFAULTS, AttemptKey(1, 1))


def test_registry_finds_the_station_and_units_are_understood():
    station = instruments.create_station("micropipette", {"hidden": 3})
    assert station.description.simulated and station.description.repeatable
    registry = pint.UnitRegistry()
    for declared in (*PARAMETERS, *OBSERVABLES):
        registry.Unit(declared.unit)


def test_default_recipe_yields_every_observable_but_what_ripening_tells(default_run):
    station, measurement = default_run
    analysis = station.analyse(measurement)
    declared = {o.name for o in OBSERVABLES}
    assert set(analysis.observables) <= declared
    assert declared - set(analysis.observables) <= {"stage_2_duration"}
    assert analysis.verdict.kind in ("accept", "accept_wide")
    units = {o.name: o.unit for o in OBSERVABLES}
    for name, found in analysis.observables.items():
        assert found.unit == units[name] and np.isfinite(found.value) and found.se >= 0.0
    assert measurement.spectra[1].values.dtype == np.float32
    json.dumps([dict(s.settings) for s in measurement.spectra])


def test_analysis_is_a_function_of_the_measurement(default_run):
    station, measurement = default_run
    one, two = station.analyse(measurement), MicropipetteStation().analyse(measurement)
    assert one.observables == two.observables and one.verdict == two.verdict


def test_achieved_conditions_are_read_back(default_run):
    _, measurement = default_run
    for name, value in measurement.achieved.items():
        assert abs(float(value) - float(DEFAULTS[name])) < 0.05 * abs(DEFAULTS[name]) + 0.1


def test_same_key_same_bytes_and_another_attempt_other_noise():
    one = opened({"hidden": 4}, seed=0).run(SHORT, AttemptKey(2, 1))
    again = opened({"hidden": 4}, seed=9).run(SHORT, AttemptKey(2, 1))
    other = opened({"hidden": 4}).run(SHORT, AttemptKey(2, 2))
    assert same(one, again) and not same(one, other)


def test_restored_station_continues_like_one_that_never_stopped():
    going = opened({"hidden": 4})
    first = going.run(SHORT, AttemptKey(1, 1))
    second = going.run(SHORT, AttemptKey(2, 1))
    restored = opened({"hidden": 4}, state=json.loads(json.dumps(first.station_state)))
    assert restored.lab_time == pytest.approx(first.station_state["clock"])
    assert same(second, restored.run(SHORT, AttemptKey(2, 1)))
    assert second.station_state["pipettes"] == 2


def test_hidden_labs_differ_and_so_do_their_pipettes():
    peaks, tips = [], []
    for seed in (1, 2):
        station = opened({"hidden": seed})
        for trial in (1, 2):
            measurement = station.run(SHORT, AttemptKey(trial, 1))
            tips.append(station.truth()["tip_diameter_nm"])
        peaks.append(station.analyse(measurement).observables["peak_emission"].value)
    assert abs(peaks[0] - peaks[1]) > 0.2
    assert len(set(tips)) == 4 and all(abs(t / 1600.0 - 1.0) < 0.07 for t in tips)


@pytest.mark.parametrize(
    ("change", "quantity"),
    [
        ({"tip_diameter": 100.0}, "tip_diameter"),
        ({"pressure": 2.0}, "pressure"),
        ({"laser_irradiance": float("nan")}, "laser_irradiance"),
        ({"integration_time": 5.0, "sampling_interval": 1.0}, "integration_time"),
        ({"reaction_time": 36000.0, "sampling_interval": 0.6}, "frames"),
        ({"tip": 1.0}, "tip"),
    ],
)
def test_a_recipe_outside_the_limits_is_refused_before_anything_moves(change, quantity):
    station = opened()
    with pytest.raises(RecipeRefusedError) as caught:
        station.run(DEFAULTS | change, AttemptKey(1, 1))
    (found,) = [v for v in caught.value.violations if v.quantity == quantity]
    assert found.limit and len(found.message) > 40
    assert station.lab_time == 0.0


def test_unknown_laboratories_states_and_closed_stations_are_refused():
    with pytest.raises(InstrumentError, match="only 'hidden'"):
        MicropipetteStation({"secret": 1})
    with pytest.raises(InstrumentError, match="at least 0"):
        MicropipetteStation({"hidden": -1})
    with pytest.raises(ValueError, match="clock, pipettes"):
        MicropipetteStation().restore({"fouling": 1.0})
    with pytest.raises(InstrumentError, match="opened"):
        MicropipetteStation().run(DEFAULTS, AttemptKey(1, 1))


def test_no_light_to_speak_of_is_an_informative_failure():
    station = opened()
    measurement = station.run(SHORT | {"laser_irradiance": 15.0}, AttemptKey(1, 1))
    analysis = station.analyse(measurement)
    assert analysis.verdict.failure == "no_emission" and not analysis.observables


def test_noise_is_never_taken_for_a_line_over_thousands_of_frames():
    recipe = DEFAULTS | {"laser_irradiance": 15.0, "reaction_time": 2400.0}
    station = opened()
    measurement = station.run(recipe | {"sampling_interval": 0.6}, AttemptKey(1, 1))
    analysis = station.analyse(measurement)
    assert analysis.verdict.failure == "no_emission"
    assert sum(s.values.nbytes for s in measurement.spectra) < 5_000_000


def test_a_saturated_detector_is_told():
    station = opened()
    recipe = SHORT | {"tip_diameter": 1.4e6, "integration_time": 2.0}
    analysis = station.analyse(station.run(recipe, AttemptKey(1, 1)))
    assert analysis.verdict.failure == "saturated" and "integration time" in str(
        analysis.verdict.reasons
    )


def test_stated_errors_are_those_of_repeats():
    """Twelve attempts: the scatter over the mean stated error lies where chance puts it."""
    station = MicropipetteStation()
    found = {n: [] for n in ("peak_emission", "emission_fwhm", "lifetime", "mean_size")}
    errors = {n: [] for n in found}
    for attempt in range(1, 13):
        station.open()
        station.restore({})
        got = station.analyse(station.run(SHORT, AttemptKey(1, attempt))).observables
        for name in found:
            found[name].append(got[name].value)
            errors[name].append(got[name].se)
    for name in found:
        ratio = np.std(found[name], ddof=1) / np.mean(errors[name])
        assert 0.45 < ratio < 1.8, f"{name}: scatter {ratio:.2f} times the stated error"


def test_pile_up_is_undone_and_two_lifetimes_are_found():
    time = (np.arange(1024) + 0.5) * 50.0 / 1024
    true = 0.5 * response(time, 1.0, 2.0, 0.15) + 0.5 * response(time, 6.0, 2.0, 0.15)
    rate = 0.2 * true / true.sum()
    before = np.concatenate([[0.0], np.cumsum(rate)[:-1]])
    seen = 1e6 * np.exp(-before) * -np.expm1(-rate)
    whole = pile_up_corrected(seen, 1e6)
    assert whole == pytest.approx(1e6 * rate, rel=1e-6)
    fit = fit_decay(time, whole, start=2.0, width=0.15)
    assert fit.lifetimes[:2] == pytest.approx([1.0, 6.0], rel=0.03)


def test_stages_of_a_drawn_record_are_found():
    time = np.arange(0.0, 1500.0, 10.0)
    peak = 480.0 + np.minimum(time, 300.0) * 0.05 + np.maximum(time - 300.0, 0.0) * 0.005
    width = 18.0 + 8.0 * (time / 900.0 - 1.0) ** 2
    stages = find_stages(time, peak, width, np.full_like(time, 0.01))
    assert stages.first_end == pytest.approx(300.0, abs=15.0)
    assert stages.second_end == pytest.approx(900.0, abs=40.0) and stages.ripens


def test_every_parameter_and_observable_is_in_the_reference():
    page = (ROOT / "docs" / "reference" / "micropipette.md").read_text(encoding="utf-8")
    for p in PARAMETERS:
        row = (
            f"| `{p.name}` | {p.description} | {p.low:g} to {p.high:g} {p.unit} | {p.default:g} |"
        )
        assert row in page
    for o in OBSERVABLES:
        assert f"| `{o.name}` | {o.description} | {o.unit or '-'} |" in page


def test_example_is_a_campaign_that_the_station_takes():
    """A campaign that is refused raises, with every mistake named."""
    text = (ROOT / "examples" / "micropipette.yaml").read_text(encoding="utf-8")
    campaign = check_campaign(yaml.safe_load(text))
    check_feasible(campaign, station_of(campaign))
