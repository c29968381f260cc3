"""Doubles of what stands behind an emulated thermostat, and the wires that the tests put it on."""

from time import monotonic

from instruments.bench import Bench
from instruments.errors import DeviceError
from instruments.wiring import Wiring

PARTS = {"thermostat": ("thermostat",)}


class Oven:
    """Keeps its setpoint, counts its readings, and reads what it is told to."""

    def __init__(self):
        self.setpoint, self.readings, self.reading = 25.0, 0, None

    def set_temperature(self, setpoint):
        self.setpoint = setpoint

    def read_temperature(self):
        self.readings += 1
        return self.setpoint if self.reading is None else self.reading


class Wired:
    """A thermostat driver on an emulated wire, an oven behind it."""

    def __init__(self, driver, timeout=1.0, faults=None, **settings):
        said = {"driver": driver, "settings": settings, "timeout": timeout, "faults": faults or {}}
        self.bench = Bench(Wiring({"thermostat": said}, PARTS), {}, self)
        self.told, self.oven = [], Oven()
        self.bench.open(identify=False)
        assert not self.bench.reached[0].problem
        self.device = self.bench.devices["thermostat"]["thermostat"]
        self.bench.attach({"thermostat": {"thermostat": self.oven}}, lambda: 0.0)
        self.end = self.bench._ends["thermostat"]

    def note(self, link, sent, data):
        self.told.append((sent, data))

    def close(self):
        self.bench.close()


def no_wrong_temperature(it):
    """Set and read 14 temperatures over a wire that fails: each is right, or an error in time."""
    failed, right = 0, 0
    for turn in range(1, 15):
        wanted = 30.0 + 5.5 * turn
        it.oven.reading = wanted + 0.3
        began = monotonic()
        try:
            it.device.set_temperature(wanted)
            assert it.oven.setpoint == wanted
            assert it.device.read_temperature() == wanted + 0.3
            right += 1
        except DeviceError:
            failed += 1
        assert monotonic() - began < 8.0, "it hangs"
    assert failed > 0
    assert right > 0, "it never recovers"


class Late:
    """Keeps answers back from one request to a later one, as a plan says, a word a request.

    `keep`: no answer now. `old alone`: the kept one instead of its own. `old before new`: before
    it. `old as new`: the kept one under the new request's first two bytes.
    """

    def __init__(self, *plan):
        self.plan, self.kept = list(plan), b""

    def spoil(self, request, answer):
        what = self.plan.pop(0) if self.plan else "pass"
        reply = answer(request)
        if what == "keep":
            self.kept = reply
            return b""
        spoilt = {
            "old alone": self.kept,
            "old before new": self.kept + reply,
            "old as new": request[:2] + self.kept[2:],
        }
        return spoilt.get(what, reply)
