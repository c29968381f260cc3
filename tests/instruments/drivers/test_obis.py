"""A laser emits only without a fault, and is dark in its safe state."""

import pytest

from instruments.capabilities import Laser
from instruments.drivers.coherent_obis import CoherentObis, ObisEnd
from instruments.drivers.trials import BeamStandIn
from instruments.drivers.visa import VisaLink
from instruments.emulators.coherent_obis import ObisEmulator
from instruments.errors import DeviceFaultError, DeviceRefusedError, InstrumentError

STATIC = """
spec: "1.1"
devices:
  obis:
    eom:
      ASRL INSTR: {q: "\\r\\n", r: "\\r\\n"}
    dialogues:
      - {q: "*IDN?", r: "Coherent, Inc - OBIS 405nm 50mW LX - V1.0.1 - Dec 14 2010\\r\\nOK"}
      - {q: "SYSTem:INFormation:SNUMber?", r: "12345\\r\\nOK"}
      - {q: "SYSTem:FAULt?", r: "00000001\\r\\nOK"}
    properties:
      power:
        default: 0.001
        getter: {q: "SOURce:POWer:LEVel:IMMediate:AMPLitude?", r: "{:.6g}\\r\\nOK"}
        setter: {q: "SOURce:POWer:LEVel:IMMediate:AMPLitude {:f}", r: "OK", e: "ERR-220"}
        specs: {min: 0.001, max: 0.055, type: float}
    error: "ERR-100"
resources:
  ASRL1::INSTR: {device: obis}
"""


@pytest.fixture
def bench():
    beam, emulator = BeamStandIn(), ObisEmulator("laser")
    emulator.attach({"laser": beam}, lambda: 0.0)
    end = ObisEnd(emulator, {})
    laser = CoherentObis("laser", VisaLink(end.address, timeout=0.5), 50.0, emulated=True)
    yield laser, beam, emulator
    laser.close()
    end.close()


def test_it_is_a_laser(bench):
    assert isinstance(bench[0], Laser)
    assert bench[0].identify()["serial"] == "EMULATED-1"


def test_a_power_is_not_emitted_before_it_is_switched_on(bench):
    laser, beam, _ = bench
    laser.set_power(12.5)
    assert beam.power == 0.0
    laser.switch_on()
    assert beam.power == pytest.approx(12.5)
    assert laser.read_power() == pytest.approx(12.5)
    assert laser.emitting()


def test_an_open_interlock_refuses_to_switch_on(bench):
    laser, beam, emulator = bench
    laser.set_power(10.0)
    emulator.open_interlock()
    with pytest.raises(DeviceFaultError, match="interlock"):
        laser.switch_on()
    assert beam.power == 0.0


def test_an_interlock_that_opens_puts_it_out(bench):
    laser, beam, emulator = bench
    laser.set_power(10.0)
    laser.switch_on()
    emulator.open_interlock()
    assert beam.power == 0.0
    assert not laser.emitting()
    assert laser.fault() == 1


def test_a_power_of_zero_or_above_the_stations_is_refused(bench):
    laser, _, _ = bench
    for power in (0.0, 51.0, float("nan")):
        with pytest.raises(InstrumentError, match="at most 50 mW"):
            laser.set_power(power)


def test_the_dialogue_holds_on_the_static_simulator_of_pyvisa(tmp_path):
    pytest.importorskip("pyvisa_sim")
    file = tmp_path / "obis.yaml"
    file.write_text(STATIC)
    link = VisaLink("ASRL1::INSTR", backend=f"{file}@sim", timeout=0.5)
    laser = CoherentObis("laser", link, 100.0, emulated=True)
    try:
        assert laser.identify()["model"] == "OBIS 405nm 50mW LX"
        laser.set_power(20.0)
        with pytest.raises(DeviceRefusedError, match="ERR-220"):
            laser.set_power(90.0)
        with pytest.raises(DeviceFaultError, match="interlock"):
            laser.switch_on()
    finally:
        laser.close()
