"""An emergency stop reaches every device that lives, and names those that it could not confirm."""

from time import monotonic

import pytest

from instruments import create_station
from instruments.errors import DeviceFaultError
from instruments.station import AttemptKey
from instruments.stopping import WITHIN, make_safe

HARVARD = "harvard_elite11"


def opened(**part):
    lab = {"instruments": {"pumps": {"driver": "harvard_elite11", "timeout": 1.0, **part}}}
    bench = create_station("flow_synthesis", lab).bench()
    bench.open(identify=False)
    return bench


def test_a_dead_pump_does_not_keep_the_others_running():
    bench = opened(absent=["toluene", "octadecene"])
    try:
        pumps = bench.devices["pumps"]
        alive = {n: p for n, p in pumps.items() if n not in ("toluene", "octadecene")}
        for pump in alive.values():
            pump.set_flow(1.0)
        began = monotonic()
        problems = make_safe(pumps)
        assert monotonic() - began < 2.0 * WITHIN  # generous: machines are shared
        assert set(problems) == {"toluene", "octadecene"}
        assert all(pump.read_flow() == 0.0 for pump in alive.values())
    finally:
        bench.close()


def test_a_lost_telegram_is_asked_again():
    bench = opened(faults={"seed": 1, "spare": 32, "mute": 0.1}, timeout=0.05)
    try:
        assert make_safe(bench.devices["pumps"]) == {}
    finally:
        bench.close()


class Stubborn:
    def to_safe_state(self):
        raise DeviceFaultError("the valve must close, but it is open; close it by hand")


def test_a_device_that_refuses_is_named_with_its_reason():
    assert "by hand" in make_safe({"valve": Stubborn()})["valve"]


def test_a_station_with_dead_devices_names_all_of_them_when_it_is_opened():
    lab = {
        "instruments": {
            "pumps": {
                "driver": "harvard_elite11",
                "timeout": 0.1,
                "absent": ["toluene", "acid_c8"],
            }
        }
    }
    station = create_station("flow_synthesis", lab)
    try:
        station.open()
    except Exception as error:
        assert "toluene" in str(error)
        assert "acid_c8" in str(error)
        assert "lead_bromide" not in str(error)
    else:
        raise AssertionError("a station with dead pumps was opened")
    finally:
        station.close()


@pytest.mark.parametrize(
    ("part", "driver"),
    [
        ("spectrometer", "ocean_hdx"),
        ("thermostat", "eurotherm_modbus"),
        ("exchange_thermostat", "julabo"),
    ],
)
def test_an_absent_device_is_missed_whatever_its_driver(part, driver):
    said = {"driver": driver, "timeout": 0.2, "absent": [part]}
    bench = create_station("flow_synthesis", {"instruments": {part: said}}).bench()
    try:
        bench.open()
        assert bench.reached[0].problem
    finally:
        bench.close()


def test_a_run_that_is_broken_off_leaves_every_driver_safe():
    """As a lost server or a lapsed lease breaks one off, between two steps."""
    station = create_station("flow_synthesis", {"instruments": {"pumps": {"driver": HARVARD}}})
    recipe = {p.name: p.default for p in station.description.parameters if p.when is None}
    running = []

    def progress(text):
        if text == "waiting for steady state":
            pumps = station.devices()
            running.extend(n for n, p in pumps.items() if getattr(p, "wire", None) and moves(p))
            raise RuntimeError("no contact")

    def moves(pump):
        return pump._pump.read_flow() > 0.0

    station.open()
    try:
        with pytest.raises(RuntimeError, match="no contact"):
            station.run(recipe, AttemptKey(1, 1), progress)
        assert running, "no pump ran when it was broken off"
        assert not any(moves(station.devices()[name]) for name in running)
    finally:
        station.close()
