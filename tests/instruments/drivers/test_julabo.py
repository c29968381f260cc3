import threading
from time import monotonic

import pytest
from heaters import Late, Wired, no_wrong_temperature

from instruments.capabilities import Thermostat
from instruments.drivers.julabo import AFTER_OUT, Julabo
from instruments.emulators.faults import WIRE, ScriptedFaults
from instruments.errors import (
    DeviceError,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceTimeoutError,
    InstrumentError,
)
from instruments.stopping import make_safe

SHORT = 0.15  # s of a timeout that a test waits for


@pytest.fixture
def wired():
    made = []

    def make(**more):
        made.append(Wired("julabo", **more))
        return made[-1], made[-1].end.emulator

    before = threading.active_count()
    yield make
    for one in made:
        one.close()
    assert threading.active_count() == before, "a thread was left behind"


def test_a_setpoint_reaches_the_bath_in_steps_and_starts_it(wired):
    it, bath = wired()
    assert not bath.running
    for asked, held in ((90.04, 90.0), (89.96, 90.0), (-3.26, -3.3), (0.0, 0.0), (21.3, 21.3)):
        it.device.set_temperature(asked)
        assert bath.running
        assert it.oven.setpoint == held
        assert it.device.read_temperature() == held


def test_it_says_what_it_is_and_that_nobody_has_tried_it_on_hardware(wired):
    it, _ = wired()
    assert isinstance(it.device, Thermostat)
    said = it.device.identify()
    assert said["model"] == "JULABO EMULATED CIRCULATOR"
    assert said["firmware"] == "1.0"
    assert said["simulated"] is True
    assert said["verified_on_hardware"] is False


def test_it_is_ready_by_exactly_one_reading(wired):
    it, _ = wired()
    it.device.set_temperature(90.0)
    for reading, ready in ((91.0, True), (91.1, False), (88.9, False)):
        it.oven.reading, it.oven.readings = reading, 0
        assert it.device.ready(1.0) is ready
        assert it.oven.readings == 1


def test_it_is_safe_and_may_be_made_so_twice(wired):
    it, _ = wired()
    it.device.to_safe_state()
    it.device.set_temperature(90.0)
    it.device.to_safe_state()
    it.device.to_safe_state()
    assert it.oven.setpoint == 25.0
    it.device.set_temperature(60.0)
    assert make_safe({"thermostat": it.device}) == {}
    assert it.oven.setpoint == 25.0


def test_a_stop_reaches_a_bath_whose_answers_are_lost(wired):
    """A stop that asks first and tells later would leave such a bath hot."""
    it, _ = wired(timeout=SHORT)
    it.device.set_temperature(90.0)
    it.end._server._faults = ScriptedFaults(1, {"mute": 1.0})
    with pytest.raises(DeviceTimeoutError):
        it.device.read_temperature()
    assert list(make_safe({"thermostat": it.device})) == ["thermostat"]
    assert it.oven.setpoint == 25.0


def test_a_setpoint_above_the_highest_never_reaches_the_wire(wired):
    it, _ = wired(highest=120.0)
    with pytest.raises(InstrumentError, match="at most 120"):
        it.device.set_temperature(120.1)
    assert it.told == []


def test_a_reading_above_the_highest_is_a_fault_and_shuts_the_heater_down(wired):
    it, _ = wired(highest=120.0)
    it.device.set_temperature(120.0)
    it.oven.reading = 120.1
    with pytest.raises(DeviceFaultError, match=r"above its highest.*brought to 25 degC"):
        it.device.ready()
    assert it.oven.setpoint == 25.0


def test_a_value_out_of_its_range_is_refused_and_changes_nothing(wired):
    """The circulator answers nothing to it; only its status tells."""
    it, _ = wired(highest=2000.0)
    it.device.set_temperature(90.0)
    for asked, said in ((1500.0, "VALUE TOO LARGE"), (-80.0, "VALUE TOO SMALL")):
        with pytest.raises(DeviceRefusedError, match=said):
            it.device.set_temperature(asked)
        assert it.oven.setpoint == 90.0
        assert it.device.read_temperature() == 90.0


def test_a_circulator_in_manual_mode_refuses(wired):
    it, bath = wired()
    bath.remote = False
    with pytest.raises(DeviceRefusedError, match="NOT ALLOWED"):
        it.device.set_temperature(90.0)
    assert it.oven.setpoint == 25.0


@pytest.mark.parametrize("alarm", ["-01 LOW LEVEL ALARM", "-05 WORKING SENSOR ALARM"])
def test_an_alarm_gives_no_reading_and_shuts_the_heater_down(wired, alarm):
    it, bath = wired()
    it.device.set_temperature(90.0)
    bath.alarm = alarm
    with pytest.raises(DeviceFaultError, match=f"{alarm}.*brought to 25 degC"):
        it.device.read_temperature()
    assert it.oven.readings == 0
    assert not bath.running


def test_an_alarm_keeps_it_from_being_started(wired):
    it, bath = wired()
    bath.alarm = "-01 LOW LEVEL ALARM"
    with pytest.raises(DeviceFaultError, match="must run"):
        it.device.set_temperature(90.0)
    assert it.oven.setpoint == 25.0


def test_a_setpoint_that_is_not_held_is_a_fault(wired):
    it, bath = wired()
    bath.stuck = True
    with pytest.raises(DeviceFaultError, match="must hold the 90 degC.*reads back 25 degC"):
        it.device.set_temperature(90.0)


@pytest.mark.parametrize("kind", WIRE)
def test_a_fault_on_the_wire_is_an_error_and_never_a_wrong_temperature(wired, kind):
    it, _ = wired(timeout=SHORT, faults={"seed": 5, kind: 0.05 if kind == "end_of_file" else 0.12})
    no_wrong_temperature(it)


@pytest.mark.parametrize("plan", ["old alone", "old before new"])
def test_a_late_answer_is_never_taken_for_the_next(wired, plan):
    it, _ = wired(timeout=SHORT)
    it.device.set_temperature(90.0)
    it.oven.reading = 90.3
    it.end._server._faults = Late("pass", "keep", plan)
    with pytest.raises(DeviceTimeoutError):
        it.device.read_temperature()
    it.oven.reading = 25.1
    for _ in range(4):
        try:
            assert it.device.read_temperature() == 25.1
        except DeviceError:
            continue
    assert it.device.read_temperature() == 25.1


def test_a_circulator_that_dies_is_unknown_within_its_timeout(wired):
    it, _ = wired(timeout=0.3)
    it.device.set_temperature(90.0)
    it.end.close()
    for act in (it.device.read_temperature, it.device.to_safe_state):
        began = monotonic()
        with pytest.raises(DeviceTimeoutError, match="unknown"):
            act()
        assert monotonic() - began < 3.0


class Counting:
    """A wire that answers at once, and keeps when it was asked."""

    name, timeout = "counting", 1.0

    def __init__(self):
        self.asked = []

    def exchange(self, request, end):
        self.asked.append((monotonic(), request))
        return {b"status\r\n": b"03 REMOTE START\r\n"}.get(request, b"90.00\r\n")

    def tell(self, request):
        self.asked.append((monotonic(), request))

    def close(self):
        pass


def test_a_real_circulator_is_given_its_rest_after_a_command():
    """Without 250 ms of rest a real one drops the command that follows."""
    wire = Counting()
    Julabo("bath", wire, 200.0, emulated=False).set_temperature(90.0)
    (told, what), (next_one, _) = wire.asked[:2]
    assert what == b"out_sp_00 90.0\r\n"
    assert next_one - told >= AFTER_OUT
