"""station dry-run: every command and volume, every refusal, and no wire."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from instruments.bench import Bench
from orchestrator.ledger import Ledger
from tests.cli.test_commands import Run, run, small  # noqa: F401 fixtures

STATIONS = Path(__file__).parents[2] / "examples" / "stations"
WELL = {
    "oleic_acid": 100.0,
    "oleylamine": 30.0,
    "caesium_toluene": 200.0,
    "lead": 1503.0,
    "diluent": 1497.0,
}


def volumes(document: dict[str, Any]) -> dict[str, float]:
    return {name: v["value"] for name, v in document["volumes"].items()}


@pytest.fixture
def unwired(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a rehearsal must not open a wire")

    monkeypatch.setattr(Bench, "open", refuse)
    monkeypatch.setattr(Bench, "open_whole", refuse)


def test_a_flow_rehearsal_counts_what_its_pumps_deliver(
    run: Run,  # noqa: F811
    unwired: None,
) -> None:
    path = STATIONS / "flow_harvard_ocean_eurotherm.yaml"
    code, document, _ = run("station", "dry-run", path, "--recipe", "flow_velocity=3 cm/s")
    assert code == 0
    assert document["recipes"][0]["flow_velocity"] == 30.0
    flows = [c for c in document["commands"] if c["volumes"]]
    for command in flows:
        drawn = command["arguments"][0] * command["duration"]
        assert sum(command["volumes"].values()) == pytest.approx(drawn)
    flush = next(c for c in flows if c["instrument"] == "pump_toluene")
    line = 60.0 + 125.66370614 + 5.0  # µL to the probe at 1 m
    least = 15.0 * 20.0 + 4.0 * line  # the lamp is read while the pump still runs
    assert least <= flush["volumes"]["toluene"] <= least + 15.0 * 20.0
    total = volumes(document)
    assert document["waste"]["value"] == pytest.approx(sum(total.values()))
    assert total["toluene"] > 1000.0 and "acid_c8" not in total
    times = [c["time"] for c in document["commands"]]
    assert times == sorted(times) and times[-1] <= document["duration"]["value"]
    last = document["commands"][-30:]
    assert any(c["command"] == "to_safe_state" for c in last), "a rig is left safe"


@pytest.mark.parametrize("name", ["larp_plate", "anion_exchange", "topo_batch", "micropipette"])
def test_every_station_rehearses(run: Run, unwired: None, name: str) -> None:  # noqa: F811
    words = {
        "larp_plate": ["--recipe", "duration=0.5"],
        "anion_exchange": ["--recipe", "observation=titration"],
        "micropipette": ["--recipe", "reaction_time=60"],
    }.get(name, [])
    code, document, _ = run("station", "dry-run", STATIONS / f"{name}.yaml", *words)
    assert code == 0
    assert document["commands"] and document["duration"]["value"] > 0.0
    drawn = {
        "larp_plate": WELL,
        "anion_exchange": {"nanocrystals": 15.0, "hexane": 2985.0, "tmsi_titration": 240.0},
        "topo_batch": {"caesium_dopa": 1e3, "lead": 1.2e3, "topo": 336.0, "solvent": 17464.0},
        "micropipette": {
            "lead_acetate": 5.0,
            "caesium_acetate": 5.0,
            "diluent": 20.0,
            "bromobenzene": 1e3,
        },
    }
    assert volumes(document) == pytest.approx(drawn[name])


def test_people_read_the_same(run: Run) -> None:  # noqa: F811
    path = STATIONS / "topo_batch.yaml"
    text = run("station", "dry-run", path, as_json=False)[1]
    assert "vessel charge dopa, 2, 6, 30: 1000.0 µL caesium_dopa" in text
    assert "waste: at most 20000.0 µL" in text


def test_a_plate_for_which_a_stock_falls_short_is_refused(
    run: Run,  # noqa: F811
    tmp_path: Path,
) -> None:
    plate = tmp_path / "plate.yaml"
    plate.write_text("recipes: [{duration: 0}, {duration: 0, pbbr2_volume: 150}]\n")
    need = 1503.0 + 751.5
    for there, code in ((need, 0), (need - 50.0, 2)):
        path = tmp_path / "s.yaml"
        path.write_text(
            "station: larp_plate\nlab: a\nstocks:\n"
            f"  lead: {{lot: PB-7, volume: {there} µL}}\nwaste: {{capacity: 10 L}}\n"
        )
        found, document, err = run("station", "dry-run", path, "--recipes", plate)
        assert found == code, err
        assert (code == 0) == bool(document)
    assert "'PB-7' holds 2204" in err and "takes 2254" in err


def test_all_refusals_come_together(run: Run, tmp_path: Path) -> None:  # noqa: F811
    path = tmp_path / "s.yaml"
    path.write_text(
        "station: topo_batch\nlab: a\ndemand: [cell]\nwaste: {capacity: 1 mL}\n"
        "stocks: {lead: {lot: A, volume: 1 mL, expires: 2020-01-01}}\n"
    )
    code, _, err = run("station", "dry-run", path)
    assert code == 2
    assert all(word in err for word in ("'cell'", "2020-01-01", "lot 'A' holds", "waste"))
    code, _, err = run("station", "dry-run", path, "--recipe", "temperature=100")
    assert code == 2
    assert all(word in err for word in ("'cell'", "2020-01-01", "hexane boils"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--recipe", "temperatur=3"], "did you mean 'temperature'"),
        (["--recipe", "temperature=3 mm"], "dimension"),
        (["--recipe", "temperature=hot"], "number with its unit"),
        (["--recipe", "temperature=500"], "must be within 20 to 110"),
        (["--recipe", "temperature=30", "--recipe", "temperature=31"], "given twice"),
        (["--recipe", "temperature=30", "--recipe", "a.yaml"], "or one file"),
        (["--recipes", "x.yaml", "--recipe", "temperature=30"], "instead of"),
    ],
)
def test_recipes_that_cannot_be_understood(
    run: Run,  # noqa: F811
    words: list[str],
    said: str,
) -> None:
    code, _, err = run("station", "dry-run", STATIONS / "topo_batch.yaml", *words)
    assert code == 2 and said in err


def test_one_recipe_from_a_file(run: Run, tmp_path: Path) -> None:  # noqa: F811
    recipe = tmp_path / "r.yaml"
    recipe.write_text("temperature: {value: 310, unit: kelvin}\nreaction_time: 2 min\n")
    found = run("station", "dry-run", STATIONS / "topo_batch.yaml", "--recipe", recipe)[1]
    assert found["recipes"][0]["temperature"] == pytest.approx(36.85)
    assert found["recipes"][0]["reaction_time"] == pytest.approx(120.0)


def test_the_reference_shows_a_rehearsal(run: Run) -> None:  # noqa: F811
    page = (STATIONS.parents[1] / "docs" / "reference" / "json.md").read_text()
    block = page.split("## A rehearsal", 1)[1].split("```json", 1)[1].split("```", 1)[0]
    shown = json.loads(block)
    document = run("station", "dry-run", STATIONS / "topo_batch.yaml")[1]
    assert list(shown) == list(document)
    charge = next(c for c in document["commands"] if c["command"] == "charge")
    assert shown["commands"][0] == {**charge, "volumes": pytest.approx(charge["volumes"])}
    assert shown["duration"] == document["duration"]


def test_a_procedure_by_hand_runs_on_the_station_s_own_wires(run: Run) -> None:  # noqa: F811
    path = STATIONS / "flow_harvard_ocean_eurotherm.yaml"
    code, document, err = run("station", "procedure", path, "prime", "--stock", "lead_bromide")
    assert code == 0, err
    assert document["values"]["volume_lead_bromide"] == {
        "value": pytest.approx(390.0),
        "unit": "µL",
    }
    assert document["duration"]["value"] > 26.0
    assert "priming lead_bromide" in err
    for words, said in (
        (["prime"], "--stock NAME"),
        (["wash", "--stock", "toluene"], "--stock NAME"),
        (["polish"], "must be one of prime, wash"),
        (["prime", "--stock", "lead"], "has no lead"),
    ):
        code, _, err = run("station", "procedure", path, *words)
        assert code == 2 and said in err
    assert run("station", "procedure", STATIONS / "topo_batch.yaml", "wash")[0] == 2


def test_a_procedure_says_which_device_is_dead(run: Run, tmp_path: Path) -> None:  # noqa: F811
    path = tmp_path / "dead.yaml"
    path.write_text(
        "station: flow_synthesis\nlab: a\ninstruments:\n"
        "  thermostat: {driver: eurotherm_modbus, timeout: 0.1, absent: [thermostat]}\n"
    )
    code, _, err = run("station", "procedure", path, "dark")
    assert code == 5 and "thermostat" in err


def test_an_override_is_recorded_and_needs_a_name_and_a_reason(
    run: Run,  # noqa: F811
    tmp_path: Path,
) -> None:
    campaign = tmp_path / "hot.yaml"
    campaign.write_text(
        "name: hot\nstation: topo_batch\nspace:\n"
        "  - {name: temperature, low: 95, high: 105, unit: degC}\n"
        "  - {name: reaction_time, value: 10, unit: s}\n"
        "objectives: [{observable: mean_size, goal: maximise}]\n"
        "agent: {name: sobol}\nbudget: {trials: 1}\n"
    )
    place = tmp_path / "s.yaml"
    place.write_text(
        "station: topo_batch\nlab: a\nwaste: {capacity: 10 L}\nfluids: {wash: hexane}\n"
    )
    code, _, err = run("launch", campaign, "--station", place)
    assert code == 2 and "hexane boils" in err
    for words in (
        ["--override", "boiling"],
        ["--by", "A"],
        ["--override", "boiling", "--by", "A"],
    ):
        code, _, err = run("launch", campaign, "--station", place, *words)
        assert code == 2 and "--reason TEXT" in err
    told = ["--override", "boiling", "--by", "A. Person", "--reason", "sealed, 5 bar"]
    code, document, err = run("launch", campaign, "--station", place, *told)
    assert code == 0, err
    with Ledger.open(f"sqlite:///{tmp_path / 'cli.db'}") as ledger:
        events = list(ledger.events(document["campaign"]))
    said = {"rule": "boiling", "by": "A. Person", "reason": "sealed, 5 bar"}
    assert events[0].read().declared["lab"]["place"]["overrides"] == [said]
    (measured,) = [e.read() for e in events if e.type == "trial.measured"]
    assert any("A. Person" in w for w in measured.warnings)
    assert run("replay", "verify", document["campaign"])[0] == 0


def test_a_launch_with_an_old_calibration_is_refused_before_anything(
    run: Run,  # noqa: F811
    small: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    place = tmp_path / "s.yaml"
    place.write_text(
        "station: flow_synthesis\nlab: a\ndemand: [lamp]\n"
        "calibrations: {lamp: {date: 2020-01-01, valid_days: 30}}\n"
    )
    code, _, err = run("launch", small, "--station", place)
    assert code == 2 and "holds for 30 days" in err
    assert not (tmp_path / "cli.db").exists()


def test_carrier_oil_goes_into_the_waste_and_gas_does_not(run: Run) -> None:  # noqa: F811
    def drawn(carrier: str) -> tuple[dict[str, float], float]:
        words = ["--recipe", f"flow_format={carrier}", "--recipe", "flow_velocity=15"]
        document = run("station", "dry-run", STATIONS / "flow.yaml", *words)[1]
        return volumes(document), document["waste"]["value"]

    oiled, waste = drawn("liquid_liquid")
    liquid = sum(v for n, v in oiled.items() if n not in ("fluorinated_oil", "toluene"))
    assert oiled["fluorinated_oil"] > liquid, "half of the stream is oil, the rest has toluene too"
    assert waste == pytest.approx(sum(oiled.values()))
    assert "fluorinated_oil" not in drawn("gas_liquid")[0]
