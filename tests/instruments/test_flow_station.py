import json
from dataclasses import replace

import numpy as np
import pint
import pytest

import instruments
from instruments import flow_line
from instruments.errors import InstrumentError, RecipeRefusedError
from instruments.flow_synthesis import FlowSynthesisStation
from instruments.station import AttemptKey, Measurement, Spectrum
from surrogate_sim.materials import HC, emission_energy
from surrogate_sim.parameters import nominal

REFERENCE = {p.name: p.default for p in flow_line.PARAMETERS if p.when is None}
SALTED = {p.name: p.default for p in flow_line.PARAMETERS} | {"halide_salt": "ZnCl2"}
HOT = REFERENCE | {"solvent": "octadecene", "temperature": 150.0, "flow_velocity": 15.0}
GAS = REFERENCE | {"flow_format": "gas_liquid"}


def emission(edge):
    return HC / float(emission_energy(edge, constants=nominal().materials))


def opened(lab=None, seed=0, state=None):
    station = FlowSynthesisStation(lab, seed)
    station.open()
    station.restore(state or {})
    return station


@pytest.fixture(scope="module")
def measured():
    station = opened({"hidden": 5})
    return station, station.run(REFERENCE, AttemptKey(1, 1))


def test_registry_finds_the_station():
    station = instruments.create_station("flow_synthesis", {"hidden": 3})
    assert station.description.name == "flow_synthesis"
    assert station.description.simulated
    assert station.description.repeatable


def test_declared_units_are_understood_and_defaults_are_inside():
    registry = pint.UnitRegistry()
    for declared in (*flow_line.PARAMETERS, *flow_line.OBSERVABLES):
        registry.Unit(declared.unit)
    assert FlowSynthesisStation().check(REFERENCE) == []
    assert FlowSynthesisStation().check(SALTED) == []
    names = {p.name for p in flow_line.PARAMETERS}
    assert {"oleic_acid_fraction", "probe_position", "ligand_ratio", "salt_concentration"} < names


@pytest.mark.parametrize(
    ("recipe", "quantity", "value"),
    [
        (REFERENCE | {"flow_velocity": 120.0}, "flow_velocity", 120.0),
        (REFERENCE | {"oleic_acid_fraction": 1.0}, "oleic_acid_fraction", 1.0),
        (REFERENCE | {"ligand_pair": "phosphonic"}, "ligand_pair", "phosphonic"),
        (REFERENCE | {"lead_concentration": "much"}, "lead_concentration", "much"),
        (REFERENCE | {"lead_concentration": float("nan")}, "lead_concentration", "nan"),
        (REFERENCE | {"velocity": 10.0}, "velocity", "unknown"),
        ({k: v for k, v in REFERENCE.items() if k != "temperature"}, "temperature", "absent"),
        (REFERENCE | {"ligand_ratio": 0.5}, "ligand_ratio", "0.5"),
        ({k: v for k, v in SALTED.items() if k != "ligand_ratio"}, "ligand_ratio", "absent"),
        (REFERENCE | {"temperature": 120.0}, "temperature", 120.0),
        (SALTED | {"exchange_temperature": 140.0}, "exchange_temperature", 140.0),
        (HOT | {"temperature": 190.0, "flow_format": "liquid_liquid"}, "temperature", 190.0),
        (REFERENCE | {"lines": 17}, "lines", 17),
        (SALTED | {"probe_position": 250.0}, "probe_position", 250.0),
        (REFERENCE | {"flow_format": "liquid_liquid"}, "capillary_number", 0.02),
        (REFERENCE | {"ligand_solvent_ratio": 0.03}, "flow_amine_c18", None),
        (REFERENCE | {"lead_concentration": 18.0, "cs_pb_ratio": 1.9}, "caesium_in_feed", None),
    ],
)
def test_every_refusal_names_quantity_value_and_limit(recipe, quantity, value):
    station = opened()
    found = {v.quantity: v for v in station.check(recipe)}
    violation = found[quantity]
    if value is not None:
        assert violation.value == pytest.approx(value) if value != "nan" else violation.value
    assert violation.limit
    assert len(violation.message) > 40
    with pytest.raises(RecipeRefusedError) as caught:
        station.run(recipe, AttemptKey(1, 1))
    assert quantity in {v.quantity for v in caught.value.violations}
    assert station.lab_time == 0.0


def test_a_misspelt_parameter_is_answered_with_the_nearest():
    (violation,) = [
        v
        for v in FlowSynthesisStation().check(REFERENCE | {"lead_concentratoin": 5.0})
        if v.value == "unknown"
    ]
    assert "'lead_concentration'" in violation.message


def test_liquid_liquid_runs_where_it_is_slow_enough():
    recipe = REFERENCE | {"flow_format": "liquid_liquid", "flow_velocity": 15.0}
    assert FlowSynthesisStation().check(recipe) == []


@pytest.mark.parametrize(
    "lab",
    [
        {"seed": 1},
        {"hidden": -1},
        {"hidden": 1.5},
        {"hidden": True},
        {"hidden": 1, "x": 2},
        {"model": "cheap"},
    ],
)
def test_a_lab_of_another_kind_is_refused(lab):
    with pytest.raises(InstrumentError, match=r"hidden|model"):
        FlowSynthesisStation(lab)


def test_both_models_run_alone_and_on_a_hidden_lab_and_are_named_in_the_record():
    seen = {}
    for lab in (None, {"model": "reduced"}, {"model": "full"}, {"hidden": 5, "model": "full"}):
        station = opened(lab)
        made = station.run(GAS, AttemptKey(1, 1))
        named = "full" if lab and lab.get("model") == "full" else "reduced"
        assert made.conditions["model"]["value"] == named
        peak = station.analyse(made).observables["peak_emission"].value
        seen[str(lab)] = peak
        assert station.truth()["units"] > 0.0
    default, reduced, full, hidden = seen.values()
    assert default == reduced
    assert full == pytest.approx(reduced, abs=1.5)
    assert hidden != pytest.approx(full, abs=0.05)


def test_the_tube_is_scanned_at_up_to_76_positions():
    station = opened()
    recipe = SALTED | {"scan_positions": 76, "halide_salt": "ZnI2", "flow_velocity": 60.0}
    made = station.run(recipe, AttemptKey(1, 1))
    frames = next(s for s in made.spectra if s.name == "pl_along")
    assert frames.values.shape == (76, len(frames.axis))
    assert frames.values.dtype == np.float32
    series = {s.name: s for s in station.analyse(made).series}
    peak = series["peak_emission"]
    assert np.all(np.diff(peak.time) > 0.0)
    assert peak.time[0] == pytest.approx(310.0 / 60.0, rel=0.05)
    assert peak.values[-1] > peak.values[0] + 5.0  # exchange proceeds along the tube
    assert np.nanmin(series["absorbance_400"].values) > 0.0


def test_lifetimes_and_parallel_lines_are_measured_where_asked_for():
    station = opened()
    recipe = GAS | {"characterisation": "light_and_lifetime", "lines": 16}
    found = station.analyse(station.run(recipe, AttemptKey(1, 1))).observables
    assert 1.0 < found["lifetime"].value < 20.0
    assert 0.2 < found["emission_range"].value < 15.0
    assert 0.0 < found["fwhm_range"].value < 8.0
    plain = station.analyse(station.run(GAS, AttemptKey(2, 1))).observables
    assert not {"lifetime", "emission_range"} & set(plain)


def test_stated_errors_cover_the_scatter_of_repeats():
    stations = [opened(seed=s) for s in range(12)]
    recipe = GAS | {"characterisation": "light_and_lifetime"}
    found = [s.analyse(s.run(recipe, AttemptKey(1, 1))).observables for s in stations]
    for name in ("peak_emission", "emission_fwhm", "lifetime"):
        scatter = np.std([f[name].value for f in found], ddof=1)
        assert scatter < 1.7 * np.mean([f[name].se for f in found]), name


def test_octadecene_makes_dots_in_heat_only():
    station = opened()

    def intensity(temperature):
        recipe = HOT | {"temperature": temperature, "probe_position": 400.0}
        made = station.run(recipe, AttemptKey(1, 1))
        found = station.analyse(made)
        light = found.observables.get("intensity")
        return light.value if light else 0.0

    assert intensity(150.0) > 10.0 * intensity(30.0)


def test_a_hot_second_reactor_exchanges_faster():
    station = opened()

    def peak(temperature):
        recipe = SALTED | {"exchange_temperature": temperature, "probe_position": 400.0}
        made = station.run(recipe, AttemptKey(1, 1))
        return station.analyse(made).observables["peak_emission"].value

    assert peak(90.0) < peak(25.0) - 3.0


def test_a_closed_station_does_not_run():
    station = opened()
    station.close()
    station.close()
    with pytest.raises(InstrumentError, match=r"call open\(\)"):
        station.run(REFERENCE, AttemptKey(1, 1))


def test_measurement_carries_requested_achieved_and_conditions(measured):
    station, measurement = measured
    assert measurement.requested == REFERENCE
    for name, value in measurement.achieved.items():
        assert value == pytest.approx(REFERENCE[name], rel=0.1), name
    assert measurement.achieved["flow_velocity"] != REFERENCE["flow_velocity"]
    assert "salt_concentration" not in measurement.achieved
    conditions = measurement.conditions
    for name in ("reynolds", "capillary", "weber", "bond", "peclet", "damkohler"):
        assert f"{name}_number" in conditions
    velocity = measurement.achieved["flow_velocity"]
    assert conditions["residence_time"]["value"] == pytest.approx(1000.0 / velocity)
    assert conditions["residence_time"]["unit"] == "s"
    assert conditions["line_volumes_waited"]["value"] >= 4.0
    assert any("Damköhler" in w for w in measurement.warnings)
    assert {s.name for s in measurement.spectra} >= {"pl", "dark", "absorbance", "reference_dye"}
    assert all(i["simulated"] for i in measurement.identities)
    json.dumps([measurement.station_state, measurement.conditions, list(measurement.identities)])


def test_a_salt_is_achieved_too():
    station = opened()
    achieved = station.run(SALTED, AttemptKey(1, 1)).achieved
    assert achieved["salt_concentration"] == pytest.approx(10.0, rel=0.03)
    assert achieved["ligand_ratio"] == pytest.approx(0.5, rel=0.03)


def stored(measurement: Measurement) -> Measurement:
    """What comes back from a ledger: bytes for arrays, JSON for everything else."""

    def again(s: Spectrum) -> Spectrum:
        axis = np.frombuffer(s.axis.tobytes(), dtype=s.axis.dtype)
        raw = np.frombuffer(s.values.tobytes(), dtype=s.values.dtype)
        return replace(s, axis=axis, values=raw, settings=json.loads(json.dumps(dict(s.settings))))

    return replace(measurement, spectra=tuple(again(s) for s in measurement.spectra))


def test_analysis_of_stored_data_is_the_same_to_the_last_bit(measured):
    station, measurement = measured
    fresh = opened()
    assert station.analyse(measurement) == fresh.analyse(stored(measurement))


def test_restored_station_continues_exactly():
    whole = opened({"hidden": 2})
    first = whole.run(GAS, AttemptKey(1, 1))
    second = whole.run(SALTED, AttemptKey(2, 1))
    resumed = opened({"hidden": 2}, state=json.loads(json.dumps(first.station_state)))
    assert resumed.lab_time == first.station_state["clock"] > 0.0
    again = resumed.run(SALTED, AttemptKey(2, 1))
    assert again.station_state == second.station_state
    assert again.achieved == second.achieved
    for one, other in zip(second.spectra, again.spectra, strict=True):
        assert np.array_equal(one.values, other.values), one.name


def test_a_broken_state_is_refused():
    with pytest.raises((InstrumentError, ValueError), match="state"):
        opened().restore({"clock": "noon"})


def test_attempts_differ_by_noise_and_labs_differ_by_more():
    def observables(lab, key):
        station = opened(lab)
        return station.analyse(station.run(GAS, key)).observables

    def scores(one, other):
        return [
            abs(one[n].value - other[n].value) / np.hypot(one[n].se, other[n].se)
            for n in ("peak_emission", "emission_fwhm", "intensity")
        ]

    first, second = (observables({"hidden": 4}, AttemptKey(1, a)) for a in (1, 2))
    other = observables({"hidden": 5}, AttemptKey(1, 1))
    assert first["peak_emission"].value != second["peak_emission"].value
    assert max(scores(first, second)) < 3.0
    assert max(scores(first, other)) > 6.0


def test_slower_two_phase_flow_makes_larger_redder_dots():
    """Kerr 2019: 2.52 eV at 100 mm/s and 2.43 eV at 12 mm/s."""
    station = opened()

    def energy(velocity):
        measurement = station.run(GAS | {"flow_velocity": velocity}, AttemptKey(1, 1))
        return 1239.841984 / station.analyse(measurement).observables["peak_emission"].value

    assert energy(100.0) == pytest.approx(2.52, abs=0.03)
    assert energy(12.0) == pytest.approx(2.43, abs=0.03)


def test_zinc_salts_shift_the_emission_both_ways():
    station = opened()

    def peak(recipe, trial):
        measurement = station.run(recipe, AttemptKey(trial, 1))
        return station.analyse(measurement).observables["peak_emission"].value

    plain = peak(REFERENCE, 1)
    assert peak(SALTED, 2) < plain - 10.0
    assert peak(SALTED | {"halide_salt": "ZnI2"}, 3) > plain + 10.0


def test_hidden_state_is_that_of_the_measured_stream_and_not_of_the_stopped_line():
    # a line at rest is single phase, where mixing is far slower and dots come out larger
    station = opened()
    measurement = station.run(GAS | {"flow_velocity": 100.0}, AttemptKey(1, 1))
    seen = station.analyse(measurement).observables["peak_emission"].value
    one_phase = opened()
    one_phase.run(REFERENCE | {"flow_velocity": 100.0}, AttemptKey(1, 1))
    assert station.truth()["edge"] < one_phase.truth()["edge"]
    assert emission(station.truth()["edge"]) == pytest.approx(seen, abs=3.0)
