"""A person is an instrument: asks, makes, measures, tells, some of it days later."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.cli import main
from orchestrator.ledger import Ledger

EXAMPLES = Path(__file__).parents[2] / "examples"
STATION = EXAMPLES / "stations" / "bench_by_hand.yaml"
Run = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object) -> tuple[int, Any, str]:
        line = [*map(str, words), "--json", "--db", f"sqlite:///{tmp_path / 'x.db'}"]
        with pytest.raises(SystemExit) as stop:
            main(line)
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), json.loads(out) if out else None, err

    return call


@pytest.fixture
def campaign(run: Run, tmp_path: Path) -> str:
    document = yaml.safe_load((EXAMPLES / "by_hand" / "flask.yaml").read_text())
    document |= {"agent": {"name": "sobol"}, "budget": {"trials": 2}}
    (tmp_path / "flask.yaml").write_text(yaml.safe_dump(document))
    code, made, err = run("launch", tmp_path / "flask.yaml", "--station", STATION)
    assert (code, made["state"], made["trials"]) == (0, "running", 1)
    assert f"dotpilot ask {made['campaign']}" in err
    return str(made["campaign"])


def _file(folder: Path, name: str, document: Any) -> Path:
    (folder / name).write_text(yaml.safe_dump(document))
    return folder / name


def test_a_campaign_by_hand_from_the_first_recipe_to_a_clean_verify(
    run: Run, campaign: str, tmp_path: Path
) -> None:
    _, sheet, _ = run("ask", campaign, "--lab", "attic")
    assert sheet["trial"] == 1 and sheet["recipe"]["growth_time"]["unit"] == "s"
    assert run("ask", campaign, "--lab", "attic")[1]["lease"] == sheet["lease"]
    assert run("ask", campaign, "--lab", "attic", "--another")[1]["trial"] is None
    first = _file(
        tmp_path, "a.yaml", {"observables": {"peak_emission": {"value": 2.4, "unit": "eV"}}}
    )
    made = _file(tmp_path, "m.yaml", {"growth_time": {"value": 0.1, "unit": "minute"}})
    words = ("tell", campaign, 1, "--lab", "attic")
    code, trial, _ = run(*words, "--results", first, "--achieved", made, "--partial")
    assert (code, trial["state"]) == (0, "running")
    known = run("ask", campaign, "--lab", "attic")[1]["known"]
    assert known["achieved"] == {"growth_time": 6.0}, "what was told is not lost in between"
    rest = {"observables": {"emission_fwhm": {"value": 21, "unit": "nm", "se": 0.5}}}
    code, trial, _ = run(*words, "--results", _file(tmp_path, "b.yaml", rest))
    assert (code, trial["state"]) == (0, "completed")
    assert trial["achieved"]["growth_time"] == {"value": 6.0, "unit": "s"}
    peak = trial["observables"]["peak_emission"]
    assert peak["value"] == pytest.approx(516.6, abs=0.05) and peak["se"] is None
    assert trial["observables"]["emission_fwhm"]["se"] == 0.5
    assert run("ask", campaign, "--lab", "attic")[1]["trial"] == 2
    dark = _file(tmp_path, "c.yaml", {"failed": {"reason": "no_emission", "message": "black"}})
    code, trial, _ = run("tell", campaign, 2, "--lab", "attic", "--results", dark)
    assert (code, trial["state"], trial["failure"]) == (0, "failed", "no_emission")
    assert run("show", campaign)[1]["state"] == "finished"
    assert run("ask", campaign)[1] == {"campaign": campaign, "state": "finished", "trial": None}
    code, found, _ = run("replay", "verify", campaign)
    assert (code, found["observables_checked"], found["proposals_ok"]) == (0, 2, 2)


@pytest.mark.parametrize(
    ("results", "word"),
    [
        ({"observables": {"colour": {"value": 1}}}, "no observable 'colour'"),
        ({"observables": {"plqy": {"value": 1, "unit": "nm"}}}, "dimension"),
        ({"conditions": {"plqy": {"value": 1, "unit": ""}}}, "plqy is an observable"),
        ({"conditions": {"humidity": {"value": 1, "unit": "percent"}}}, "no observable is known"),
        ({"observations": {}}, "observations"),
        ({"failed": {"reason": "Too dark!"}}, "failed.reason"),
    ],
)
def test_what_cannot_be_right_is_refused_and_nothing_is_recorded(
    run: Run, campaign: str, tmp_path: Path, results: dict[str, Any], word: str
) -> None:
    run("ask", campaign)
    path = _file(tmp_path, "bad.yaml", results)
    code, _, err = run("tell", campaign, 1, "--results", path)
    assert code == 2 and word in err
    with Ledger.open(f"sqlite:///{tmp_path / 'x.db'}") as ledger:
        assert ledger.trial(campaign, 1).state == "dispatched"


def test_a_trial_that_the_lab_does_not_hold_is_not_found(
    run: Run, campaign: str, tmp_path: Path
) -> None:
    path = _file(tmp_path, "r.yaml", {"observables": {"plqy": {"value": 0.5}}})
    code, _, err = run("tell", campaign, 1, "--results", path)
    assert code == 3 and "dotpilot ask" in err


def test_a_pause_keeps_recipes_back_until_the_campaign_is_resumed(run: Run, campaign: str) -> None:
    assert run("pause", campaign, "--reason", "holiday")[1]["state"] == "paused"
    assert run("ask", campaign)[1]["trial"] is None
    assert run("resume", campaign)[1]["state"] == "running"
    assert run("ask", campaign)[1]["trial"] == 1
    assert run("drain", campaign)[1]["state"] == "draining"
    code, stopped, _ = run("abort", campaign)
    assert (code, stopped["state"], stopped["stop_reason"]) == (0, "stopped", "stopped")


def test_a_local_campaign_is_stopped_and_has_nothing_to_ask(run: Run, tmp_path: Path) -> None:
    from tests.loop.campaigns import SMALL

    path = _file(tmp_path, "small.yaml", {**SMALL, "approval": True})
    made = run("launch", path)[1]["campaign"]
    code, stopped, _ = run("abort", made)
    assert (code, stopped["state"]) == (0, "stopped")
    assert run("ask", made)[0] == 2


def test_a_station_of_another_name_is_refused_before_a_database_is_made(
    run: Run, tmp_path: Path
) -> None:
    from tests.loop.campaigns import SMALL

    path = _file(tmp_path, "small.yaml", SMALL)
    for station in (STATION, EXAMPLES / "stations" / "larp_plate.yaml"):
        code, _, err = run("launch", path, "--station", station)
        assert code == 2 and "--station" in err
    assert not (tmp_path / "x.db").exists()
