from dataclasses import replace

import pytest

pytest.importorskip("pylabrobot")

from instruments import plate_deck
from instruments.drivers.opentrons_ot2 import OpentronsOT2, chunks, shortfalls
from instruments.drivers.robot_server import RobotServer
from instruments.emulators.faults import NoFaults, ScriptedFaults
from instruments.emulators.http_server import HttpServer
from instruments.emulators.opentrons_ot2 import OT2
from instruments.errors import (
    DeviceError,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceTimeoutError,
    InstrumentError,
)
from instruments.procedures.plate import WellPlan

PLAN = WellPlan("oleic_oleylamine", "toluene", 100.0, 33.3, 1503.0, 1497.0, 200.0, 20.0, False)
OTHER = WellPlan("octanoic_octylamine", "chloroform", 5.1, 0.0, 50.0, 450.0, 200.0, 20.0, False)


class Plate:
    """What the simulated robot was asked for."""

    def __init__(self):
        self.plates, self.wells = 0, {}

    def new_plate(self, plans):
        self.plates, self.wells = self.plates + 1, {}

    def fill(self, well, plan):
        self.wells[well] = plan


class Bench:
    def __init__(self, faults=None, timeout=1.0, volumes=None, used=0):
        self.plate = Plate()
        self.volumes = {**plate_deck.full(), **(volumes or {})}
        self.emulator = OT2(self.volumes, used)
        self.emulator.attach({"robot": self.plate}, lambda: 0.0)
        self.server = HttpServer(self.emulator, faults or NoFaults())
        self.wire = RobotServer(self.server.address, timeout)
        self.robot = OpentronsOT2("robot", self.wire, self.volumes, used, emulated=True)

    def close(self):
        self.robot.close()
        self.robot.close()
        self.server.close()


@pytest.fixture
def bench():
    made = Bench()
    yield made
    made.close()


def test_wells_get_what_was_planned_from_the_coordinates_alone(bench):
    bench.robot.new_plate([PLAN, OTHER])
    bench.robot.fill(95, PLAN)
    bench.robot.fill(13, OTHER)
    assert bench.plate.wells == {95: PLAN, 13: OTHER} and bench.plate.plates == 1


def test_a_deck_serves_96_wells_and_no_more():
    assert shortfalls([PLAN] * 96, {**plate_deck.full(), "lead": 1e6, "diluent": 1e6}, 0) == []
    assert any("tips" in p for p in shortfalls([PLAN] * 96, plate_deck.full(), 1))


@pytest.mark.parametrize(
    ("volumes", "plan", "said"),
    [
        ({"lead": 3005.9}, PLAN, "lead falls 0.1 µL short of 3006.0 µL"),
        ({"caesium_toluene": 399.0}, PLAN, "caesium_toluene falls 1.0 µL"),
        ({}, replace(PLAN, acid=0.5), "less than a pipette holds"),
        ({}, replace(PLAN, lead_stock=9000.0), "in a vial of 10400"),
        ({}, replace(PLAN, injected=30.0), "more than a p20 holds"),
        ({}, replace(PLAN, antisolvent_volume=345.0), "overfills"),
    ],
)
def test_a_plate_that_cannot_be_finished_is_refused_before_anything_moves(volumes, plan, said):
    bench = Bench(volumes=volumes)
    try:
        with pytest.raises(DeviceRefusedError, match=said):
            bench.robot.new_plate([plan] * 2)
        assert bench.plate.plates == 0 and bench.wire.run_id is None
    finally:
        bench.close()


def test_liquid_and_tips_that_the_plans_did_not_name_are_tracked_as_well():
    short = Bench(volumes={"lead": 1503.0})
    few = Bench(used=95)
    try:
        short.robot.new_plate([PLAN])
        short.robot.fill(0, PLAN)
        with pytest.raises(DeviceRefusedError, match="TooLittleLiquid"):
            short.robot.fill(1, PLAN)
        assert set(short.plate.wells) == {0}
        few.robot.new_plate([PLAN])
        few.robot.fill(0, PLAN)
        with pytest.raises(DeviceRefusedError, match="tip of its own"):
            few.robot.fill(1, PLAN)
        assert set(few.plate.wells) == {0}
    finally:
        short.close()
        few.close()


def test_a_wrong_place_or_volume_on_the_wire_is_a_wrong_dot(bench):
    send = bench.wire.command

    def shifted(kind, params):
        if kind == "moveToCoordinates" and params["coordinates"]["x"] < 127.0:
            at = params["coordinates"]
            if at["y"] < 90.0:  # over the plate: one well to the right
                moved = {**params, "coordinates": {**at, "x": at["x"] + 9.0}}
                done = send(kind, moved)
                return {"position": {**done["position"], "x": at["x"]}}
        if kind == "aspirateInPlace" and params["volume"] == 100.0:
            send(kind, {**params, "volume": 60.0})
            return {"volume": 100.0}
        return send(kind, params)

    bench.wire.command = shifted
    bench.robot.new_plate([PLAN])
    bench.robot.fill(0, PLAN)
    assert bench.plate.wells == {1: replace(PLAN, acid=60.0)}


def test_an_answer_with_another_volume_or_place_is_a_fault(bench):
    bench.robot.new_plate([PLAN])
    act = bench.emulator._aspirate
    bench.emulator._aspirate = lambda params: {**act(params), "volume": params["volume"] - 1.0}
    with pytest.raises(DeviceFaultError, match="volume"):
        bench.robot.fill(0, PLAN)
    with pytest.raises(DeviceRefusedError, match="new plate"):
        bench.robot.fill(0, PLAN)
    assert bench.plate.wells == {}


def test_other_pipettes_are_a_fault(bench):
    bench.emulator._route = lambda method, path, said, route=bench.emulator._route: (
        (200, {"left": {"name": None}, "right": {"name": "p20_single_gen2"}})
        if path == "/pipettes"
        else route(method, path, said)
    )
    with pytest.raises(DeviceFaultError, match="mount"):
        bench.robot.new_plate([PLAN])


def test_a_well_is_filled_once_and_a_stop_ends_the_plate(bench):
    bench.robot.new_plate([PLAN])
    bench.robot.fill(0, PLAN)
    with pytest.raises(DeviceRefusedError, match="A1"):
        bench.robot.fill(0, PLAN)
    bench.robot.halt()
    bench.robot.to_safe_state()
    bench.robot.to_safe_state()
    with pytest.raises(DeviceRefusedError, match="stopped"):
        bench.robot.fill(1, PLAN)
    bench.robot.new_plate([PLAN])
    bench.robot.fill(1, PLAN)
    assert bench.plate.plates == 2


def test_it_says_what_it_is(bench):
    said = bench.robot.identify()
    assert said["model"] == "OT-2 Standard" and said["driver"] == "opentrons_ot2"
    assert said["simulated"] is True and said["verified_on_hardware"] is False


def test_strokes_add_up_in_tenths_and_suit_a_pipette():
    for volume in (1.0, 20.0, 20.1, 300.0, 300.1, 3000.0, 5999.9):
        found = chunks(volume)
        assert sum(round(10 * v) for v in found) == round(10 * volume)
        assert all(1.0 <= v <= 300.0 for v in found) and (volume <= 20.0 or min(found) >= 20.0)
    for wrong in (0.9, 1.05):
        with pytest.raises(DeviceRefusedError, match="tenths"):
            chunks(wrong)


@pytest.mark.parametrize(
    "kind", ["lost", "mute", "half", "garbage", "late", "end_of_file", "power_cycle", "stall"]
)
def test_a_fault_is_an_error_and_never_a_wrong_well(kind):
    faults = ScriptedFaults(5, {kind: 0.01}, suffer=lambda *it: bench.emulator.suffer(*it))
    bench = Bench(faults, timeout=0.05)
    try:
        failed = 0
        for turn in range(12):
            plan = replace(PLAN, acid=50.0 + turn)
            try:
                bench.robot.new_plate([plan])
                bench.robot.fill(turn, plan)
                assert bench.plate.wells == {turn: plan}
            except DeviceError:
                failed += 1
                assert all(found == plan for found in bench.plate.wells.values())
        assert 0 < failed < 12
    finally:
        bench.close()


def test_a_robot_that_was_started_anew_is_safe_and_wants_a_new_plate():
    faults = ScriptedFaults(1, {"power_cycle": 1.0}, suffer=lambda *it: bench.emulator.suffer(*it))
    bench = Bench(faults, timeout=0.2)
    try:
        faults._rates = {}
        bench.robot.new_plate([PLAN])
        faults._rates = {"power_cycle": 1.0}
        with pytest.raises(DeviceTimeoutError, match="whether it acted"):
            bench.robot.fill(0, PLAN)
        faults._rates = {}
        bench.robot.to_safe_state()
        with pytest.raises(DeviceRefusedError, match="new plate"):
            bench.robot.fill(0, PLAN)
        bench.robot.new_plate([PLAN])
        bench.robot.fill(0, PLAN)
    finally:
        bench.close()


def test_a_robot_that_is_not_there_is_missed_in_time():
    with pytest.raises(DeviceTimeoutError, match="within"):
        RobotServer("127.0.0.1:9", 0.2).get()
    with pytest.raises(InstrumentError, match="host:port"):
        RobotServer(":9", 0.2)
