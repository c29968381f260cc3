"""The command line as scripts see it: documents, exit codes, refusals."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.cli import main
from tests.loop.campaigns import SMALL

ROOT = Path(__file__).parents[2]
BAD = sorted((ROOT / "examples" / "bad").iterdir())
Run = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command on a fresh database: exit code, document or text, stderr."""

    def call(*words: object, as_json: bool = True) -> tuple[int, Any, str]:
        line = [str(w) for w in words] + ["--db", f"sqlite:///{tmp_path / 'cli.db'}"]
        with pytest.raises(SystemExit) as stop:
            main([*line, "--json"] if as_json else line)
        out, err = capsys.readouterr()
        document = json.loads(out) if as_json and out else out
        return int(stop.value.code or 0), document, err

    return call


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    return path


def test_launch_list_show_and_trials_have_the_contract_s_shapes(run: Run, small: Path) -> None:
    code, launched, err = run("launch", small)
    assert code == 0
    assert launched["state"] == "finished" and launched["stop_reason"] == "budget_spent"
    assert (launched["trials"], launched["completed"]) == (4, 4)
    best = launched["best"]
    assert set(best) == {"trial", "recipe", "observables"}
    assert set(best["observables"]["plqy"]) == {"value", "unit", "se", "method"}
    assert best["recipe"]["flow_velocity"]["unit"] == "mm/s"
    assert isinstance(best["recipe"]["halide_salt"], str)
    assert "trial 4 of 4" in err
    campaign = launched["campaign"]
    assert run("show", campaign)[1] == launched
    listed = run("list")[1]["campaigns"]
    created_at = listed[0].pop("created_at")
    assert run("show", "small")[1]["created_at"] == created_at
    assert listed == [
        {"campaign": campaign, "name": "small", "state": "finished", "trials": 4,
         "stop_reason": "budget_spent"}
    ]  # fmt: skip
    trials = run("trials", campaign)[1]["trials"]
    assert [t["trial"] for t in trials] == [1, 2, 3, 4]
    for trial in trials:
        proposal = trial["proposal"]
        assert {"agent", "step", "predicted", "policy_value", "history_hash"} <= set(proposal)
        assert trial["verdict"]["kind"] in ("accept", "accept_wide")
        salt = trial["recipe"]["halide_salt"]
        assert ("salt_concentration" in trial["recipe"]) == (salt != "none")
    code, text, _ = run("trials", campaign, "--csv", as_json=False)
    assert text.splitlines()[0].startswith("trial,attempt,state")
    assert len(text.splitlines()) == 5


def test_require_target_and_a_second_resume(run: Run, small: Path) -> None:
    code, launched, _ = run("launch", small, "--require-target")
    assert code == 10
    code, again, _ = run("resume", launched["campaign"])
    assert (code, again["state"]) == (0, "finished")


def test_replay_view_verify_and_fork(run: Run, small: Path) -> None:
    campaign = run("launch", small)[1]["campaign"]
    code, found, _ = run("replay", "verify", campaign)
    assert code == 0
    assert found["findings"] == [] and found["diverged_at"] is None
    viewed = run("replay", "view", campaign, "--at", 3)[1]
    assert (viewed["trials"], viewed["completed"]) == (2, 0)
    code, _, err = run("replay", "view", campaign, "--at", 999)
    assert code == 3 and "--at must be" in err
    # trial 1 ends with event 7: a fork from there continues as the parent did
    code, forked, _ = run("fork", campaign, "--at", 12)
    assert (code, forked["parent"], forked["forked_at"]) == (0, campaign, 12)
    assert forked["state"] == "draft" and forked["completed"] == 2
    resumed = run("resume", forked["campaign"])[1]
    assert resumed["completed"] == 4
    first, second = (run("trials", c)[1]["trials"] for c in (campaign, forked["campaign"]))
    assert [t["recipe"] for t in first] == [t["recipe"] for t in second]
    assert [t["observables"] for t in first] == [t["observables"] for t in second]
    assert run("replay", "verify", forked["campaign"])[0] == 0
    other = run("fork", campaign, "--at", 12, "--agent", "random", "--seed", 9)[1]
    assert (other["agent"], other["seed"]) == ("random", 9)


def test_an_edited_digit_is_exit_20(run: Run, small: Path, tmp_path: Path) -> None:
    import sqlite3

    campaign = run("launch", small)[1]["campaign"]
    connection = sqlite3.connect(tmp_path / "cli.db")
    connection.execute("UPDATE trial SET predicted='{}', policy='sobel' WHERE number=2")
    connection.commit()
    connection.close()
    code, found, _ = run("replay", "verify", campaign)
    assert code == 20
    assert any(f["where"] == "trial 2" for f in found["findings"])


@pytest.mark.parametrize("file", BAD, ids=lambda p: p.stem)
def test_a_bad_file_is_refused_before_anything_is_written(
    run: Run, tmp_path: Path, file: Path
) -> None:
    code, document, err = run("launch", file)
    assert (code, document) == (2, "")
    assert err.startswith("dotpilot: ") and "Traceback" not in err
    assert not (tmp_path / "cli.db").exists()


def test_every_mistake_of_a_file_is_named_at_once(run: Run) -> None:
    _, _, err = run("launch", ROOT / "examples" / "bad" / "many.yaml")
    for word in ("seed", "60 mmol/L", "flow_velocity'?", "ZnBr2", "peak_emission'?", "maximize",
                 "initial'?", "many", "in_doubt"):  # fmt: skip
        assert word in err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["show", "nothing"], 3),
        (["launch", "no-such-file.yaml"], 3),
        (["station", "show", "flow_synthesys"], 3),
        (["agent", "show", "bayse"], 3),
        (["trials"], 2),
        (["frobnicate"], 2),
    ],
)
def test_refusals_have_their_exit_codes(run: Run, words: list[str], code: int) -> None:
    found, _, err = run(*words)
    assert found == code
    assert err and "Traceback" not in err


def test_what_is_installed_is_listed(run: Run) -> None:
    station = run("station", "show", "flow_synthesis")[1]
    assert {p["name"] for p in station["parameters"]} >= {"flow_velocity", "halide_salt"}
    assert {o["name"] for o in station["observables"]} >= {"peak_emission", "plqy"}
    assert {a["name"] for a in run("agent", "list")[1]["agents"]} >= {"random", "sobol", "bayes"}


def test_approval_waits_for_a_person(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "approval.yaml"
    path.write_text(yaml.safe_dump({**SMALL, "approval": True}))
    code, paused, err = run("launch", path)
    assert (code, paused["state"], paused["completed"]) == (0, "paused", 0)
    assert "awaits approval" in err
    run("approve", paused["campaign"], 1)
    resumed = run("resume", paused["campaign"])[1]
    assert (resumed["state"], resumed["completed"]) == ("paused", 1)
    run("approve", paused["campaign"])
    assert run("resume", paused["campaign"])[1]["completed"] == 2


def test_the_command_line_is_light() -> None:
    code = (
        "import sys, orchestrator.cli; heavy = {'torch', 'ax', 'botorch', 'scipy', 'matplotlib', "
        "'httpx', 'fastapi', 'sqlalchemy', 'pint'} & set(sys.modules); print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_worker_starts_without_the_database_and_the_agents_libraries() -> None:
    code = (
        "import sys, orchestrator.worker; heavy = {'torch', 'botorch', 'scipy.stats', "
        "'sqlalchemy', 'matplotlib', 'fastapi'} & set(sys.modules); print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
