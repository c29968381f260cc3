import pytest

from instruments.capabilities import FlowLimits
from instruments.drivers.harvard_elite11 import BAUDRATE, HarvardElite11
from instruments.drivers.link import SerialLink
from instruments.emulators.faults import ScriptedFaults
from instruments.emulators.harvard_elite11 import HarvardChain
from instruments.emulators.servers import PtyServer
from instruments.errors import DeviceError, DeviceTimeoutError, InstrumentError

LIMITS = FlowLimits(0.005, 20.0)


class Liquid:
    def __init__(self):
        self.limits, self.flow = LIMITS, 0.0

    def set_flow(self, flow):
        self.flow = flow


class Bench:
    """Two pumps on a chain, and the clock of their plant."""

    def __init__(self, faults=None, timeout=0.2):
        self.time, self.liquids = 0.0, {"lead": Liquid(), "toluene": Liquid()}
        chain = HarvardChain({0: "lead", 7: "toluene"})
        chain.attach(self.liquids, lambda: self.time)
        self.server = PtyServer(chain, faults)
        self.link = SerialLink(self.server.address, baudrate=BAUDRATE, timeout=timeout)
        self.lead = HarvardElite11("pump_lead", self.link, 0, LIMITS, emulated=True)
        self.toluene = HarvardElite11("pump_toluene", self.link, 7, LIMITS, emulated=True)

    def close(self):
        self.link.close()
        self.server.close()


@pytest.fixture
def bench():
    made = Bench()
    yield made
    made.close()


def test_a_flow_reaches_the_pump_that_it_was_meant_for(bench):
    bench.toluene.set_flow(3.54123456)
    assert bench.liquids["toluene"].flow == float("212.474") / 60.0
    assert bench.liquids["lead"].flow == 0.0
    assert bench.toluene.read_flow() == float("212.474") / 60.0
    assert bench.lead.read_flow() == 0.0


def test_a_stop_may_be_said_twice(bench):
    bench.lead.set_flow(1.0)
    bench.lead.to_safe_state()
    bench.lead.to_safe_state()
    assert bench.liquids["lead"].flow == 0.0


def test_the_volume_is_what_flowed(bench):
    bench.lead.clear_infused()
    bench.lead.set_flow(2.0)
    bench.time = 30.0
    bench.lead.set_flow(1.0)
    bench.time = 40.0
    bench.lead.stop()
    bench.time = 99.0
    assert bench.lead.infused() == pytest.approx(70.0)


def test_a_flow_outside_the_limits_never_reaches_the_wire(bench):
    with pytest.raises(InstrumentError, match="holds zero or"):
        bench.lead.set_flow(21.0)
    assert bench.liquids["lead"].flow == 0.0


def test_a_pump_that_is_not_there_is_missed(bench):
    absent = HarvardElite11("pump_absent", bench.link, 3, LIMITS, emulated=True)
    with pytest.raises(DeviceTimeoutError, match="within"):
        absent.identify()


def test_it_says_what_it_is_and_that_nobody_has_tried_it_on_hardware(bench):
    said = bench.lead.identify()
    assert said["model"] == "11 ELITE I/W Single"
    assert said["firmware"] == "3.0.4"
    assert said["simulated"] is True
    assert said["verified_on_hardware"] is False


@pytest.mark.parametrize("kind", ["lost", "mute", "half", "garbage", "late"])
def test_a_fault_on_the_wire_is_an_error_and_never_a_wrong_flow(kind):
    bench = Bench(ScriptedFaults(3, {kind: 0.3}), timeout=0.05)
    try:
        failed = 0
        for turn in range(1, 13):
            wanted = 0.5 * turn
            try:
                bench.lead.set_flow(wanted)
                assert bench.liquids["lead"].flow == pytest.approx(wanted, rel=1e-6)
                assert bench.lead.read_flow() == pytest.approx(wanted, rel=1e-6)
            except DeviceError:
                failed += 1
        assert 0 < failed < 12
    finally:
        bench.close()
