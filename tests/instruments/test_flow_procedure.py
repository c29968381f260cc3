from dataclasses import replace

import numpy as np
import pytest
from plant_double import HC, PlantDouble

from instruments.capabilities import SafeState
from instruments.errors import StationStoppedError, TrialFailedError
from instruments.metrology import analyse_flow
from instruments.station import Measurement


def observables(record):
    return analyse_flow(Measurement({}, {}, {}, record.spectra, {})).observables


def idle(plant):
    return all(q == 0.0 for q in plant.flows.values()) and plant.carrier == ("none", 0.0)


def test_right_procedure_finds_the_plants_truth(bench):
    found = observables(bench(PlantDouble(photon_rate=2e7)).run())
    peak, plqy = found["peak_emission"], found["plqy"]
    assert abs(peak.value - HC / 2.45) < 3 * peak.se
    assert abs(plqy.value - 0.6) < 3 * plqy.se
    assert plqy.se < 0.03
    width = found["emission_linewidth"]
    assert abs(width.value - 90.0) < 3 * width.se
    exciton = found["first_exciton"]
    assert abs(exciton.value - HC / 2.50) < 2.0


def test_measuring_before_steady_state_gives_a_wrong_result(bench, plan):
    """The line still holds solvent, so the dots look dim: the wait is what makes it right."""
    right = observables(bench(PlantDouble(photon_rate=2e8)).run())
    hasty = bench(PlantDouble(photon_rate=2e8)).run(
        wait_volumes=0.05, settle=0.0, extra_volumes=0.0
    )
    wrong = observables(hasty)
    assert wrong["intensity"].value < 0.8 * right["intensity"].value
    assert any("still changed" in w for w in hasty.warnings)


def test_skipping_the_flush_mixes_in_the_previous_recipe(bench, plan):
    def peak(flush_volumes):
        plant = PlantDouble(photon_rate=2e7)
        plant.content = {"b": 1.0}
        hurried = {"settle": 0.0, "wait_volumes": 0.05, "extra_volumes": 0.0}
        recipe = replace(plan, flows={"a": 3.0}, temperature=25.0)
        record = bench(plant).run(recipe, flush_volumes=flush_volumes, **hurried)
        return observables(record)["peak_emission"].value

    assert peak(4.0) - peak(0.0) > 1.0


def test_waits_are_counted_in_volumes_at_the_measured_flow(bench, plan):
    record = bench().run()
    assert record.waits["flushed"] == 4.0
    volume = 60.0 + 5.0 + np.pi / 4 * 0.4**2 * 1000.0
    shortest = record.waits["waited"] * volume / 5.0
    assert shortest * 0.95 < record.waits["waited_time"] < shortest * 1.05 + 100.0
    slow = bench().run(replace(plan, flows={"a": 0.75, "b": 0.75, "toluene": 1.0}))
    assert slow.waits["waited_time"] > 1.5 * record.waits["waited_time"]


def test_achieved_values_are_read_back_not_copied(bench, plan):
    plant = PlantDouble()
    plant.blocked = 0.9
    record = bench(plant).run()
    assert record.flows["a"] == pytest.approx(1.35, rel=0.02)
    assert record.flows["a"] != 1.35
    assert record.readings["temperature"] == pytest.approx(60.0, abs=1.0)
    assert record.readings["position"] == pytest.approx(1000.0, abs=0.05)


def test_exposures_fill_the_detector_without_saturating_it(bench):
    for rate in (1e6, 3e7, 1e9):
        record = bench(PlantDouble(photon_rate=rate)).run()
        pl = next(s for s in record.spectra if s.name == "pl")
        assert pl.values.max() < pl.settings["saturation"]
        at_limit = pl.settings["integration_time"] >= 0.99 * pl.settings["longest_integration"]
        assert at_limit or pl.values.max() > 0.3 * pl.settings["saturation"]
        assert pl.settings["exposures"][-1][0] == pytest.approx(pl.settings["integration_time"])


def test_everything_is_idle_afterwards(bench):
    made = bench()
    made.run()
    assert idle(made.plant)
    assert made.plant.setpoint == 25.0


def test_same_key_same_noise_and_other_attempt_other_noise(bench):
    def pl(key):
        return next(s for s in bench(key=key).run().spectra if s.name == "pl").values

    first, again, attempt, trial = pl((1, 1)), pl((1, 1)), pl((1, 2)), pl((2, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, attempt)
    assert not np.array_equal(first, trial)
    assert first.dtype == np.float32


def test_a_clogged_line_is_a_failed_trial_and_left_safe(bench):
    plant = PlantDouble()
    plant.blocked = 0.3
    made = bench(plant)
    with pytest.raises(TrialFailedError, match="clean the line") as caught:
        made.run()
    assert caught.value.reason == "clogged"
    assert idle(plant)


def test_a_heater_that_never_arrives_stops_the_station_safely(bench, plan):
    class Cold(PlantDouble):
        def temperature(self):
            return 25.0

    plant = Cold()
    with pytest.raises(StationStoppedError, match="check the heater"):
        bench(plant).run(temperature_timeout=100.0)
    assert idle(plant)
    assert plant.setpoint == 25.0


def test_an_unexpected_error_leaves_a_safe_state_and_is_not_hidden(bench):
    class Broken(PlantDouble):
        def emission(self, wavelengths, excitation=365.0):
            raise ZeroDivisionError("optics")

    plant = Broken()
    with pytest.raises(ZeroDivisionError):
        bench(plant).run()
    assert idle(plant)


def test_one_stubborn_instrument_does_not_keep_the_others_from_safety(bench):
    made = bench()
    made.rig.pumps["b"].set_flow(2.0)

    def refuse():
        raise OSError("no answer")

    made.rig.pumps["a"].to_safe_state = refuse
    with pytest.raises(StationStoppedError, match="pump_a: no answer"):
        made.rig.to_safe_state()
    assert made.plant.flows["b"] == 0.0


def test_progress_tells_the_steps_in_order(bench, plan):
    from instruments.flow_line import GEOMETRY
    from instruments.procedures.flow import FlowProcedure, FlowSettings

    said = []
    made = bench()
    FlowProcedure(made.rig, GEOMETRY, FlowSettings(), said.append).run(plan)
    assert said[0].startswith("flushing")
    assert said[-1].startswith("measuring absorption")
    assert all(isinstance(i, SafeState) for i in made.rig.pumps.values())
