"""One station for several callers: never two runs at once, and a cancelled one leaves it safe."""

import threading

import pytest

from instruments import create_station
from instruments.errors import DeviceTimeoutError, InstrumentError, StationStoppedError
from instruments.serving.runner import (
    BusyError,
    CancelledError,
    NotReadyError,
    StationRunner,
    checked_recipe,
)
from instruments.station import AttemptKey

KEY = AttemptKey(1, 1)


class Slow:
    """A station that waits at a step until it is let go on, and counts what was asked of it."""

    def __init__(self):
        self.told, self.at_step, self.go_on = [], threading.Event(), threading.Event()
        self.error = None

    def open(self):
        self.told.append("open")

    def run(self, recipe, key, progress):
        progress("first")
        self.at_step.set()
        assert self.go_on.wait(10.0)
        progress("second")
        if self.error is not None:
            raise self.error
        return "measurement"

    def analyse(self, measurement):
        return "analysis"

    def close(self):
        self.told.append("close")


def running(runner, station):
    """Begin a run in a thread; return the thread and where its outcome comes."""
    outcome = []

    def run():
        try:
            outcome.append(runner.run({}, KEY, lambda text: None))
        except InstrumentError as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert station.at_step.wait(10.0)
    return thread, outcome


def test_a_second_run_is_refused_while_one_is_under_way():
    station = Slow()
    runner = StationRunner(station, 1.0)
    thread, outcome = running(runner, station)
    assert runner.state == "running"
    with pytest.raises(BusyError):
        runner.run({}, KEY, lambda text: None)
    station.go_on.set()
    thread.join()
    assert outcome == [("measurement", "analysis")]
    assert (runner.state, station.told) == ("idle", ["open"])


def test_a_cancelled_run_ends_at_its_next_step_and_the_station_is_closed():
    station = Slow()
    runner = StationRunner(station, 1.0)
    assert runner.cancel() is False
    thread, outcome = running(runner, station)
    assert runner.cancel() is True
    station.go_on.set()
    thread.join()
    assert isinstance(outcome[0], CancelledError)
    assert station.told == ["open", "close"]
    station.at_step.clear()
    assert runner.run({}, KEY, lambda text: None) == ("measurement", "analysis"), "still cancelled"


def test_the_safe_state_ends_a_run_first():
    station = Slow()
    runner = StationRunner(station, 10.0)
    thread, outcome = running(runner, station)
    threading.Timer(0.05, station.go_on.set).start()
    runner.make_safe()
    thread.join()
    assert isinstance(outcome[0], CancelledError)
    assert station.told == ["open", "close"]


def test_a_run_that_does_not_end_is_not_said_to_be_safe():
    station = Slow()
    runner = StationRunner(station, 0.05)
    thread, _ = running(runner, station)
    with pytest.raises(StationStoppedError, match="still at one step"):
        runner.make_safe()
    station.go_on.set()
    thread.join()


def test_after_a_lost_device_the_station_is_made_safe():
    station = Slow()
    station.error = DeviceTimeoutError("the pump is silent")
    station.go_on.set()
    runner = StationRunner(station, 1.0)
    with pytest.raises(DeviceTimeoutError):
        runner.run({}, KEY, lambda text: None)
    assert station.told == ["open", "close"]


def test_a_stopped_station_waits_for_a_person():
    station = Slow()
    station.error = StationStoppedError("the vessel does not warm")
    station.go_on.set()
    runner = StationRunner(station, 1.0)
    with pytest.raises(StationStoppedError, match="warm"):
        runner.run({}, KEY, lambda text: None)
    assert runner.state == "stopped"
    station.error = None
    with pytest.raises(StationStoppedError, match="needs a person"):
        runner.run({}, KEY, lambda text: None)
    runner.make_safe()
    assert runner.run({}, KEY, lambda text: None) == ("measurement", "analysis")


def test_a_station_that_cannot_be_opened_has_moved_nothing():
    part = {"driver": "harvard_elite11", "timeout": 0.1, "absent": ["toluene"]}
    runner = StationRunner(create_station("flow_synthesis", {"instruments": {"pumps": part}}), 1.0)
    with pytest.raises(NotReadyError, match="toluene"):
        runner.run({}, KEY, lambda text: None)
    assert runner.state == "idle"


def test_amounts_come_as_text_in_the_declared_units():
    station = create_station("topo_batch")
    assert checked_recipe(
        station, {"caesium_ligand": ("oleate", ""), "temperature": ("60", "degC")}
    ) == {"caesium_ligand": "oleate", "temperature": 60.0}
    with pytest.raises(ValueError, match=r"'degC', but came in 'K'.*one of caesium_ligand"):
        checked_recipe(station, {"temperature": ("333", "K"), "colour": ("green", "")})
    with pytest.raises(ValueError, match="must be a number"):
        checked_recipe(station, {"temperature": ("warm", "degC")})
