"""The process in which a library may hang: killed in time, replaced, and never left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from instruments.drivers.host import DeviceHost
from instruments.errors import (
    DeviceFaultError,
    DeviceRefusedError,
    DeviceTimeoutError,
    InstrumentError,
)

HERE = "tests.instruments.drivers.hosted:Library"


def alive(pid):
    """Whether a process runs; one that has ended and waits to be read counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid, within=10.0):
    until = time.monotonic() + within
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not alive(pid)


@pytest.fixture
def host():
    before = threading.active_count()  # a library of another test may keep one of its own
    made = DeviceHost("thing", HERE, ("a",))
    made.open()
    yield made
    pid = made.pid
    made.close()
    made.close()
    assert pid is None or gone(pid), "the host outlived its driver"
    assert threading.active_count() <= before


def test_it_answers_what_the_library_returns(host):
    assert host.call("echo", 3, timeout=5.0) == ("a", 3)
    host.open()
    assert host.call("count", timeout=5.0) == 2, "opening an open host began another"


@pytest.mark.parametrize("how", ["sleep", "spin"])
def test_a_library_that_hangs_is_killed_and_its_state_is_unknown(host, how):
    pid, began = host.pid, time.monotonic()
    with pytest.raises(DeviceTimeoutError, match="hangs"):
        host.call(how, timeout=0.3)
    assert time.monotonic() - began < 2.0
    assert gone(pid)
    with pytest.raises(DeviceTimeoutError, match="open it again"):
        host.call("count", timeout=5.0)
    host.open()
    assert host.call("count", timeout=5.0) == 1, "the next host must be a new one"


def test_a_frozen_host_is_killed_although_its_call_may_still_take_long():
    made = DeviceHost("thing", HERE, ("a",), silence=2.0)
    made.open()
    pid, began = made.pid, time.monotonic()
    with pytest.raises(DeviceTimeoutError, match="hangs"):
        made.call("freeze", timeout=60.0)
    assert time.monotonic() - began < 10.0
    assert gone(pid)
    made.close()


def test_a_host_that_is_killed_is_missed_at_once(host):
    killer = threading.Timer(0.2, os.kill, (host.pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(DeviceTimeoutError, match="died"):
        host.call("sleep", timeout=60.0)
    killer.join()


def test_a_refusal_stays_a_refusal_and_another_failure_is_a_fault(host):
    with pytest.raises(DeviceRefusedError, match="not today"):
        host.call("refuse", timeout=5.0)
    with pytest.raises(DeviceFaultError, match=r"ZeroDivisionError"):
        host.call("divide", timeout=5.0)
    assert host.call("count", timeout=5.0) == 3, "an exception must not end the host"


def test_a_device_that_cannot_be_made_is_said_at_the_opening():
    made = DeviceHost("thing", "tests.instruments.drivers.hosted:broken", ())
    with pytest.raises(InstrumentError, match="no such thing"):
        made.open()
    made.close()


@pytest.mark.parametrize(("busy", "limit"), [("count", 60.0), ("spin", 60.0), ("freeze", 1.5)])
def test_no_orphan_outlives_its_parent(busy, limit):
    code = (
        "import sys, threading; from instruments.drivers.host import DeviceHost\n"
        f"h = DeviceHost('thing', {HERE!r}, ('a',)); h.open(); print(h.pid, flush=True)\n"
        f"h.call({busy!r}, timeout={limit}); print('idle', flush=True); sys.stdin.read()\n"
    )
    path = os.pathsep.join(p or os.getcwd() for p in sys.path)
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
    ) as parent:
        pid = int(parent.stdout.readline())
        if busy == "count":
            assert parent.stdout.readline() == b"idle\n"
        assert alive(pid)
        parent.kill()
    assert gone(pid), "the host outlived its parent"
