import threading
from time import monotonic

import pytest
from heaters import PARTS, Late, Wired, no_wrong_temperature

from instruments.bench import Bench
from instruments.capabilities import Thermostat
from instruments.drivers.modbus import TRIES, ModbusWire, is_serial
from instruments.emulators.faults import WIRE, ScriptedFaults
from instruments.errors import (
    DeviceError,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceTimeoutError,
    InstrumentError,
)
from instruments.stopping import make_safe
from instruments.wiring import Wiring

DRIVERS = ("eurotherm_modbus", "omega_modbus", "watlow_modbus")
WIRES = ("tcp", "rtu")
# each of the five takes seconds on a serial line, which waits after a failure
FAULTS = [(kind, "tcp") for kind in WIRE] + [
    (kind, "rtu")
    if kind in ("garbage", "late")
    else pytest.param(kind, "rtu", marks=pytest.mark.slow)
    for kind in WIRE
]
EVERY = [(driver, wire) for driver in DRIVERS for wire in WIRES]
SHORT = 0.15  # s of a timeout that a test waits for


@pytest.fixture
def wired(request):
    made = []

    def make(driver="eurotherm_modbus", **more):
        made.append(Wired(driver, **more))
        return made[-1]

    before = threading.active_count()
    yield make
    for one in made:
        one.close()
    assert threading.active_count() == before, "a thread was left behind"


@pytest.mark.parametrize(("driver", "wire"), EVERY)
def test_a_setpoint_reaches_the_heater_in_steps_and_below_zero_too(wired, driver, wire):
    it = wired(driver, emulate=wire)
    for asked, held in ((90.04, 90.0), (89.96, 90.0), (-3.26, -3.3), (0.0, 0.0), (21.3, 21.3)):
        it.device.set_temperature(asked)
        assert it.oven.setpoint == held
        assert it.device.read_temperature() == held


@pytest.mark.parametrize(("driver", "wire"), EVERY)
def test_it_says_what_it_is_and_that_nobody_has_tried_it_on_hardware(wired, driver, wire):
    said = wired(driver, emulate=wire).device.identify()
    assert said["driver"] == driver
    assert said["firmware"] == "0111"
    assert said["simulated"] is True
    assert said["verified_on_hardware"] is False


def test_it_is_ready_by_exactly_one_reading(wired):
    it = wired()
    assert isinstance(it.device, Thermostat)
    it.device.set_temperature(90.0)
    for reading, ready in ((91.0, True), (91.1, False), (88.9, False), (89.0, True)):
        it.oven.reading, it.oven.readings = reading, 0
        assert it.device.ready(1.0) is ready
        assert it.oven.readings == 1


def test_it_is_ready_for_the_setpoint_that_it_holds_where_none_was_set(wired):
    it = wired()
    it.oven.reading = 25.4
    assert it.device.ready()


def test_it_is_safe_and_may_be_made_so_twice(wired):
    it = wired()
    it.device.set_temperature(90.0)
    it.device.to_safe_state()
    it.device.to_safe_state()
    assert it.oven.setpoint == 25.0
    it.device.set_temperature(60.0)
    assert make_safe({"thermostat": it.device}) == {}
    assert it.oven.setpoint == 25.0


@pytest.mark.parametrize("wire", WIRES)
def test_a_stop_reaches_a_heater_whose_answers_are_lost(wired, wire):
    """A stop that asks first and tells later would leave such a heater hot."""
    it = wired(emulate=wire, timeout=SHORT)
    it.device.set_temperature(90.0)
    it.end._wire._faults = ScriptedFaults(1, {"mute": 1.0})
    with pytest.raises(DeviceTimeoutError):
        it.device.read_temperature()
    assert list(make_safe({"thermostat": it.device})) == ["thermostat"]
    assert it.oven.setpoint == 25.0


@pytest.mark.parametrize("asked", [120.1, 120.04, float("nan"), float("inf")])
def test_a_setpoint_above_the_highest_never_reaches_the_wire(wired, asked):
    it = wired(highest=120.0)
    with pytest.raises(InstrumentError, match="at most 120"):
        it.device.set_temperature(asked)
    assert it.told == []


def test_a_reading_above_the_highest_is_a_fault_and_shuts_the_heater_down(wired):
    it = wired(highest=120.0)
    it.device.set_temperature(120.0)
    assert it.device.read_temperature() == 120.0
    it.oven.reading = 120.1
    with pytest.raises(DeviceFaultError, match=r"above its highest.*brought to 25 degC"):
        it.device.ready()
    assert it.oven.setpoint == 25.0


def test_a_heater_that_cannot_be_shut_down_is_said_so(wired):
    it = wired(highest=120.0)
    it.device.set_temperature(90.0)
    it.end.controller.forced = {2: 900}
    it.oven.reading = 130.0
    with pytest.raises(DeviceFaultError, match="NOT be brought to 25 degC.*cut its power"):
        it.device.read_temperature()


def test_highest_must_lie_above_the_safe_setpoint():
    with pytest.raises(InstrumentError, match="highest"):
        Wiring({"thermostat": {"driver": "omega_modbus", "settings": {"highest": 25.0}}}, PARTS)


@pytest.mark.parametrize(
    ("driver", "register", "value", "what"),
    [
        ("eurotherm_modbus", 75, 1 << 5, "sensor break"),
        ("eurotherm_modbus", 75, 1 << 4, "manual mode"),
        ("watlow_modbus", 101, 3, "input error"),
        ("omega_modbus", 0x1000, 0x8003, "sensor not connected"),
    ],
)
def test_a_controller_that_reports_a_fault_gives_no_reading(wired, driver, register, value, what):
    it = wired(driver)
    it.device.set_temperature(90.0)
    it.end.controller.forced = {register: value}
    with pytest.raises(DeviceFaultError, match=f"{what}.*brought to 25 degC"):
        it.device.read_temperature()
    assert it.oven.setpoint == 25.0


def test_an_alarm_that_says_nothing_of_the_reading_is_no_fault(wired):
    it = wired()
    it.end.controller.forced = {75: 1 << 0 | 1 << 12}
    assert it.device.read_temperature() == 25.0


def test_a_setpoint_that_is_not_held_is_a_fault(wired):
    it = wired()
    it.end.controller.forced = {2: 850}
    with pytest.raises(
        DeviceFaultError, match="must hold the 90 degC.*reads back 85 degC|means 25"
    ):
        it.device.set_temperature(90.0)


@pytest.mark.parametrize(
    ("driver", "register", "value"),
    [
        ("watlow_modbus", 606, 0),  # whole degrees
        ("watlow_modbus", 901, 0),  # degrees Fahrenheit
        ("eurotherm_modbus", 2, 25),  # whole degrees: the IEEE setpoint says 25 degC still
    ],
)
def test_a_controller_that_counts_otherwise_is_not_accepted(wired, driver, register, value):
    it = wired(driver)
    it.end.controller.forced = {register: value}
    with pytest.raises(DeviceFaultError, match="configure"):
        it.device.identify()


@pytest.mark.parametrize("wire", WIRES)
def test_an_illegal_value_is_refused_and_changes_nothing(wired, wire):
    """pymodbus returns the refusal; taken for an answer, the heater would be thought hot."""
    it = wired(emulate=wire, highest=2000.0)
    it.device.set_temperature(90.0)
    with pytest.raises(DeviceRefusedError, match="ILLEGAL_VALUE"):
        it.device.set_temperature(1500.0)
    assert it.oven.setpoint == 90.0
    assert it.device.read_temperature() == 90.0


def test_a_register_that_is_not_there_is_refused(wired):
    with pytest.raises(DeviceRefusedError, match="ILLEGAL_ADDRESS"):
        wired().device.wire.read(4000)


@pytest.mark.parametrize("wire", WIRES)
def test_a_busy_controller_is_asked_again_but_not_for_ever(wired, wire):
    it = wired(emulate=wire)
    it.end.controller.busy = TRIES - 1
    it.device.set_temperature(90.0)
    assert it.oven.setpoint == 90.0
    it.end.controller.busy = TRIES
    with pytest.raises(DeviceRefusedError, match="busy"):
        it.device.set_temperature(60.0)
    assert it.oven.setpoint == 90.0


@pytest.mark.parametrize(("kind", "wire"), FAULTS)
def test_a_fault_on_the_wire_is_an_error_and_never_a_wrong_temperature(wired, kind, wire):
    it = wired(timeout=SHORT, faults={"seed": 5, kind: 0.15}, emulate=wire)
    no_wrong_temperature(it)


def _after_a_late_reading(it, what):
    """Read 90.3 degC, whose answer is late, then with `what` for it while the oven has 25.0."""
    it.end._wire._faults = Late("keep", what)
    it.oven.reading = 90.3
    with pytest.raises(DeviceTimeoutError):
        it.device.wire.read(1)
    it.oven.reading = 25.0
    return it.device.wire.read(1)


def test_over_tcp_the_transaction_number_tells_a_late_answer(wired):
    """The same bytes under the new number are believed: nothing but the number protects."""
    assert _after_a_late_reading(wired(timeout=SHORT), "old before new") == [250]
    with pytest.raises(DeviceTimeoutError):
        _after_a_late_reading(wired(timeout=SHORT), "old alone")
    assert _after_a_late_reading(wired(timeout=SHORT), "old as new") == [903]


def test_a_connection_outlives_silence_but_not_half_a_frame(wired):
    """Half a frame must not be read on; after mere silence numbers suffice."""
    it = wired(timeout=SHORT)
    before = it.device.wire._client.socket
    it.end._wire._faults = Late("keep")
    with pytest.raises(DeviceTimeoutError):
        it.device.wire.read(1)
    assert it.device.wire.read(1) == [250]
    assert it.device.wire._client.socket is before
    it.end._wire._faults = Half()
    with pytest.raises(DeviceTimeoutError):
        it.device.wire.read(1)
    assert it.device.wire.read(1) == [250]
    assert it.device.wire._client.socket is not before


class Half:
    def __init__(self):
        self.done = False

    def spoil(self, request, answer):
        reply, half = answer(request), not self.done
        self.done = True
        return reply[: len(reply) // 2] if half else reply


@pytest.mark.parametrize("plan", [("old alone",), ("old before new",), ("keep", "old alone")])
def test_on_a_serial_line_a_late_answer_is_never_taken_for_the_next(wired, plan):
    it = wired(timeout=SHORT, emulate="rtu")
    it.end._wire._faults = Late("keep", *plan)
    it.oven.reading = 90.3
    with pytest.raises(DeviceTimeoutError):
        it.device.wire.read(1)
    it.oven.reading = 25.1
    for _ in range(4):
        try:
            assert it.device.wire.read(1) == [251]
        except DeviceError:
            continue
    assert it.device.wire.read(1) == [251]


@pytest.mark.parametrize("wire", WIRES)
def test_a_controller_that_dies_is_unknown_within_its_timeout(wired, wire):
    it = wired(timeout=0.3, emulate=wire)
    it.device.set_temperature(90.0)
    it.end.die()
    for act in (it.device.read_temperature, it.device.to_safe_state):
        began = monotonic()
        with pytest.raises(DeviceTimeoutError, match="unknown"):
            act()
        assert monotonic() - began < 3.0
    problems = make_safe({"thermostat": it.device})
    assert list(problems) == ["thermostat"]


def test_a_host_that_hangs_up_is_unknown_at_once_and_then_connected_anew(wired):
    it = wired()
    it.device.set_temperature(90.0)
    it.end._wire.hang_up()
    began = monotonic()
    with pytest.raises(DeviceTimeoutError):
        it.device.read_temperature()
    assert monotonic() - began < 0.9
    assert it.device.read_temperature() == 90.0


def test_a_wire_that_is_closed_is_not_opened_again(wired):
    it = wired()
    it.device.close()
    it.device.close()
    with pytest.raises(DeviceTimeoutError, match="closed"):
        it.device.read_temperature()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "/dev/no-such-port"])
def test_what_cannot_be_opened_is_said_so(address):
    with pytest.raises(InstrumentError, match="can be opened"):
        ModbusWire(address, unit=1, probe=2, timeout=0.2)


def test_an_address_tells_its_kind_of_wire():
    assert is_serial("/dev/ttyUSB0")
    assert is_serial("COM3")
    assert not is_serial("10.0.0.7")
    assert not is_serial("oven.lab:502")


def test_a_device_that_is_absent_is_named():
    said = {"driver": "watlow_modbus", "timeout": SHORT, "absent": ["thermostat"]}
    bench = Bench(Wiring({"thermostat": said}, PARTS), {})
    try:
        with pytest.raises(InstrumentError, match="thermostat: .*within"):
            bench.open_whole()
    finally:
        bench.close()
