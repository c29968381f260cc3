import pytest

pytest.importorskip("pylabrobot")

from instruments.drivers.biotek_cytation5 import BiotekCytation5
from instruments.drivers.biotek_wire import CheckedBackend, SerialIO
from instruments.emulators.biotek_cytation5 import Cytation, body
from instruments.emulators.faults import NoFaults, ScriptedFaults
from instruments.emulators.servers import PtyServer
from instruments.errors import (
    DeviceError,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceTimeoutError,
    InstrumentError,
)
from instruments.procedures.plate import OVERFLOW_TEXT, Optics

OPTICS = Optics(first=500, last=504, step=2)
CAPTURED = (  # PyLabRobot's tests, blocks 1 to 3 of a partial luminescence read: table, checksum
    ("01,01,0000003\r\n,02,01,0000003\r\n,03,01,0000005\r\n,04,01,0000004\r\n,05,01,0000003"
     "\r\n,06,01,0000002\r\n,07,01,0000000", 132),
    ("02,02,0000043,02,03,0000014\r\n,03,03,0000014,03,02,0000012\r\n,04,02,0000011,04,03,0000014"
     "\r\n,05,03,0000010,05,02,0000010\r\n,06,02,0000011,06,03,0000027\r\n,07,03,0000009,07,02,"
     "0000010", 160),
    ("04,04,0000018\r\n,05,04,0000017\r\n,06,04,0000014", 210),
)  # fmt: skip


class Plate:
    """Counts that tell well and wavelength; one well is too bright."""

    settings = {"excitation": 365.0}

    def __init__(self):
        self.reads = 0

    def read_at(self, wells, emission):
        self.reads += 1
        return [OVERFLOW_TEXT if w == 17 else str(1000 * w + emission) for w in wells]


class Spoilt:
    """Spoils the answers to reads by a function, and only those."""

    def __init__(self, change):
        self.change, self.on = change, True

    def spoil(self, request, answer):
        reply = answer(request)
        return self.change(reply) if request == b"O" and self.on else reply


class Bench:
    def __init__(self, faults=None, timeout=0.3, emulator=None):
        self.plate, emulator = Plate(), emulator or Cytation()
        emulator.attach({"reader": self.plate}, lambda: 0.0)
        self.server = PtyServer(emulator, faults or NoFaults())
        backend = CheckedBackend(SerialIO(self.server.address), timeout=timeout, reading=timeout)
        self.reader = BiotekCytation5("plate_reader", backend, OPTICS, emulated=True)

    def close(self):
        self.reader.close()
        self.reader.close()
        self.server.close()


@pytest.fixture
def bench():
    made = Bench()
    yield made
    made.close()


def right(cells, wells):
    return cells == [
        [OVERFLOW_TEXT if w == 17 else str(1000 * w + e) for e in (500, 502, 504)] for w in wells
    ]


@pytest.mark.parametrize(("table", "checksum"), CAPTURED)
def test_the_emulator_states_the_checksum_that_a_device_stated(table, checksum):
    assert body(table, 237).endswith(b"237\x1a%03d\x1a0000\x03" % checksum)


def test_wells_come_in_the_order_asked_and_overflow_is_text(bench):
    wells = [95, 17, 2]
    assert right(bench.reader.read(wells), wells)
    assert bench.plate.reads == 3  # one read of the plate for each wavelength
    assert bench.reader.read([]) == []


def test_it_says_what_it_is_and_how_warm(bench):
    said = bench.reader.identify()
    assert (said["model"], said["firmware"]) == ("BioTek Cytation 5", "1.04")
    assert said["simulated"] is True and said["verified_on_hardware"] is False
    assert bench.reader.temperature() == 23.6
    bench.reader.to_safe_state()
    bench.reader.to_safe_state()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda r: r[:-40], DeviceTimeoutError),  # a table cut off
        (lambda r: b"", DeviceTimeoutError),
        (lambda r: r.replace(b"0000502", b"0000602"), DeviceFaultError),  # a wrong digit
        (lambda r: r.replace(b"\x1a0000\x03", b"\x1a2D06\x03"), DeviceFaultError),
        (lambda r: b"\x062D06\x03", DeviceRefusedError),
        (lambda r: b"\x060000\x03" + body("01,02,0000500", 236), DeviceFaultError),  # another well
        (lambda r: b"\x060000\x03" + body("01,01,05OO500", 236), DeviceFaultError),
        (lambda r: r[:5] + b"\xf1\xf2\x03", DeviceFaultError),
    ],
)
def test_a_spoilt_table_is_an_error_and_the_next_read_is_right(change, error):
    bench = Bench(Spoilt(change))
    try:
        with pytest.raises(error):
            bench.reader.read([0])
        bench.server._faults.on = False
        assert right(bench.reader.read([0]), [0])
    finally:
        bench.close()


@pytest.mark.parametrize(
    "kind", ["lost", "mute", "half", "garbage", "late", "end_of_file", "power_cycle"]
)
def test_a_fault_is_an_error_and_never_a_wrong_count(kind):
    emulator = Cytation()
    bench = Bench(ScriptedFaults(3, {kind: 0.02}, suffer=emulator.suffer), 0.05, emulator)
    try:
        failed = 0
        for _ in range(12):
            try:
                assert right(bench.reader.read([0, 17, 40]), [0, 17, 40])
            except DeviceError:
                failed += 1
        assert 0 < failed < 12
    finally:
        bench.close()


def test_a_wavelength_that_the_plate_has_not_is_refused_by_name(bench):
    bench.plate.settings = {"excitation": 405.0}
    with pytest.raises(DeviceRefusedError, match="2D06"):
        bench.reader.read([0])


def test_the_emulator_refuses_a_definition_whose_checksum_is_wrong():
    emulator = Cytation()
    emulator.attach({"reader": Plate()}, lambda: 0.0)
    fixed = b"0001200100001100100000135000100200200"
    said = b"00840101010812" + fixed + b"0365" + b"000" + b"0500" + b"0" * 18 + b"210011"
    stated = (sum(said) + 7) % 100
    for checksum, status in ((stated, b"0000\x03"), ((stated + 1) % 100, b"2D06\x03")):
        assert emulator.answer(b"D") == b"\x06"
        assert emulator.answer(said + b"%02d\x03" % checksum).endswith(status)


def test_optics_that_the_reader_has_not_never_reach_the_wire(bench):
    for wrong in (Optics(excitation=200), Optics(last=720), Optics(height=20.0)):
        with pytest.raises(InstrumentError, match="cannot do this"):
            BiotekCytation5("plate_reader", bench.reader.wire, wrong, emulated=True)


def test_a_closed_reader_says_so(bench):
    bench.reader.identify()
    bench.reader.close()
    with pytest.raises(DeviceTimeoutError, match="closed"):
        bench.reader.identify()
