"""A station file's place: tubes, liquids, calibrations, and rules that a person overrides."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from instruments import AttemptKey, create_station
from orchestrator.campaign import check_campaign, read_document
from orchestrator.errors import InputRefusedError
from orchestrator.worker import (
    StationBay,
    StationFile,
    read_station_file,
    refuse_stale,
    with_station_file,
)
from tests.worker.test_stores import read

EXAMPLES = Path(__file__).parents[2] / "examples"
TUBE = "{length: 2 m, bore: 0.5 mm, material: FEP}"


def station_of(file: StationFile) -> Any:
    return create_station(file.station, file.surroundings)


def defaults(station: Any, **changed: Any) -> dict[str, Any]:
    recipe = dict(changed)
    for p in station.description.parameters:
        if p.when is None or recipe.get(p.when[0]) in p.when[1]:
            recipe.setdefault(p.name, p.default)
    return recipe


def rules(station: Any, **changed: Any) -> list[str]:
    return [v.quantity for v in station.check(defaults(station, **changed))]


def test_tubes_change_the_line(tmp_path: Path) -> None:
    station = station_of(read(tmp_path, f"tubing: {{reactor: {TUBE}}}"))
    assert rules(station) == []
    assert rules(station, probe_position=2500.0) == ["probe_position"]
    feed = read(tmp_path, "tubing: {feed: {length: 1 m, bore: 0.5 mm, material: PTFE}}")
    assert feed.tubing["feed"].volume == pytest.approx(196.35, rel=1e-4)
    assert feed.tubing["feed"].delay(10.0) == pytest.approx(19.635, rel=1e-4)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (f"tubing: {{reaktor: {TUBE}}}", "must be one of feed, reactor"),
        ("tubing: {reactor: {length: 2 m, bore: 0.5 mm, material: FEB}}", "material"),
        ("tubing: {reactor: {length: 20 cm, bore: 0.5 mm, material: FEP}}", "longer than 300 mm"),
        ("tubing: {reactor: {length: 2, bore: 0.5 mm, material: FEP}}", "number with its unit"),
        ("fluids: {carrier: fc-40}", "did you mean 'fc40'"),
        ("fluids: {carriers: fc40}", "carriers"),
        ("calibrations: {lamp: {date: 2026-11-01}}", "valid_days"),
        (
            "calibrations: {lamp: {date: 2026-11-01, valid_days: 3, file: lamp.csv}}",
            "there is no file lamp.csv",
        ),
        ("overrides: [{rule: boilin, by: A, reason: b}]", "did you mean 'boiling'"),
        ("overrides: [{rule: boiling, by: A}]", "reason"),
        ("overrides: [{rule: boiling, by: ' ', reason: b}]", "by"),
    ],
)
def test_a_place_that_cannot_be_is_refused(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(InputRefusedError, match=re.escape(word)):
        read(tmp_path, text)


def test_a_tube_must_bear_liquid_and_heat(tmp_path: Path) -> None:
    tygon = station_of(
        read(tmp_path, "tubing: {feed: {length: 1 m, bore: 0.5 mm, material: Tygon}}")
    )
    assert "tubing_material" in rules(tygon)
    fep = station_of(read(tmp_path, f"tubing: {{reactor: {TUBE}}}"))
    hot = {"solvent": "octadecene", "temperature": 210.0, "flow_velocity": 30.0}
    assert rules(fep, **hot) == ["tubing_temperature"]
    pfa = station_of(read(tmp_path, f"tubing: {{reactor: {TUBE.replace('FEP', 'PFA')}}}"))
    assert rules(pfa, **hot) == []


def test_liquids_must_not_boil_or_freeze(tmp_path: Path) -> None:
    text = "fluids: {wash: toluene}"
    topo = station_of(read(tmp_path, text, "topo_batch"))
    assert rules(topo, temperature=60.0) == []
    assert rules(topo, temperature=100.0) == ["boiling"]
    oil: dict[str, Any] = {
        "solvent": "octadecene",
        "flow_format": "liquid_liquid",
        "temperature": 170.0,
    }
    oil["flow_velocity"] = 15.0
    free = station_of(read(tmp_path, "fluids: {wash: toluene}"))
    assert rules(free, **oil) == []
    fc40 = station_of(read(tmp_path, "fluids: {carrier: fc40}"))
    assert rules(fc40, **oil) == ["boiling"]


@pytest.mark.parametrize("wash", ["acetone", "dmf", "isopropanol", "water"])
def test_tmsi_meets_no_water_alcohol_acetone_or_dmf(tmp_path: Path, wash: str) -> None:
    station = station_of(read(tmp_path, f"fluids: {{wash: {wash}}}", "anion_exchange"))
    assert "silyl_halide" in rules(station)
    hexane = station_of(read(tmp_path, "fluids: {wash: hexane}", "anion_exchange"))
    assert rules(hexane) == []


def test_one_waste_for_tmsi_and_acetone_is_refused(tmp_path: Path) -> None:
    lots = "stocks: {tmsi: {lot: a, volume: 1 mL}, antisolvent: {lot: b, volume: 1 mL}}"
    apart = station_of(read(tmp_path, lots + "\nfluids: {wash: hexane}", "anion_exchange"))
    assert rules(apart) == []
    shared = station_of(read(tmp_path, lots + "\nwaste: {capacity: 1 L}", "anion_exchange"))
    assert rules(shared) == ["silyl_halide"]


def test_oxidisers_meet_nothing_organic(tmp_path: Path) -> None:
    assert "oxidiser" in rules(station_of(read(tmp_path, "fluids: {wash: nitric_acid}")))
    lot = "stocks: {ammonium_bromide: {lot: a, volume: 1 mL, hazards: [H272]}}"
    assert "oxidiser" in rules(station_of(read(tmp_path, lot)))


def test_chloroform_acetone_and_an_amine(tmp_path: Path) -> None:
    plate = station_of(read(tmp_path, "fluids: {wash: acetone}", "larp_plate"))
    assert rules(plate, antisolvent="chloroform") == ["chloroform_ketone_base"]
    assert rules(plate) == []


def test_an_override_is_named_and_noted(tmp_path: Path) -> None:
    said = "overrides: [{rule: boiling, by: A. Person, reason: the vessel bears 5 bar}]"
    station = station_of(read(tmp_path, said, "topo_batch"))
    recipe = defaults(station, temperature=100.0, reaction_time=2.0)
    assert station.check(recipe) == []
    station.open()
    warnings = station.run(recipe, AttemptKey(1, 1)).warnings
    station.close()
    assert any("A. Person" in w and "5 bar" in w and "68.7" in w for w in warnings)


def test_calibrations_and_lots_grow_old(tmp_path: Path) -> None:
    text = (
        "demand: [lamp, wavelength]\n"
        "calibrations: {lamp: {date: 2026-11-01, valid_days: 30}}\n"
        "stocks: {toluene: {lot: A, volume: 1 mL, expires: 2026-12-01}}\n"
    )
    place = read(tmp_path, text).place
    with pytest.raises(InputRefusedError) as caught:
        refuse_stale(place, date(2026, 12, 2))
    assert len(caught.value.problems) == 3
    words = " ".join(caught.value.problems)
    assert "'wavelength'" in words and "31 days old" in words and "holds for 30 days" in words
    assert "2026-12-01" in words and "1 days over" in words
    with pytest.raises(InputRefusedError) as only:
        refuse_stale(place, date(2026, 12, 1))
    assert len(only.value.problems) == 1
    with pytest.raises(InputRefusedError, match="day to come"):
        refuse_stale(place, date(2026, 10, 1))


def test_a_worker_does_not_touch_a_station_with_an_old_calibration(tmp_path: Path) -> None:
    text = "demand: [lamp]\ncalibrations: {lamp: {date: 2026-11-01, valid_days: 30}}"
    made: list[object] = []

    def create(*_: object, **__: object) -> Any:
        made.append(1)
        raise AssertionError("nothing may be opened")

    bay = StationBay(read(tmp_path, text), create=create, today=lambda: date(2027, 1, 1))
    with pytest.raises(InputRefusedError, match="calibrate again"):
        bay.prepare({"lab_seed": 1})
    assert made == []


def test_the_campaign_carries_its_place(tmp_path: Path) -> None:
    said = (
        f"tubing: {{reactor: {TUBE}}}\nsimulated: {{hidden: 3}}\n"
        "overrides: [{rule: boiling, by: A, reason: b}]"
    )
    file = read(tmp_path, said)
    document = read_document(EXAMPLES / "flow_green.yaml")
    document["lab"] = {"place": {"overrides": [{"rule": "freezing", "by": "C", "reason": "d"}]}}
    campaign = check_campaign(with_station_file(document, file))
    assert campaign.lab is not None
    place = campaign.lab["place"]
    assert [o["rule"] for o in place["overrides"]] == ["boiling", "freezing"]
    assert place["tubing"]["reactor"]["length"] == 2000.0
    assert create_station(campaign.station, campaign.lab).description.name == "flow_synthesis"


def test_a_place_in_a_campaign_is_checked() -> None:
    document = read_document(EXAMPLES / "flow_green.yaml")
    document["lab"] = {"place": {"overrides": [{"rule": "boilin", "by": "C", "reason": "d"}]}}
    with pytest.raises(InputRefusedError, match="did you mean 'boiling'"):
        check_campaign(document)
    document["lab"] = {"place": {"colour": "red"}}
    with pytest.raises(InputRefusedError, match=r"place\.colour"):
        check_campaign(document)


def test_an_example_without_a_place_is_told_nothing() -> None:
    assert read_station_file(EXAMPLES / "stations" / "flow.yaml").surroundings == {}


def test_a_worker_whose_file_lost_its_procedures_goes_on(tmp_path: Path) -> None:
    """The state that it is to take up was recorded with their memory in it."""
    state = {"clock": 12.5, "film": 0.0, "drawn": {}, "around": {"trials": 3}}
    lease = {"lab_seed": 1, "restore": state}
    for text in ("", "fluids: {wash: toluene}", "procedures: {carry_over: {}}"):
        bay = StationBay(read(tmp_path, text))
        station = bay.prepare(lease)
        assert station.lab_time == 12.5
        bay.make_safe()
