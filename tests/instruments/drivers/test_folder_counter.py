"""A counter that leaves files in a folder: which file is the reading, and which never is."""

import json
import os
import threading
from time import monotonic

import numpy as np
import pytest

pytest.importorskip("ptufile", reason="detector_files needs ptufile (extra `files`)")
from instruments import create_station
from instruments.drivers.detector_files import FolderCounter, Settings
from instruments.emulators.detector_files import REQUEST
from instruments.errors import DeviceFaultError, DeviceTimeoutError, InstrumentError
from instruments.files.ptu import encode
from instruments.station import AttemptKey, Spectrum


def decay(counts):
    values = np.zeros(64, dtype=np.float32)
    values[5] = counts
    settings = {"pulses": 1e6, "pulse": 2.0, "response": 0.1}
    return encode(Spectrum("theirs", np.arange(64) + 0.5, values, "ns", "counts", settings))


class Instrument:
    """Answers requests in a folder as a test says: `leave` gets the request and the folder."""

    def __init__(self, folder, leave):
        self._folder, self._leave, self._over = folder, leave, threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        seen = None
        while not self._over.wait(0.002):
            try:
                request = json.loads((self._folder / REQUEST).read_text())
            except FileNotFoundError:
                continue
            if request != seen:
                seen = request
                self._leave(request, self._folder)

    def close(self):
        self._over.set()
        self._thread.join()


@pytest.fixture
def counter(tmp_path):
    made = []

    def make(leave, timeout=0.5, **settings):
        made.append(Instrument(tmp_path, leave))
        device = FolderCounter("counter", tmp_path, Settings(**settings), timeout=timeout)
        made.append(device)
        return device

    yield make
    for one in made:
        one.close()


def test_the_new_file_is_the_reading_and_the_request_is_withdrawn(counter, tmp_path):
    (tmp_path / "old.ptu").write_bytes(decay(7))
    asked = []

    def leave(request, folder):
        asked.append(request)
        (folder / "new.ptu").write_bytes(decay(request["counts"]))

    device = counter(leave)
    found = device.acquire("decay_2", 123)
    assert found.values.sum() == 123.0
    assert found.name == "decay_2"
    assert asked == [{"number": "000001", "name": "decay_2", "counts": 123}]
    assert not (tmp_path / REQUEST).exists()


def test_a_file_that_is_written_over_is_a_new_one(counter, tmp_path):
    (tmp_path / "last.ptu").write_bytes(decay(7))
    device = counter(lambda r, folder: (folder / "last.ptu").write_bytes(decay(r["counts"])))
    assert device.acquire("decay", 50).values.sum() == 50.0


def test_a_stale_file_is_named_and_never_taken(counter, tmp_path):
    (tmp_path / "old.ptu").write_bytes(decay(7))
    device = counter(lambda request, folder: None, timeout=0.2)
    began = monotonic()
    with pytest.raises(DeviceTimeoutError, match=r"only old\.ptu of before"):
        device.acquire("decay", 7)
    assert monotonic() - began < 2.0


def test_nothing_within_the_timeout_is_unknown(counter):
    with pytest.raises(DeviceTimeoutError, match="left none;"):
        counter(lambda request, folder: None, timeout=0.1).acquire("decay", 7)


def test_two_files_for_one_request_are_a_fault(counter):
    def leave(request, folder):
        for name in ("a", "b"):
            (folder / f"{name}.draft").write_bytes(decay(request["counts"]))
        for name in ("a", "b"):
            os.replace(folder / f"{name}.draft", folder / f"{name}.ptu")

    with pytest.raises(DeviceFaultError, match=r"a\.ptu, b\.ptu"):
        counter(leave).acquire("decay", 7)


def test_a_file_is_awaited_until_it_is_whole(counter):
    def leave(request, folder):
        data = decay(request["counts"])
        for end in (100, 2000, len(data) - 1, len(data)):
            (folder / "new.ptu").write_bytes(data[:end])
            threading.Event().wait(0.05)

    assert counter(leave, timeout=3.0).acquire("decay", 900).values.sum() == 900.0


def test_a_file_that_stays_half_written_is_a_fault(counter):
    def leave(request, folder):
        (folder / "new.ptu").write_bytes(decay(request["counts"])[:-4])

    with pytest.raises(DeviceFaultError, match="must leave a whole file"):
        counter(leave, timeout=0.3).acquire("decay", 900)


def test_what_comes_late_is_not_the_next_reading(counter):
    """Without a number in the names, only silence tells that nothing is under way."""
    late = []

    def leave(request, folder):
        if not late:
            late.append(threading.Timer(0.25, (folder / "a.ptu").write_bytes, [decay(111)]))
            late[0].start()
        else:
            (folder / "b.ptu").write_bytes(decay(request["counts"]))

    device = counter(leave, timeout=0.2)
    with pytest.raises(DeviceTimeoutError):
        device.acquire("decay", 111)
    assert device.acquire("decay", 222).values.sum() == 222.0
    late[0].join()


def test_a_number_in_the_name_tells_whose_file_it_is(counter):
    def leave(request, folder):
        (folder / "somebody_000099.ptu").write_bytes(decay(5))
        (folder / f"x_{request['number']}.ptu").write_bytes(decay(request["counts"]))

    device = counter(leave, pattern="*_{number}.ptu")
    assert device.acquire("decay", 31).values.sum() == 31.0
    assert device.acquire("decay", 32).values.sum() == 32.0


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InstrumentError, match="share is mounted"):
        FolderCounter("counter", tmp_path / "none", Settings())


def test_a_closed_counter_ends_a_wait(counter):
    device = counter(lambda request, folder: None, timeout=60.0)
    threading.Timer(0.1, device.close).start()
    began = monotonic()
    with pytest.raises(DeviceTimeoutError):
        device.acquire("decay", 7)
    assert monotonic() - began < 5.0


def test_lifetimes_of_a_line_whose_counter_leaves_files_are_the_simulated_ones():
    from instruments.flow_line import WITH_LIFETIME

    def run(instruments):
        station = create_station("flow_synthesis", {"hidden": 11, "instruments": instruments})
        parameters = station.description.parameters
        recipe = {p.name: p.default for p in parameters if p.when is None}
        station.open()
        try:
            measured = station.run({**recipe, "characterisation": WITH_LIFETIME}, AttemptKey(1, 1))
            return measured, station.analyse(measured).observables["lifetime"]
        finally:
            station.close()

    plain, lifetime = run({})
    real, theirs = run({"photon_counter": {"driver": "detector_files"}})
    for ours, other in zip(plain.spectra, real.spectra, strict=True):
        assert np.array_equal(ours.values, other.values), ours.name
    assert theirs.value == pytest.approx(lifetime.value, rel=1e-9)
    assert {i.get("driver") for i in real.identities} > {"detector_files"}
