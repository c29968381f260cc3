"""Explanations of recorded campaigns: run, imported, forked, damaged, and by the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import text

from orchestrator.campaign import check_campaign
from orchestrator.cli import main
from orchestrator.errors import InputRefusedError, NotFoundError, RecordError
from orchestrator.explain import (
    DOCUMENT,
    explain_campaign,
    explain_trial,
    explanation_text,
    write_explanation,
)
from orchestrator.importing import import_file
from orchestrator.ledger import Ledger
from orchestrator.loop import create_campaign, drive
from orchestrator.replay import fork_campaign
from tests.importing.test_import import MAPPING
from tests.loop.campaigns import SMALL, Silent
from tests.report import stories

BAYES = {
    **SMALL,
    "agent": {"name": "bayes", "initial": 4, "iterations": 3},
    "budget": {"trials": 6},
}
Place = tuple[Path, str]


@pytest.fixture(autouse=True)
def no_shap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The optional library is as good as absent; its import alone takes ten seconds."""
    monkeypatch.setitem(sys.modules, "shap.explainers", None)


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Six trials of the simulated flow line, two of them by a model, in one step."""
    path = tmp_path_factory.mktemp("planned") / "x.db"
    with Ledger.open(f"sqlite:///{path}") as ledger:
        campaign = create_campaign(ledger, check_campaign(BAYES))
        drive(ledger, campaign, Silent())
        with ledger.engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path, campaign


def opened(place: Place) -> Ledger:
    return Ledger.open(f"sqlite:///{place[0]}")


def test_a_proposal_is_explained_by_the_model_that_made_it(planned: Place) -> None:
    """The model fitted again must predict what was recorded, and know no later trial."""
    with opened(planned) as ledger:
        found = explain_trial(ledger, planned[1], 6)
        row = ledger.trial(planned[1], 6)
    assert found["model"]["kind"] == "agent"
    assert (found["basis"]["trials"], found["basis"]["completed"]) == (4, 4)
    assert found["warnings"] == []
    assert found["policy"]["value"] == row.policy_value
    for name, entry in found["observables"].items():
        assert entry["predicted"]["mean"] == row.predicted[name]["mean"]
        assert entry["refitted"]["mean"] == pytest.approx(entry["predicted"]["mean"], rel=1e-6)
        low, high = entry["predicted"]["interval_95"]
        assert (high - low) / entry["predicted"]["sd"] == pytest.approx(3.92, abs=0.001)
        came, sd = row.observables[name], row.predicted[name]["sd"]
        spread = (sd**2 + (came.se or 0.0) ** 2) ** 0.5
        expected = (came.value - row.predicted[name]["mean"]) / spread
        assert entry["standardised_error"] == pytest.approx(expected)
    assert {n["trial"] for n in found["nearest"]} <= {1, 2, 3, 4}
    shares = found["learning"]["variance_removed"]
    assert set(shares) == set(found["observables"])
    assert all(0.0 <= s < 1.0 for s in shares.values())


def test_trials_of_the_design_say_what_a_model_would_have_said(planned: Place) -> None:
    with opened(planned) as ledger:
        first, third = (explain_trial(ledger, planned[1], n) for n in (1, 3))
    assert first["nearest"] == []
    assert all(e["refitted"] is None for e in first["observables"].values())
    assert first["learning"]["variance_removed"] == {}
    assert all(e["predicted"] is None for e in third["observables"].values())
    assert all(e["refitted"] for e in third["observables"].values())
    assert "nothing to predict it from" in explanation_text(first)
    assert "would have been predicted" in explanation_text(third)


def test_equal_records_give_equal_bytes(planned: Place, tmp_path: Path) -> None:
    with opened(planned) as ledger:
        for part, explain in (
            ("trial", lambda: explain_trial(ledger, planned[1], 5)),
            ("campaign", lambda: explain_campaign(ledger, planned[1])),
        ):
            names = []
            for again in ("a", "b"):
                files = write_explanation(explain(), tmp_path / part / again)
                names.append([f.name for f in files])
            assert names[0] == names[1]
            for name in names[0]:
                one, two = (tmp_path / part / again / name for again in ("a", "b"))
                assert one.read_bytes() == two.read_bytes(), name


def test_a_campaign_is_validated_and_mapped(planned: Place, tmp_path: Path) -> None:
    with opened(planned) as ledger:
        found = explain_campaign(ledger, planned[1])
    assert found["anchor"]["why"] == "best"
    for name, part in found["observables"].items():
        assert len(part["validation"]["trials"]) == part["values"]
        assert set(part["sensitivity"]["parameters"]) == set(found["parameters"])
        assert set(part["shap"]) == {"missing"}
        active = set(found["anchor"]["recipe"]) & set(found["parameters"])
        assert {s["parameter"] for s in part["slices"]} == active
        assert name.split("_")[0] in explanation_text(found).lower()
    names = {f.name for f in write_explanation(found, tmp_path / "out")}
    assert {DOCUMENT, "cross_validation.png", "calibration.svg", "sensitivity.png"} <= names
    assert {"slices_plqy.png", "contour_peak_emission.svg"} <= names
    assert not any("shap" in n for n in names)
    assert json.loads((tmp_path / "out" / DOCUMENT).read_text()) == found


def test_a_fork_is_explained_by_what_it_copied_and_then_by_itself(planned: Place) -> None:
    with opened(planned) as ledger:
        last = ledger.campaign(planned[1]).event_count
        made = fork_campaign(ledger, planned[1], last, agent="sobol")
        copied = explain_trial(ledger, made, 5)
        whole = explain_campaign(ledger, made)
    assert copied["basis"]["event"] is None
    assert copied["basis"]["trials"] == 4
    assert copied["basis"]["origin"] == {"campaign": planned[1], "trial": 5}
    assert "copied from another campaign" in copied["warnings"][0]
    assert whole["model"]["kind"] == "reference"
    assert "sobol has no model" in whole["model"]["text"]
    assert whole["observables"]["plqy"]["validation"] is not None


def test_imported_records_need_no_agent_and_no_objective(database: str, tmp_path: Path) -> None:
    table, mapping = tmp_path / "rows.csv", tmp_path / "mapping.yaml"
    rows = ["V,S,nm,eV,Y"] + [
        f"{v},{s},{500 + v},{0.1 if s == 'CF' else 0.08},{0.02 * v if v > 20 else ''}"
        for v in (10, 15, 20, 25, 30)
        for s in ("Tol", "CF")
    ]
    table.write_text("\n".join(rows) + "\n")
    mapping.write_text(yaml.safe_dump(MAPPING))
    with Ledger.open(database) as ledger:
        campaign, _, _ = import_file(ledger, table, mapping)
        whole = explain_campaign(ledger, campaign)
        trial = explain_trial(ledger, campaign, 10)
    assert whole["model"]["kind"] == "reference"
    assert "imported" in whole["model"]["text"]
    assert whole["anchor"]["why"] == "central"
    peak = whole["observables"]["peak"]
    assert peak["validation"]["r2"] > 0.9
    shares = peak["sensitivity"]["parameters"]
    assert shares["volume"]["total"] > 0.9 > 0.1 > shares["solvent"]["total"]
    assert whole["observables"]["plqy"]["values"] == 4
    assert trial["basis"]["trials"] == 9
    assert trial["nearest"][0]["trial"] in (8, 9)
    write_explanation(whole, tmp_path / "whole")
    write_explanation(trial, tmp_path / "trial")


@pytest.mark.parametrize(
    ("story", "completed"), [(stories.draft, 0), (stories.one_trial, 1), (stories.failed_only, 0)]
)
def test_records_that_teach_nothing_say_so(
    story: Callable[[Ledger], str], completed: int, tmp_path: Path
) -> None:
    with stories.open_ledger(tmp_path) as ledger:
        found = explain_campaign(ledger, story(ledger))
    assert found["completed"] == completed
    for part in found["observables"].values():
        assert f"but there are {completed}" in part["absent"]
        assert (part["validation"], part["slices"], part["contour"]) == (None, [], None)
    assert [f.name for f in write_explanation(found, tmp_path / "out")] == [DOCUMENT]
    assert "a model needs 2 measured values" in explanation_text(found)


def test_failed_trials_and_other_stations_are_taken_as_they_are(tmp_path: Path) -> None:
    """The bench of this record is not installed: its check is left out, and that is said."""
    with stories.open_ledger(tmp_path) as ledger:
        found = explain_campaign(ledger, stories.full(ledger))
    assert any("not considered" in w for w in found["warnings"])
    assert found["trials"] > found["completed"]
    part = found["observables"]["peak_emission"]
    assert part["values"] == found["completed"]
    assert {"lead_concentration", "halide_salt"} <= {s["parameter"] for s in part["slices"]}
    write_explanation(found, tmp_path / "out")


def test_a_proposal_that_saw_another_history_is_refused(tmp_path: Path) -> None:
    """The stories' proposals carry a made-up hash, as a forged record would."""
    with stories.open_ledger(tmp_path) as ledger:
        campaign = stories.full(ledger)
        with pytest.raises(RecordError, match="needs the history that was seen.*replay verify"):
            explain_trial(ledger, campaign, 3)


def test_a_damaged_record_is_refused(planned: Place, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_bytes(planned[0].read_bytes())
    with opened((copy, planned[1])) as ledger:
        with ledger.engine.begin() as connection:
            connection.execute(text("UPDATE observable SET value = value + 1"))
        with pytest.raises(RecordError, match="needs a record that is as it was written"):
            explain_campaign(ledger, planned[1])
    assert run("explain", planned[1], "--db", f"sqlite:///{copy}", "--quiet") == 20


def run(*words: str) -> Any:
    with pytest.raises(SystemExit) as stop:
        main([str(w) for w in words])
    return stop.value.code


def test_exit_codes_and_outputs(
    planned: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ("--db", f"sqlite:///{planned[0]}", "--quiet")
    assert run("explain", planned[1], "--trial", "5", "--json", *at) == 0
    assert json.loads(capsys.readouterr().out)["trial"] == 5
    assert run("explain", planned[1], "--trial", "5", *at) == 0
    assert "near trial" in capsys.readouterr().out
    assert run("explain", planned[1], "--trial", "5", "--out", tmp_path / "o", *at) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "o")
    assert (tmp_path / "o" / "prediction.png").read_bytes().startswith(b"\x89PNG")
    assert run("explain", planned[1], "--trial", "99", *at) == 3
    assert "a trial from 1 to 6, but got 99" in capsys.readouterr().err
    assert run("explain", "nothing", *at) == 3
    (tmp_path / "file").write_text("")
    assert run("explain", planned[1], "--trial", "5", "--out", tmp_path / "file", *at) == 2
    assert "--out must be a folder" in capsys.readouterr().err


def test_unknown_trials_and_folders_are_refused(planned: Place, tmp_path: Path) -> None:
    with opened(planned) as ledger:
        with pytest.raises(NotFoundError):
            explain_trial(ledger, planned[1], 7)
        found = explain_trial(ledger, planned[1], 1)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputRefusedError):
        write_explanation(found, tmp_path / "file")
