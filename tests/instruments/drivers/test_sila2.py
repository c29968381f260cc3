"""Drivers of SiLA 2 devices on emulated servers, and on the reference implementation's server."""

import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from queue import Queue
from time import monotonic

import numpy as np
import pytest

pytest.importorskip("sila2", reason="SiLA 2 needs the library sila2 (extra `sila`)")
from heaters import Wired
from sila2.framework import Feature
from sila2.framework.command.execution_info import CommandExecutionStatus
from sila2.server import FeatureImplementationBase, SilaServer
from sila2.server.encryption import generate_self_signed_certificate

from instruments import create_station
from instruments.bench import Bench
from instruments.capabilities import FlowLimits, Pump, Thermostat
from instruments.drivers import sila2_pumps
from instruments.drivers.sila2_temperature import SilaThermostat
from instruments.drivers.sila_link import Encrypted, SilaLink
from instruments.drivers.trials import FlowStandIn
from instruments.emulators.sila2 import DOSING, TEMPERATURE
from instruments.emulators.sila_server import definition
from instruments.errors import (
    DeviceFaultError,
    DeviceRefusedError,
    DeviceTimeoutError,
    InstrumentError,
)
from instruments.station import AttemptKey
from instruments.stopping import WITHIN, make_safe
from instruments.wiring import Wiring

LIMITS = FlowLimits(0.005, 20.0)
NAMES = ("lead", "toluene")


class Pumps:
    """Two pumps on emulated servers."""

    def __init__(self, **said):
        self.liquids = {n: FlowStandIn(LIMITS) for n in NAMES}
        part = {"driver": "sila2_pumps", "timeout": 1.0, **said}
        self.bench = Bench(
            Wiring({"pumps": part}, {"pumps": NAMES}), {"pumps": dict.fromkeys(NAMES, LIMITS)}
        )
        self.bench.open(identify=False)
        assert not any(r.problem for r in self.bench.reached)
        self.bench.attach({"pumps": self.liquids}, lambda: 0.0)
        self.devices = self.bench.devices["pumps"]
        self.end = self.bench._ends["pumps"]


@pytest.fixture
def pumps():
    made = []

    def make(**said):
        made.append(Pumps(**said))
        return made[-1]

    before = set(threading.enumerate())
    yield make
    for one in made:
        one.bench.close()
        one.bench.close()
    left = set(threading.enumerate()) - before
    for thread in left:  # gRPC ends its own a moment after the call that needed them
        thread.join(2.0)
    assert not any(t.is_alive() for t in left), "a thread was left behind"


@pytest.fixture
def oven():
    made = Wired("sila2_temperature")
    yield made
    made.close()


def test_a_flow_reaches_the_pump_that_it_was_meant_for_to_the_last_bit(pumps):
    it = pumps()
    flow = 3.5412345678901234
    assert isinstance(it.devices["toluene"], Pump)
    it.devices["toluene"].set_flow(flow)
    assert it.liquids["toluene"].flow == flow
    assert it.liquids["lead"].flow == 0.0
    assert it.devices["toluene"].read_flow() == flow


def test_a_pump_that_counts_in_another_unit_is_told_ours(pumps):
    """CETONI's pumps count in ml/s until told: 3 of these would be a thousandfold flow."""
    it = pumps()
    assert it.end.servers["lead"].unit == ("ml", "s")
    it.devices["lead"].set_flow(3.0)
    assert it.end.servers["lead"].unit == ("ul", "s")
    assert it.liquids["lead"].flow == 3.0


def test_a_pump_that_lost_its_power_gives_no_flow_in_the_wrong_unit(pumps):
    it = pumps()
    it.devices["lead"].set_flow(3.0)
    it.end.servers["lead"].unit = ("ml", "min")
    with pytest.raises(DeviceFaultError, match="ul/s"):
        it.devices["lead"].read_flow()
    it.devices["lead"].set_flow(2.0)
    assert it.liquids["lead"].flow == 2.0


def test_a_pump_that_does_not_reach_its_flow_is_a_fault(pumps, monkeypatch):
    monkeypatch.setattr(sila2_pumps, "SETTLING", 0.05)
    it = pumps()
    it.devices["lead"].set_flow(3.0)
    it.end.servers["lead"].deaf = True
    with pytest.raises(DeviceFaultError, match="must deliver the 5 µL/s"):
        it.devices["lead"].set_flow(5.0)
    with pytest.raises(DeviceFaultError, match="must deliver the 0 µL/s"):
        it.devices["lead"].to_safe_state()


def test_a_flow_that_the_pump_itself_does_not_take_is_refused(pumps):
    it = pumps()
    it.devices["lead"].set_flow(3.0)
    it.liquids["lead"].limits = FlowLimits(0.005, 10.0)
    with pytest.raises(DeviceRefusedError, match="out of range"):
        it.devices["lead"].set_flow(15.0)
    assert it.liquids["lead"].flow == 3.0


def test_a_stop_reaches_the_living_pump_beside_a_dead_one(pumps):
    it = pumps(absent=["lead"], timeout=0.5)
    it.devices["toluene"].set_flow(3.0)
    began = monotonic()
    assert list(make_safe(it.devices)) == ["lead"]
    assert monotonic() - began < 2.0 * WITHIN
    assert it.liquids["toluene"].flow == 0.0


def test_a_server_that_dies_is_unknown_within_its_timeout(pumps):
    it = pumps(timeout=0.3)
    it.devices["lead"].set_flow(3.0)
    it.end.close()
    for act in (it.devices["lead"].read_flow, it.devices["lead"].to_safe_state):
        began = monotonic()
        with pytest.raises(DeviceTimeoutError, match="unknown"):
            act()
        assert monotonic() - began < 2.0


def test_every_pump_needs_a_server(pumps):
    part = {"driver": "sila2_pumps", "address": "10.0.0.7:50052"}
    bench = Bench(Wiring({"pumps": part}, {"pumps": NAMES}), {"pumps": {}})
    bench.open()
    assert all("a server for each of lead, toluene" in r.problem for r in bench.reached)


def test_a_temperature_goes_out_in_kelvins_and_comes_back_in_tenths(oven):
    assert isinstance(oven.device, Thermostat)
    for asked in (90.04, 30.0, 25.7, 0.3):
        oven.device.set_temperature(asked)
        assert oven.oven.setpoint == round(asked, 1)
        assert oven.device.read_temperature() == round(asked, 1)


def test_what_the_definition_forbids_never_reaches_the_server(oven):
    """The published feature ends at 373 K."""
    oven.device.set_temperature(90.0)
    oven.told.clear()
    with pytest.raises(DeviceRefusedError, match="nothing went over the wire"):
        oven.device.set_temperature(120.0)
    assert oven.told == []
    assert oven.oven.setpoint == 90.0


def test_another_client_that_takes_over_is_a_fault_and_the_heater_is_shut_down(oven):
    oven.device.set_temperature(90.0)
    other = SilaLink(oven.end.address, Encrypted(insecure=True))
    other.begin(TEMPERATURE, "ControlTemperature", 353.15)
    other.close()
    with pytest.raises(DeviceFaultError, match=r"another client.*brought to 25 degC"):
        oven.device.read_temperature()
    assert oven.oven.setpoint == 25.0


def test_a_server_without_the_feature_is_refused(oven):
    with pytest.raises(DeviceRefusedError, match="no de.cetoni"):
        oven.device.wire.get(DOSING, "FlowRate")


def test_a_certificate_that_is_not_there_is_told():
    with pytest.raises(InstrumentError, match="certificate"):
        SilaLink("127.0.0.1:1", Encrypted(certificate="/nowhere.pem"))


class _Heater(FeatureImplementationBase):
    """The feature on the reference implementation's server."""

    def __init__(self, parent_server):
        super().__init__(parent_server)
        self.target, self.ended = None, threading.Event()

    def CurrentTemperature_on_subscription(self, *, metadata):  # noqa: N802
        return None

    def ControlTemperature(self, target, *, metadata, instance):  # noqa: N802
        self.target = target
        instance.begin_execution()
        self.ended.wait(10.0)


@pytest.fixture
def reference(tmp_path, monkeypatch):
    """A thermostat driver on an encrypted server of the library's own, and what it serves."""
    logging.getLogger("sila2").setLevel(logging.ERROR)
    server = SilaServer("Oven", "Oven", "An oven", "2.1", "https://example.org")
    feature = Feature(definition(TEMPERATURE))
    heater = _Heater(server)
    heater._CurrentTemperature_producer_queue = Queue()
    server.set_feature_implementation(feature, heater)
    key, certificate = generate_self_signed_certificate(server.server_uuid, "127.0.0.1")
    file = tmp_path / "server.pem"
    file.write_bytes(certificate)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server.start("127.0.0.1", port, key, certificate, enable_discovery=False)
    link = SilaLink(f"127.0.0.1:{port}", Encrypted(certificate=str(file)))
    yield SilaThermostat("thermostat", link, 230.0, emulated=True), heater
    link.close()
    heater.ended.set()
    server.stop()


def test_the_reference_server_understands_the_driver_over_an_encrypted_wire(reference):
    """Emulator and driver share a hand; this server is by others."""
    device, heater = reference
    said = device.identify()
    assert (said["model"], said["firmware"]) == ("Oven Oven", "2.1")
    device.set_temperature(90.0)
    assert heater.target == 363.15
    heater._CurrentTemperature_producer_queue.put(360.15)
    assert device.read_temperature() == 87.0
    assert not device.ready(1.0)
    assert device._execution is not None
    status = device.wire.status(TEMPERATURE, "ControlTemperature", device._execution)
    assert status is CommandExecutionStatus.running


PARTS = {
    "pumps": {"driver": "sila2_pumps"},
    "thermostat": {"driver": "sila2_temperature"},
    "exchange_thermostat": {"driver": "sila2_temperature"},
}
RECIPES = (
    {"flow_format": "gas_liquid", "flow_velocity": 27.0, "temperature": 90.04},
    {"halide_salt": "ZnI2", "exchange_temperature": 77.77},
)


def _run(instruments):
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


def test_a_flow_line_over_sila_is_the_simulated_one_bit_by_bit():
    for plain, real in zip(_run({}), _run(PARTS), strict=True):
        assert plain.achieved == real.achieved
        assert plain.conditions == real.conditions
        for ours, theirs in zip(plain.spectra, real.spectra, strict=True):
            assert np.array_equal(ours.values, theirs.values), ours.name
        drivers = {i.get("driver") for i in real.identities}
        assert {"sila2_pumps", "sila2_temperature"} <= drivers


def test_one_wire_may_be_asked_from_several_threads(oven):
    oven.device.set_temperature(40.0)
    with ThreadPoolExecutor(4) as workers:
        read = [workers.submit(oven.device.read_temperature) for _ in range(40)]
    assert {r.result() for r in read} == {40.0}
