"""Fluigent's controllers: the arithmetic on a double, the rest on the vendor's own simulation."""

import os
from pathlib import Path

import pytest

from instruments.bench import Bench
from instruments.capabilities import FlowLimits, Pump
from instruments.drivers import fluigent
from instruments.drivers.fluigent import Controllers, FluigentPump, Line
from instruments.errors import DeviceFaultError, DeviceTimeoutError, InstrumentError
from instruments.stopping import make_safe
from instruments.wiring import Wiring

LIBRARY = os.environ.get("DOTPILOT_FLUIGENT_LIBRARY", "")
LIMITS = FlowLimits(0.005, 20.0)
NAMES = ("lead", "toluene")
LINES = {
    "lead": {"channel": 0, "resistance": 100.0, "resistance_se": 2.0, "calibrated": "2026-11-02"},
    "toluene": {
        "channel": 1,
        "resistance": 80.0,
        "resistance_se": 1.0,
        "offset": 12.0,
        "calibrated": "2026-11-02",
    },
}


class Channel:
    """A library with one channel that is at its pressure at once, or never."""

    def __init__(self, stuck=False):
        self.pressure, self.stuck, self.opened = 0.0, stuck, 0

    def open(self):
        self.opened += 1

    def call(self, method, *arguments, timeout):
        if method == "channels":
            about = {"controller": 1, "serial": 2, "firmware": 3, "kind": 4}
            return [{**about, "range": (0.0, 2000.0)}]
        if method == "set_pressure":
            self.pressure = self.pressure if self.stuck else arguments[1]
            return None
        return self.pressure

    def close(self):
        pass


def pump(library, limits=LIMITS, **line):
    said = {**LINES["lead"], **line}
    wire = Controllers(library, 1.0)
    return FluigentPump(
        "pump_lead", wire, Line.model_validate(said), limits, 0.001, simulated=True
    )


def test_a_flow_is_its_pressure_over_the_resistance():
    channel = Channel()
    device = pump(channel, resistance=150.0, offset=30.0)
    device.set_flow(4.0)
    assert channel.pressure == pytest.approx(30.0 + 4.0 * 150.0)
    assert device.read_flow() == pytest.approx(4.0)
    device.stop()
    assert channel.pressure == 0.0
    assert device.read_flow() == pytest.approx(-30.0 / 150.0), "a lower reservoir sucks"


def test_what_the_channel_cannot_drive_is_refused_and_changes_nothing():
    """2000 mbar over 150 mbar s/µL are 13.3 µL/s; 2 mbar cannot be told from none."""
    channel = Channel()
    device = pump(channel, resistance=150.0)
    assert device.limits.maximum == pytest.approx(2000.0 / 150.0)
    assert device.limits.minimum == pytest.approx(2.0 / 150.0)
    device.set_flow(4.0)
    for flow in (13.4, 0.01, -1.0):
        with pytest.raises(InstrumentError, match="holds zero or"):
            device.set_flow(flow)
    assert channel.pressure == 600.0


def test_a_pressure_that_is_not_reached_is_a_fault(monkeypatch):
    monkeypatch.setattr(fluigent, "SETTLING", 0.05)
    with pytest.raises(DeviceFaultError, match="must hold 400 mbar within 2 mbar"):
        pump(Channel(stuck=True)).set_flow(4.0)


def test_a_channel_that_is_not_there_and_one_without_range_are_refused():
    with pytest.raises(InstrumentError, match="a channel from 0 to 0"):
        pump(Channel(), channel=1)
    with pytest.raises(InstrumentError, match="leaves nothing"):
        pump(Channel(), offset=2500.0)


def bench(**said):
    part = {
        "driver": "fluigent",
        "address": "simulated",
        "settings": {"library": LIBRARY or "/nowhere/libfgt_SDK.so", "lines": LINES},
        **said,
    }
    made = Bench(
        Wiring({"pumps": part}, {"pumps": NAMES}), {"pumps": dict.fromkeys(NAMES, LIMITS)}
    )
    made.open()
    return made


def test_a_library_that_is_not_there_is_told():
    made = bench(settings={"library": "/nowhere/libfgt_SDK.so", "lines": LINES})
    try:
        assert all("github.com/Fluigent/fgt-SDK" in r.problem for r in made.reached)
    finally:
        made.close()


def test_a_line_without_calibration_is_refused():
    made = bench(settings={"library": "x", "lines": {"lead": LINES["lead"]}})
    try:
        assert all("lines must give each of lead, toluene" in r.problem for r in made.reached)
    finally:
        made.close()


@pytest.fixture
def vendor():
    if not Path(LIBRARY).is_file():
        pytest.skip("Fluigent's library is not here; name it by DOTPILOT_FLUIGENT_LIBRARY")
    made = bench(timeout=5.0)
    assert not any(r.problem for r in made.reached), made.reached
    yield made
    made.close()
    made.close()


def test_the_vendors_simulation_holds_the_pressures_of_two_lines(vendor):
    lead, toluene = vendor.devices["pumps"].values()
    assert isinstance(lead, Pump)
    lead.set_flow(5.0)
    toluene.set_flow(3.0)
    assert lead.read_flow() == pytest.approx(5.0, abs=2.1 / 100.0)
    assert toluene.read_flow() == pytest.approx(3.0, abs=2.1 / 80.0)
    assert make_safe(vendor.devices["pumps"]) == {}
    assert lead.read_flow() == pytest.approx(0.0, abs=2.1 / 100.0)
    said = lead.identify()
    assert said["simulated"] is True and said["verified_on_hardware"] is False
    assert said["serial"].startswith("1000/")
    assert said["resistance"]["calibrated"] == "2026-11-02"


def test_a_library_that_is_killed_is_unknown_and_then_another(vendor):
    lead = vendor.devices["pumps"]["lead"]
    lead.wire._host._process.kill()
    lead.wire._host._process.wait()
    lead.wire._host.open = lambda: None  # as if it died between the look and the call
    with pytest.raises(DeviceTimeoutError, match="unknown"):
        lead.set_flow(5.0)
    del lead.wire._host.open
    lead.set_flow(5.0)
    assert lead.read_flow() == pytest.approx(5.0, abs=2.1 / 100.0)


def test_a_closed_controller_is_not_reached(vendor):
    lead = vendor.devices["pumps"]["lead"]
    lead.close()
    with pytest.raises(InstrumentError, match="closed"):
        lead.set_flow(5.0)
