"""Doubles of what stands behind an emulated thermostat, and the wires that the tests put it on."""

from instruments.bench import Bench
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
