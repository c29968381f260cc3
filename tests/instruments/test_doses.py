"""A dose is what a counter says where that can be true, and bounds where it cannot."""

import pytest

from instruments.doses import Dose, DoseMeter, total
from instruments.errors import DeviceTimeoutError
from instruments.metered import MeteredPump


class Pump:
    """Counts what it was told to move."""

    limits = None

    def __init__(self):
        self.time, self.flow, self.count, self.silent, self.deaf = 0.0, 0.0, 0.0, False, False

    def set_flow(self, flow):
        if not self.deaf:
            self.flow = flow
        if self.silent:
            raise DeviceTimeoutError("no answer")

    def stop(self):
        self.set_flow(0.0)

    def infused(self):
        if self.silent:
            raise DeviceTimeoutError("no answer")
        return self.count

    def wait(self, seconds):
        self.time += seconds
        self.count += self.flow * seconds


@pytest.fixture
def pump():
    return Pump()


@pytest.fixture
def metered(pump):
    return MeteredPump(pump, pump, lambda: pump.time)


@pytest.fixture
def meter(metered):
    found = DoseMeter()
    found.begin("first", {"ink": metered}, {"ink": 1000.0})
    return found


def test_a_counter_that_agrees_is_the_dose(pump, metered, meter):
    metered.set_flow(2.0)
    pump.wait(100.0)
    metered.stop()
    assert meter.end({"ink": metered}) == {"ink": Dose(200.0, 200.0)}


def test_a_counter_that_restarted_leaves_the_dose_in_doubt(pump, metered, meter):
    metered.set_flow(2.0)
    pump.wait(100.0)
    pump.count = 0.0  # at the very first run, a lost count does not even fall
    metered.stop()
    assert meter.end({"ink": metered}) == {"ink": Dose(0.0, 200.0)}
    assert meter.settle({"ink": metered}) == {}


def test_a_silent_pump_tells_later(pump, metered, meter):
    metered.set_flow(2.0)
    pump.wait(100.0)
    pump.silent = True
    with pytest.raises(DeviceTimeoutError):
        metered.stop()
    assert meter.end({"ink": metered}) == {"ink": Dose(200.0, 200.0)}
    pump.silent = False
    assert meter.settle({"ink": metered}) == {"first": {"ink": Dose(200.0, 200.0)}}


@pytest.mark.parametrize("heard", [True, False])
def test_a_command_that_was_not_confirmed_leaves_two_bounds(pump, metered, meter, heard):
    metered.set_flow(2.0)
    pump.wait(100.0)
    pump.silent, pump.deaf = True, not heard
    pump.flow = 2.0
    with pytest.raises(DeviceTimeoutError):
        metered.set_flow(1.0 if heard else 3.0)
    pump.wait(100.0)
    pump.flow = 0.0
    low, high = (300.0, 400.0) if heard else (400.0, 500.0)
    assert meter.end({"ink": metered}) == {"ink": Dose(low, high)}
    pump.silent = False
    known = 300.0 if heard else 400.0
    assert meter.settle({"ink": metered}) == {"first": {"ink": Dose(known, known)}}


def test_a_counter_below_what_was_told_is_doubted(pump, metered, meter):
    metered.set_flow(2.0)
    pump.wait(100.0)
    pump.count -= 50.0  # it stalled for a while, or restarted on the way: nobody knows
    metered.stop()
    assert meter.end({"ink": metered}) == {"ink": Dose(150.0, 200.0)}


def test_doses_add_up_with_their_doubts():
    found = total([{"a": Dose(1.0, 1.0)}, {"a": Dose(0.0, 2.0), "b": Dose(3.0, 3.0)}])
    assert found == {"a": Dose(1.0, 3.0), "b": Dose(3.0, 3.0)}
