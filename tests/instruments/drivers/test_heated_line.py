"""A heated line through its thermostats' wires is the simulated one, bit by bit."""

import numpy as np
import pytest

from instruments import create_station
from instruments.errors import InstrumentError
from instruments.station import AttemptKey

HOT = {"flow_format": "gas_liquid", "flow_velocity": 27.0, "temperature": 90.04}
EXCHANGED = {**HOT, "halide_salt": "ZnI2", "exchange_temperature": 77.77}
RECIPES = (HOT, EXCHANGED, {**HOT, "temperature": 45.0})
WIRED = {
    "eurotherm and julabo": {
        "thermostat": {"driver": "eurotherm_modbus"},
        "exchange_thermostat": {"driver": "julabo"},
    },
    "watlow and omega": {
        "thermostat": {"driver": "watlow_modbus", "settings": {"emulate": "rtu"}},
        "exchange_thermostat": {"driver": "omega_modbus"},
    },
    "julabo and eurotherm": {
        "thermostat": {"driver": "julabo"},
        "exchange_thermostat": {"driver": "eurotherm_modbus", "settings": {"emulate": "rtu"}},
    },
}


def run(instruments):
    station = create_station("flow_synthesis", {"hidden": 11, "instruments": instruments})
    parameters = station.description.parameters
    plain = {p.name: p.default for p in parameters if p.when is None}
    with_salt = {p.name: p.default for p in parameters}
    station.open()
    try:
        return [
            station.run({**(with_salt if "halide_salt" in r else plain), **r}, AttemptKey(i, 1))
            for i, r in enumerate(RECIPES, 1)
        ]
    finally:
        station.close()


@pytest.fixture(scope="module")
def simulated():
    return run({})


@pytest.mark.parametrize("name", WIRED)
def test_a_heated_trial_through_the_wire_is_the_simulated_one_bit_by_bit(simulated, name):
    for plain, real in zip(simulated, run(WIRED[name]), strict=True):
        assert plain.achieved == real.achieved
        assert plain.conditions == real.conditions
        for ours, theirs in zip(plain.spectra, real.spectra, strict=True):
            assert np.array_equal(ours.values, theirs.values), ours.name
        who = {i["instrument"]: i for i in real.identities}
        for part, said in WIRED[name].items():
            assert who[part]["driver"] == said["driver"]
            assert who[part]["verified_on_hardware"] is False


def test_the_recipe_waits_for_its_temperature(simulated):
    """If the line were hot at once, the wait for the temperature would not be tried."""
    assert simulated[0].achieved["temperature"] == pytest.approx(90.0, abs=0.5)


def test_a_recipe_above_the_stations_highest_moves_nothing_hot():
    wires = {"thermostat": {"driver": "eurotherm_modbus", "settings": {"highest": 80.0}}}
    with pytest.raises(InstrumentError, match="at most 80 degC"):
        run(wires)
