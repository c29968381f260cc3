import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pint
import pytest
import yaml

import instruments
from instruments.anion_exchange import AnionExchangeStation
from instruments.errors import InstrumentError, RecipeRefusedError, TrialFailedError
from instruments.exchange_recipe import OBSERVABLES, PARAMETERS
from instruments.station import AttemptKey
from orchestrator.campaign import check_campaign, read_document
from orchestrator.twins.rows.anion_exchange import FITTED, NOTES, ROWS
from surrogate_sim.parameters import table, twin_parameters

EXAMPLE = Path(__file__).parents[2] / "examples" / "anion_exchange.yaml"


def recipe(source="given", observation="single_particle", **changed):
    """The complete default recipe of one source and one observation."""
    active = {"nanocrystal_source": source, "observation": observation}
    found = dict(active)
    for p in PARAMETERS:
        if p.when is None or active[p.when[0]] in p.when[1]:
            found.setdefault(p.name, p.default)
    return found | changed


def opened(lab=None, state=None, **keywords):
    station = AnionExchangeStation(lab, **keywords)
    station.open()
    station.restore(state or {})
    return station


def measured(given, key=(1, 1), lab=None):
    station = opened(lab)
    measurement = station.run(given, AttemptKey(*key))
    return station, measurement, station.analyse(measurement)


def test_registry_finds_the_station_and_units_are_understood():
    description = instruments.create_station("anion_exchange", {"hidden": 3}).description
    assert description.name == "anion_exchange"
    assert description.simulated and description.repeatable
    registry = pint.UnitRegistry()
    for declared in (*PARAMETERS, *OBSERVABLES):
        registry.Unit(declared.unit)


@pytest.mark.parametrize("source", ["given", "synthesised"])
@pytest.mark.parametrize("observation", ["single_particle", "ensemble", "titration"])
def test_every_default_recipe_runs_and_says_something(source, observation):
    station, measurement, analysis = measured(recipe(source, observation))
    assert analysis.verdict.kind == "accept"
    assert not analysis.verdict.failure
    assert len(analysis.observables) >= 7
    assert set(analysis.observables) <= {o.name for o in OBSERVABLES}
    assert all(np.isfinite(o.value) and o.se > 0.0 for o in analysis.observables.values())
    assert sum(s.values.nbytes for s in measurement.spectra) < 5_000_000
    assert station.truth()["batch_mean_edge_nm"] == pytest.approx(
        analysis.observables["measured_edge"].value, rel=0.03
    )
    json.dumps([measurement.station_state, measurement.conditions])


@pytest.mark.parametrize(
    ("given", "quantity"),
    [
        (recipe(edge_length=30.0), "edge_length"),
        (recipe(tmsi_concentration=0.1), "tmsi_concentration"),
        (recipe(zinc_bromide=1.0), "zinc_bromide"),
        (recipe(aliquots=3), "aliquots"),
        (recipe("synthesised", synthesis_temperature=250.0), "synthesis_temperature"),
        (recipe(observation="titration", aliquots=2.5), "aliquots"),
        (recipe(observation="titration", aliquots=28), "added_volume"),
        ({k: v for k, v in recipe().items() if k != "duration"}, "duration"),
    ],
)
def test_bad_recipes_are_refused_before_anything_moves(given, quantity):
    station = opened()
    assert quantity in {v.quantity for v in station.check(given)}
    with pytest.raises(RecipeRefusedError) as caught:
        station.run(given, AttemptKey(1, 1))
    assert all(v.limit and len(v.message) > 40 for v in caught.value.violations)
    assert station.lab_time == 0.0


def test_a_washing_that_leaves_nothing_is_a_defined_failure():
    station = opened()
    given = recipe("synthesised", zinc_bromide=2.6, washing="precipitate")
    with pytest.raises(TrialFailedError, match="umol of CsPbBr3") as caught:
        station.run(given, AttemptKey(1, 1))
    assert caught.value.reason == "no_product"
    assert caught.value.station_state["clock"] > 0.0


@pytest.mark.parametrize("lab", [{"seed": 1}, {"hidden": -1}, {"hidden": True}])
def test_a_lab_of_another_kind_is_refused(lab):
    with pytest.raises(InstrumentError, match="hidden"):
        AnionExchangeStation(lab)


def test_a_closed_station_does_not_run():
    station = opened()
    station.close()
    with pytest.raises(InstrumentError, match=r"call open\(\)"):
        station.run(recipe(), AttemptKey(1, 1))


def test_a_broken_state_is_refused():
    with pytest.raises(ValueError, match="state"):
        opened(state={"clock": "noon"})


def test_same_key_same_bytes_and_restored_alike():
    whole = opened({"hidden": 2})
    first = whole.run(recipe(), AttemptKey(1, 1))
    second = whole.run(recipe(observation="ensemble"), AttemptKey(2, 1))
    resumed = opened({"hidden": 2}, state=json.loads(json.dumps(dict(first.station_state))))
    assert resumed.lab_time == whole.lab_time - (second.station_state["clock"] - resumed.lab_time)
    again = resumed.run(recipe(observation="ensemble"), AttemptKey(2, 1))
    assert again.station_state == second.station_state
    for one, other in zip(second.spectra, again.spectra, strict=True):
        assert one.values.tobytes() == other.values.tobytes(), one.name


def test_analysis_is_deterministic_and_needs_no_station_of_its_own():
    station, measurement, analysis = measured(recipe())

    def again(s):
        raw = np.frombuffer(s.values.tobytes(), s.values.dtype).reshape(s.values.shape)
        return replace(s, values=raw, settings=json.loads(json.dumps(dict(s.settings))))

    stored = replace(measurement, spectra=tuple(again(s) for s in measurement.spectra))
    found = opened().analyse(stored)
    assert found.observables == analysis.observables
    assert found.verdict == analysis.verdict


def test_stated_errors_agree_with_the_scatter_of_repeats():
    # Too small an error would let a campaign stop on luck; too large a one never lets it stop.
    names = ("switching_time", "switching_variation", "incubation_time", "particle_intensity")
    fast = recipe(tmsi_concentration=50.0, duration=200.0)
    runs = [measured(fast, (t, 1))[2].observables for t in range(1, 11)]
    for name in names:
        scatter = np.std([r[name].value for r in runs], ddof=1)
        stated = np.mean([r[name].se for r in runs])
        assert 0.5 < scatter / stated < 1.7, (name, scatter, stated)


def test_scan_errors_agree_with_the_scatter_of_repeats():
    given = recipe(observation="ensemble", duration=105.0)
    runs = [measured(given, (t, 1))[2].observables for t in range(1, 11)]
    for name in ("initial_emission", "peak_emission", "emission_fwhm"):
        scatter = np.std([r[name].value for r in runs], ddof=1)
        stated = np.mean([r[name].se for r in runs])
        assert 0.3 < scatter / stated < 1.8, (name, scatter, stated)


def test_hidden_labs_differ_and_their_reagents_age():
    one, other = (
        measured(recipe(tmsi_concentration=50.0, duration=250.0), lab={"hidden": s})[2].observables
        for s in (4, 5)
    )
    pulls = [
        abs(one[n].value - other[n].value) / np.hypot(one[n].se, other[n].se)
        for n in ("switching_time", "incubation_time")
    ]
    assert max(pulls) > 5.0
    month = 29.0 * 86400.0
    station = opened({"hidden": 4}, {"clock": month})
    station.run(recipe(observation="ensemble", duration=35.0), AttemptKey(1, 1))
    assert station.truth()["tmsi_strength"] < 0.6


def test_a_film_that_is_too_short_is_a_failure_that_says_so():
    _, _, analysis = measured(recipe(tmsi_concentration=5.0, duration=100.0))
    assert analysis.verdict.failure == "no_exchange"
    assert analysis.observables == {}
    assert "film longer" in analysis.verdict.reasons[0]


def test_a_dead_camera_stops_the_station():
    station, measurement, _ = measured(recipe(tmsi_concentration=50.0, duration=60.0))
    dead = tuple(
        replace(s, values=np.zeros_like(s.values)) if s.name == "trajectories" else s
        for s in measurement.spectra
    )
    assert station.analyse(replace(measurement, spectra=dead)).verdict.kind == "stop"


def test_halides_are_conserved_in_the_cuvette():
    station, _, _ = measured(recipe(observation="titration", aliquots=5))
    truth = station.truth()
    iodide = truth["iodide_in_crystals_nmol"] + truth["iodide_in_solution_nmol"]
    assert iodide == pytest.approx(5 * 20.0, rel=1e-6)
    bromide = truth["bromide_in_crystals_nmol"] + truth["bromide_in_solution_nmol"]
    assert bromide == pytest.approx(117.0, rel=1e-6)


def test_more_iodide_moves_the_emission_further():
    analysis = measured(recipe(observation="titration"))[2]
    (peaks,) = (s for s in analysis.series if s.name == "peak_emission")
    assert np.all(np.diff(peaks.values) > -0.3)
    assert peaks.values[-1] > 620.0


def test_smaller_crystals_switch_more_slowly():
    slow, fast = (
        measured(recipe(edge_length=e, duration=400.0))[2].observables["switching_time"].value
        for e in (5.1, 13.1)
    )
    assert slow > 4.0 * fast


@pytest.mark.parametrize("row", ["AX-01", "AX-02", "AX-03", "AX-04", "AX-05", "AX-08", "AX-10"])
def test_published_rows_are_met_on_the_nominal_lab(row):
    checks = ROWS[row](twin_parameters("anion_exchange"))
    assert all(c.passed for c in checks), [(c.label, c.ours) for c in checks if not c.passed]


def test_every_row_has_a_judge_and_every_fitted_parameter_a_prior():
    assert list(ROWS) == [f"AX-{i:02d}" for i in range(1, 17)]
    assert set(NOTES) <= set(ROWS)
    constants = table("anion_exchange")
    assert all(constants[name].status == "calibrated" for name in FITTED)


def test_the_example_fits_the_station():
    campaign = check_campaign(read_document(EXAMPLE))
    assert campaign.station == "anion_exchange"
    assert yaml.safe_load(EXAMPLE.read_text())["lab"] == {"hidden": 7}


def test_the_reference_page_names_every_parameter_and_observable():
    page = (EXAMPLE.parents[1] / "docs" / "reference" / "anion-exchange.md").read_text()
    for p in PARAMETERS:
        limits = (
            ", ".join(f"`{c}`" for c in p.choices)
            if p.choices
            else f"{p.low:g} to {p.high:g} {p.unit}".rstrip()
        )
        default = f"`{p.default}`" if isinstance(p.default, str) else f"{p.default:g}"
        assert f"| `{p.name}` | {p.description} | {limits} | {default} |" in page
    for o in OBSERVABLES:
        assert f"| `{o.name}` | {o.description} | {o.unit or '-'} |" in page
