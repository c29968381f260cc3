import numpy as np
import pytest

pytest.importorskip("pylabrobot")

from instruments.errors import DeviceError, InstrumentError, StationStoppedError
from instruments.larp_plate import LarpPlateStation
from instruments.plate_recipe import PARAMETERS
from instruments.station import AttemptKey
from instruments.wiring import driver_names

DEFAULT = {p.name: p.default for p in PARAMETERS}
PARTS = {"robot": {"driver": "opentrons_ot2"}, "reader": {"driver": "biotek_cytation5"}}
RECIPES = [
    {**DEFAULT, "duration": 0.2, "amine_acid_ratio": 1.0 / 3.0, "characterisation": "full"},
    {**DEFAULT, "duration": 0.2, "antisolvent": "chloroform", "lead_concentration": 23.4567},
    {**DEFAULT, "duration": 0.0, "ligand_pair": "octanoic_octylamine", "amine_acid_ratio": 0.0},
]
KEYS = [AttemptKey(i, 1) for i in (4, 5, 6)]


def run(lab):
    station = LarpPlateStation(lab)
    station.open()
    try:
        return station.run_batch(RECIPES, KEYS)
    finally:
        station.close()


@pytest.fixture(scope="module")
def plain():
    return run({"hidden": 11})


@pytest.mark.parametrize("parts", [("robot",), ("reader",), ("robot", "reader")])
def test_wired_instruments_measure_what_simulated_ones_measure(plain, parts):
    wired = run({"hidden": 11, "instruments": {p: PARTS[p] for p in parts}})
    assert {"opentrons_ot2", "biotek_cytation5"} <= set(driver_names())
    names = {"robot": "pipetting_robot", "reader": "plate_reader"}
    for made, want in zip(wired, plain, strict=True):
        assert made.achieved == want.achieved and made.conditions == want.conditions
        assert made.station_state == want.station_state
        assert len(made.spectra) == len(want.spectra)
        for found, known in zip(made.spectra, want.spectra, strict=True):
            assert np.array_equal(found.values, known.values), found.name
            assert found.settings == known.settings and np.array_equal(found.axis, known.axis)
        drivers = {i["instrument"]: i.get("driver") for i in made.identities}
        assert {n for n, d in drivers.items() if d} == {names[p] for p in parts}


def test_what_is_achieved_is_what_the_pipette_can_deliver(plain):
    assert plain[0].achieved["amine_acid_ratio"] == pytest.approx(0.333, abs=1e-12)
    assert plain[1].achieved["lead_concentration"] == pytest.approx(23.4567, abs=0.002)
    assert plain[1].achieved["lead_concentration"] != 23.4567


def test_a_plate_that_the_deck_cannot_finish_never_begins():
    robot = {**PARTS["robot"], "settings": {"volumes": {"oleic_acid": 199.9}}}
    with pytest.raises(DeviceError, match="oleic_acid falls 0.1 µL short"):
        run({"hidden": 11, "instruments": {"robot": robot}})


def test_a_reader_that_falls_silent_ends_the_run_in_time():
    reader = {**PARTS["reader"], "timeout": 0.1, "faults": {"mute": 0.01, "spare": 40}}
    with pytest.raises((DeviceError, StationStoppedError)):
        run({"hidden": 11, "instruments": {"reader": reader}})


def test_absent_devices_are_both_named():
    parts = {p: {**said, "absent": [p], "timeout": 0.1} for p, said in PARTS.items()}
    with pytest.raises(InstrumentError, match=r"robot: .*reader: "):
        run({"hidden": 11, "instruments": parts})


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"robot": {"driver": "biotek_cytation5"}}, "plays reader"),
        ({"arm": {"driver": "opentrons_ot2"}}, "robot, reader"),
        ({"reader": {"driver": "biotek_cytation5", "settings": {"gain": 1}}}, "gain"),
        ({"robot": {"driver": "opentrons_ot2", "address": "10.0.0.2"}}, "needs a driver"),
    ],
)
def test_a_wrong_wiring_is_refused_with_its_place(parts, said):
    with pytest.raises(InstrumentError, match=said):
        LarpPlateStation({"instruments": parts})
