"""A New Era chain has four digits of a rate, alarms, and syringes that limit its flows."""

import pytest

from instruments import create_station
from instruments.capabilities import FlowLimits
from instruments.drivers.link import SerialLink
from instruments.drivers.new_era_ne1000 import BAUDRATE, NewEraNE1000, numeral, rate_of, reach
from instruments.drivers.trials import FlowStandIn
from instruments.emulators.new_era_ne1000 import NewEraChain
from instruments.emulators.servers import PtyServer
from instruments.errors import DeviceFaultError, DeviceRefusedError, InstrumentError
from instruments.station import AttemptKey

LIMITS = FlowLimits(0.005, 20.0)


class Bench:
    def __init__(self):
        self.time, self.liquids = (
            0.0,
            {"lead": FlowStandIn(LIMITS), "toluene": FlowStandIn(LIMITS)},
        )
        self.chain = NewEraChain({0: "lead", 7: "toluene"})
        self.chain.attach(self.liquids, lambda: self.time)
        self.server = PtyServer(self.chain)
        self.link = SerialLink(self.server.address, baudrate=BAUDRATE, timeout=0.2)
        self.lead, self.toluene = (
            NewEraNE1000(f"pump_{n}", self.link, a, LIMITS, 14.57, emulated=True)
            for n, a in (("lead", 0), ("toluene", 7))
        )


@pytest.fixture
def bench():
    made = Bench()
    yield made
    made.link.close()
    made.server.close()


@pytest.mark.parametrize(
    ("flow", "said"),
    [
        (0.005, ("18.00", "UH")),
        (1.0, ("60.00", "UM")),
        (20.0, ("1200", "UM")),
        (3.54123456, ("212.5", "UM")),
        (200.0, ("12.00", "MM")),
    ],
)
def test_a_rate_keeps_the_four_digits_that_the_pump_takes(flow, said):
    assert rate_of(flow) == said


def test_a_number_that_the_pump_cannot_take_is_refused():
    with pytest.raises(InstrumentError, match="below 10000"):
        numeral(12345.0)


def test_a_syringe_reaches_the_flows_that_the_maker_tabulates():
    """A 10 mL syringe of 14.57 mm: 7.0 µL/h to 510 mL/h (maker's table, from memory)."""
    limits = reach(14.57)
    assert 3600.0 * limits.minimum == pytest.approx(7.0, rel=0.01)
    assert 3.6 * limits.maximum == pytest.approx(510.0, rel=0.01)


def test_a_flow_reaches_the_pump_that_it_was_meant_for(bench):
    bench.toluene.set_flow(3.54123456)
    assert bench.liquids["toluene"].flow == 212.5 / 60.0
    assert bench.toluene.read_flow() == 212.5 / 60.0
    assert bench.liquids["lead"].flow == bench.lead.read_flow() == 0.0


def test_a_rate_of_another_unit_is_taken_although_the_pump_runs(bench):
    for flow in (0.01, 5.0, 0.01):
        bench.lead.set_flow(flow)
        assert bench.liquids["lead"].flow == pytest.approx(flow)


def test_the_volume_is_what_flowed(bench):
    bench.lead.clear_infused()
    bench.lead.set_flow(2.0)
    bench.time = 30.0
    bench.lead.set_flow(1.0)
    bench.time = 40.0
    bench.lead.stop()
    bench.time = 99.0
    assert bench.lead.infused() == pytest.approx(70.0, abs=0.5)


def test_a_pump_that_lost_its_power_is_a_fault_and_is_told_its_syringe_again(bench):
    bench.lead.set_flow(1.0)
    bench.chain.power_cycle(0)
    with pytest.raises(DeviceFaultError, match="lost its power"):
        bench.lead.read_flow()
    bench.lead.set_flow(1.0)
    assert bench.liquids["lead"].flow == 1.0


def test_what_the_syringe_cannot_do_the_pump_refuses(bench):
    small = NewEraNE1000("pump_lead", bench.link, 0, LIMITS, 4.0, emulated=True)
    small.set_flow(5.0)
    small._limits = LIMITS
    with pytest.raises(DeviceRefusedError, match="OOR"):
        small.set_flow(19.0)


@pytest.mark.slow
def test_a_line_on_new_era_pumps_flows_what_the_simulated_one_does_to_four_digits():
    wired = create_station(
        "flow_synthesis", {"hidden": 11, "instruments": {"pumps": {"driver": "new_era_ne1000"}}}
    )
    plain = create_station("flow_synthesis", {"hidden": 11})
    recipe = {
        p.name: p.default
        for p in plain.description.parameters
        if p.default is not None and p.when is None
    }
    found = []
    for station in (plain, wired):
        station.open()
        try:
            found.append(station.run(recipe, AttemptKey(1, 1)))
        finally:
            station.close()
    plain_one, wired_one = found
    assert wired_one.achieved.keys() == plain_one.achieved.keys()
    for name, value in plain_one.achieved.items():
        if isinstance(value, float):
            assert wired_one.achieved[name] == pytest.approx(value, rel=2e-3), name
