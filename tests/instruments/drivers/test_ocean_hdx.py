import os
import signal
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from plant_double import PlantDouble

from instruments import create_station
from instruments.capabilities import Lights, Spectrometer
from instruments.drivers.host import DeviceHost
from instruments.drivers.ocean_hdx import OceanHDX, Settings
from instruments.emulators.faults import ScriptedFaults
from instruments.emulators.ocean_hdx import FOOTER, HEADER, NACK, START, VERSION, OceanHdx
from instruments.emulators.tcp import TcpServer
from instruments.errors import (
    DeviceError,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceTimeoutError,
    InstrumentError,
)
from instruments.simulated import spectrometer as simulated
from instruments.simulated.rig import simulated_rig
from instruments.station import AttemptKey

WIRED = {"spectrometer": {"driver": "ocean_hdx"}}
COUNTS = np.arange(2068, dtype=np.float32)


class Detector:
    """Reads a ramp whose height is the exposure, so that a mixed-up spectrum shows."""

    def __init__(self):
        self.scans = []
        self.level = None

    def scan(self, integration_time, averages):
        self.scans.append((round(integration_time * 1e6), averages))
        level = self.level if self.level is not None else len(self.scans)
        return SimpleNamespace(counts=np.minimum(COUNTS + level, 65535.0).astype(np.float32))


class FakeLights:
    def __init__(self):
        self.now, self.seen, self.stuck = ("dark", "line"), [], False

    def set_light(self, light, path="line"):
        self.seen.append((light, path))
        if not self.stuck:
            self.now = (light, path)

    def read_light(self):
        return self.now

    def identify(self):
        return {}

    def to_safe_state(self):
        self.set_light("dark")


class Bench:
    """A driver, its emulator and the wire between them."""

    def __init__(self, faults=None, timeout=1.0, emulator=None):
        self.threads = threading.active_count()
        self.detector, self.lights = Detector(), FakeLights()
        self.emulator = emulator or OceanHdx()
        self.server = TcpServer(self.emulator, faults)
        self.server.attach({"spectrometer": self.detector}, lambda: 0.0)
        host, port = self.server.address.split(":")
        where = (host, int(port), timeout)
        self.host = DeviceHost("spectrometer", "instruments.drivers.ocean_wire:Hdx", where)
        self.device = OceanHDX(
            "spectrometer", self.host, Settings(), timeout=timeout, emulated=True
        )
        self.device.use_lights(self.lights)

    def close(self):
        self.device.close()
        self.server.close()
        assert threading.active_count() <= self.threads, "a thread was left behind"


@pytest.fixture
def bench():
    made = Bench()
    yield made
    made.close()


def wired(*recipes, hidden=11):
    """Measurements of the recipes on the plain line and through the wire."""
    found = []
    for instruments in ({}, WIRED):
        station = create_station("flow_synthesis", {"hidden": hidden, "instruments": instruments})
        plain = {p.name: p.default for p in station.description.parameters if p.when is None}
        station.open()
        try:
            found.append(
                [station.run({**plain, **r}, AttemptKey(i, 1)) for i, r in enumerate(recipes, 1)]
            )
        finally:
            station.close()
    return zip(*found, strict=True)


def test_a_trial_through_the_wire_is_the_simulated_one_bit_by_bit():
    scan = {"flow_format": "gas_liquid", "flow_velocity": 40.0, "scan_positions": 6, "lines": 4}
    same = {"flow_format": "gas_liquid", "flow_velocity": 27.0}
    for plain, real in wired(same, same, scan):
        assert plain.achieved == real.achieved
        assert [s.name for s in plain.spectra] == [s.name for s in real.spectra]
        for ours, theirs in zip(plain.spectra, real.spectra, strict=True):
            assert np.array_equal(ours.values, theirs.values), ours.name
            assert ours.settings == theirs.settings
            assert np.allclose(ours.axis, theirs.axis, rtol=0.0, atol=1e-6)
        who = {i["instrument"]: i for i in real.identities}["spectrometer"]
        assert who["model"] == "Ocean HDX"
        assert who["driver"] == "ocean_hdx"
        assert who["verified_on_hardware"] is False


def test_it_is_what_a_procedure_needs(bench):
    assert isinstance(bench.device, Spectrometer)
    assert isinstance(bench.lights, Lights)
    assert np.allclose(bench.device.wavelengths, np.linspace(350.0, 1000.0, 2068), atol=1e-6)
    assert bench.device.integration_limits == simulated.INTEGRATION_LIMITS
    assert bench.device.identify()["serial"] == "HDX-EMULATED"


def test_what_metrology_is_told_is_what_the_simulated_detector_tells(bench):
    told = {
        "saturation": simulated.SATURATION,
        "read_noise": simulated.READ_NOISE,
        "dark_rate": simulated.DARK_RATE,
        "point_spread": simulated.POINT_SPREAD,
        "excitation": simulated.EXCITATION,
        "longest_integration": simulated.INTEGRATION_LIMITS[1],
        "detection": "front_face",
        **simulated.DYE,
    }
    assert list(bench.device.settings.items()) == list(told.items())


def test_the_first_scan_after_a_change_is_dropped_and_costs_no_exposure(bench):
    first = bench.device.expose(0.02, "lamp")
    again = bench.device.expose(0.02, "lamp")
    longer = bench.device.expose(0.05, "lamp", averages=16)
    assert [e.counts[0] for e in (first, again, longer)] == [1.0, 2.0, 3.0]
    assert bench.detector.scans == [(20_000, 1), (20_000, 1), (50_000, 16)]


def test_a_driver_that_kept_the_first_scan_would_read_the_old_light():
    device, detector = OceanHdx(), Detector()
    device.attach({"spectrometer": detector}, lambda: 0.0)
    read, fresh = [ask(device, 0x00101000) for _ in range(2)]
    ask(device, 0x00110010, (20_000).to_bytes(4, "little"))
    assert read != fresh
    assert ask(device, 0x00101000) == fresh, "the scan from before the change must come first"


def test_the_shortest_and_the_longest_exposure_are_taken(bench):
    for seconds in bench.device.integration_limits:
        assert bench.device.expose(seconds, "dark").integration_time == pytest.approx(seconds)
    assert bench.detector.scans == [(6_000, 1), (10_000_000, 1)]


@pytest.mark.parametrize("wrong", [(0.005, 1), (10.1, 1), (1.0, 0), (1.0, 5001)])
def test_an_exposure_outside_the_limits_never_reaches_wire_or_lights(bench, wrong):
    with pytest.raises(InstrumentError, match="must take"):
        bench.device.expose(wrong[0], "lamp", averages=wrong[1])
    assert bench.detector.scans == bench.lights.seen == []


def test_the_light_shines_during_the_exposure_alone(bench):
    bench.device.expose(0.02, "excitation", "reference_dye")
    assert bench.lights.seen == [("excitation", "reference_dye"), ("dark", "line")]


def test_lights_that_do_not_switch_are_a_fault_and_nothing_is_exposed(bench):
    bench.lights.stuck = True
    with pytest.raises(DeviceFaultError, match="shutters"):
        bench.device.expose(0.02, "excitation")
    assert bench.detector.scans == []


def test_a_saturated_spectrum_comes_as_it_is(bench):
    bench.detector.level = 64_000
    counts = bench.device.expose(0.02, "lamp").counts
    assert counts.max() == bench.device.settings["saturation"]
    assert int((counts == 65535.0).sum()) == 2068 - (65535 - 64_000)


class Refusing(OceanHdx):
    def _set_time(self, micros):
        return 6


class Clamping(OceanHdx):
    def _set_time(self, micros):
        return super()._set_time(min(micros, 1_000_000))


def test_a_refusal_of_the_device_is_a_refusal_although_seabreeze_swallows_it():
    bench = Bench(emulator=Refusing())
    try:
        with pytest.raises(DeviceRefusedError, match="Payload data invalid"):
            bench.device.expose(0.02, "lamp")
        assert bench.lights.now == ("dark", "line")
    finally:
        bench.close()


def test_a_device_that_clamps_is_found_out():
    bench = Bench(emulator=Clamping())
    try:
        bench.device.expose(1.0, "lamp")
        with pytest.raises(DeviceFaultError, match="reads back 1000000"):
            bench.device.expose(2.0, "lamp")
    finally:
        bench.close()


def test_the_end_of_the_connection_is_an_error_at_once_and_the_next_verb_connects_anew(bench):
    bench.device.expose(0.02, "lamp")
    bench.server.hang_up()
    with pytest.raises(DeviceTimeoutError, match="broke off"):
        bench.device.expose(0.02, "lamp")
    assert bench.lights.now == ("dark", "line"), "the light must not stay on"
    assert bench.device.expose(0.02, "lamp").counts[0] == len(bench.detector.scans)


def test_a_killed_host_is_replaced(bench):
    bench.device.expose(0.02, "lamp")
    os.kill(bench.host.pid, signal.SIGKILL)
    try:
        bench.device.expose(0.02, "lamp")
    except DeviceTimeoutError:
        bench.device.expose(0.02, "lamp")
    assert bench.lights.now == ("dark", "line")


def test_nobody_at_the_address_is_missed():
    bench = Bench(timeout=0.2)
    bench.server.close()
    with pytest.raises(DeviceTimeoutError, match="must be reached"):
        bench.device.identify()
    bench.close()


@pytest.mark.parametrize(
    "kind", ["lost", "mute", "half", "garbage", "late", "end_of_file", "power_cycle"]
)
def test_a_fault_is_an_error_and_never_a_wrong_spectrum(kind):
    emulator = OceanHdx()
    faults = ScriptedFaults(5, {kind: 0.12}, suffer=emulator.suffer)
    bench = Bench(faults, timeout=0.1, emulator=emulator)
    failed = read = 0
    try:
        for turn in range(1, 16):
            micros = 10_000 * turn
            try:
                counts = bench.device.expose(micros * 1e-6, "lamp").counts
            except DeviceError:
                failed += 1
                continue
            read += 1
            assert bench.detector.scans[-1] == (micros, 1)
            assert np.array_equal(counts, COUNTS + len(bench.detector.scans))
    finally:
        bench.close()
    assert failed > 0
    assert read > 0


def ask(device, message, data=b""):
    head = HEADER.pack(START, VERSION, 4, 0, message, 9, b"", 0, len(data), data, FOOTER.size)
    request, rest = device.cut(b"\x00" + head + FOOTER.pack(b"", 0xC2C3C4C5) + b"\xc1")
    assert rest == b"\xc1"
    return device.answer(request)


@pytest.mark.parametrize(
    ("message", "data", "error"),
    [
        (0x00123456, b"", 2),
        (0x00110010, b"\x01", 5),
        (0x00110010, (5_999).to_bytes(4, "little"), 6),
        (0x00110010, (10_000_001).to_bytes(4, "little"), 6),
        (0x00120010, b"\x00\x00", 6),
        (0x00180101, b"\x09", 6),
        (0x00101000, b"", 7),
    ],
)
def test_the_emulator_refuses_by_number_what_a_device_refuses(message, data, error):
    head = HEADER.unpack_from(ask(OceanHdx(), message, data))
    assert head[2] & NACK
    assert head[3] == error
    assert head[5] == 9


def test_a_detector_sees_the_light_that_is_set_and_no_other():
    rig = simulated_rig(PlantDouble(), [], 7, AttemptKey(1, 1), start=0.0, photon_rate=1e8)
    brightest = {}
    for light, path in (("dark", "line"), ("lamp", "line"), ("excitation", "reference_dye")):
        rig.lights.set_light(light, path)
        brightest[light] = float(rig.spectrometer.scan(0.1, 1).counts.max())
    assert brightest["dark"] < 1000.0
    assert brightest["lamp"] > 2 * brightest["dark"]
    assert brightest["excitation"] > 1.5 * brightest["dark"]
