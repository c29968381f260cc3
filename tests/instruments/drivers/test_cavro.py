"""A Cavro holds coarse flows and one stroke at a time, and says both."""

import pytest

from instruments.capabilities import FlowLimits
from instruments.drivers.link import SerialLink
from instruments.drivers.tecan_cavro import BAUDRATE, HALVES, Settings, TecanCavro
from instruments.drivers.trials import FlowStandIn
from instruments.emulators.servers import PtyServer
from instruments.emulators.tecan_cavro import CavroBus
from instruments.errors import DeviceRefusedError, InstrumentError

LIMITS = FlowLimits(0.005, 20.0)


class Bench:
    def __init__(self, **settings):
        self.time, self.liquid = 0.0, FlowStandIn(LIMITS)
        said = Settings(**settings)
        bus = CavroBus({2: "lead"}, said.syringe)
        bus.attach({"lead": self.liquid}, lambda: self.time)
        self.server = PtyServer(bus)
        self.link = SerialLink(self.server.address, baudrate=BAUDRATE, timeout=0.2)
        self.pump = TecanCavro("pump_lead", self.link, 2, LIMITS, said, emulated=True)


@pytest.fixture
def bench(request):
    made = Bench(**getattr(request, "param", {}))
    yield made
    made.link.close()
    made.server.close()


def test_a_flow_is_the_nearest_whole_speed(bench):
    bench.pump.set_flow(10.03)
    assert bench.liquid.flow == pytest.approx(60 * 1000.0 / HALVES)
    assert bench.pump.read_flow() == pytest.approx(10.0)


def test_its_lowest_flow_is_the_one_that_whole_speeds_still_meet():
    """At a speed of 25 the next one is 4 % off, so none is further than 2 %."""
    assert Settings(tolerance=0.02).reach().minimum == pytest.approx(25 * 1000.0 / HALVES)
    assert Settings(tolerance=0.1).reach().minimum == pytest.approx(5 * 1000.0 / HALVES)


def test_a_syringe_that_meets_none_of_the_stations_flows_is_refused():
    with pytest.raises(InstrumentError, match="another syringe"):
        Bench(syringe=5000.0)


def test_a_flow_ends_with_the_stroke_and_is_not_told_after(bench):
    bench.pump.set_flow(10.0)
    assert bench.pump.stroke_volume == 1000.0
    bench.time = 50.0
    assert bench.pump.remaining() == pytest.approx(500.0)
    assert bench.pump.read_flow() == pytest.approx(10.0)
    bench.time = 100.1
    assert bench.pump.read_flow() == 0.0
    assert bench.liquid.flow == 0.0
    assert bench.pump.remaining() == 0.0


def test_a_syringe_that_holds_too_little_is_filled_first(bench):
    bench.pump.set_flow(10.0)
    bench.time = 60.0
    bench.pump.set_flow(5.0)
    assert bench.pump.remaining() == pytest.approx(400.0)
    bench.pump.set_flow(10.0)
    assert bench.pump.remaining() == pytest.approx(1000.0)


@pytest.mark.parametrize("bench", [{"refill": "refuse"}], indirect=True)
def test_or_its_flow_is_refused(bench):
    with pytest.raises(DeviceRefusedError, match="fill it"):
        bench.pump.set_flow(10.0)
    assert bench.liquid.flow == 0.0


def test_a_stop_may_be_said_twice_and_keeps_the_plunger_where_it_is(bench):
    bench.pump.set_flow(10.0)
    bench.time = 10.0
    bench.pump.to_safe_state()
    bench.pump.to_safe_state()
    bench.time = 99.0
    assert bench.pump.remaining() == pytest.approx(900.0)
    assert bench.liquid.flow == 0.0
