"""driver list, station check and stop, and a campaign on a station file's drivers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_commands import Run, run, small  # noqa: F401 fixtures

WIRED = Path(__file__).parents[2] / "examples" / "stations" / "flow_harvard_ocean_eurotherm.yaml"


@pytest.fixture
def dead(tmp_path: Path) -> Path:
    part = "driver: harvard_elite11, timeout: 0.2, absent: [toluene, acid_c8]"
    path = tmp_path / "dead.yaml"
    path.write_text(WIRED.read_text().replace("driver: harvard_elite11", part))
    return path


def test_drivers_are_listed_and_none_is_said_to_be_verified(run: Run) -> None:  # noqa: F811
    drivers = run("driver", "list")[1]["drivers"]
    found = next(d for d in drivers if d["name"] == "harvard_elite11")
    assert found["parts"] == ["pumps"] and found["emulated"]
    assert not any(d["verified_on_hardware"] for d in drivers)


def test_a_check_names_every_dead_device(run: Run, dead: Path) -> None:  # noqa: F811
    code, document, _ = run("station", "check", WIRED)
    assert (code, document["ok"]) == (0, True)
    code, document, _ = run("station", "check", dead)
    assert (code, document["ok"]) == (5, False)
    devices = [d for part in document["parts"] for d in part["devices"]]
    assert {d["name"] for d in devices if not d["ok"]} == {"toluene", "acid_c8"}
    assert "DEAD toluene" in run("station", "check", dead, as_json=False)[1]


def test_a_stop_says_what_it_could_not_confirm(run: Run, dead: Path) -> None:  # noqa: F811
    code, document, _ = run("station", "stop", dead)
    assert code == 5
    assert {d["name"] for d in document["unconfirmed"]} == {"toluene", "acid_c8"}
    assert "lead_bromide" in document["safe"]
    assert run("station", "stop", WIRED)[0] == 0


def test_a_station_without_drivers_has_no_device_to_check(run: Run) -> None:  # noqa: F811
    code, _, err = run("station", "check", WIRED.with_name("flow.yaml"))
    assert code == 2
    assert "instruments" in err


def test_mistakes_of_a_wiring_are_named_together(run: Run, tmp_path: Path) -> None:  # noqa: F811
    path = tmp_path / "wrong.yaml"
    path.write_text(
        "station: flow_synthesis\nlab: a\ninstruments:\n"
        "  pump: {driver: harvard_elite11}\n"
        "  pumps: {driver: harward_elite11}\n"
        "  thermostat: {driver: harvard_elite11}\n"
    )
    code, _, err = run("station", "check", path)
    assert code == 2
    assert "did you mean 'harvard_elite11'" in err
    assert "instruments.pump" in err and "instruments.thermostat" in err


def test_a_campaign_on_drivers_is_the_one_on_simulated_instruments(
    run: Run,  # noqa: F811
    small: Path,  # noqa: F811
) -> None:
    def trials(*more: object) -> list[tuple[object, ...]]:
        code, campaign, _ = run("launch", small, *more)
        assert code == 0
        found = run("trials", campaign["campaign"])[1]["trials"]
        return [(t["recipe"], t["achieved"], t["observables"]) for t in found]

    assert trials("--station", WIRED) == trials()
