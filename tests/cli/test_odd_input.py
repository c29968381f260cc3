"""Odd input that a hard user tried: refused with the rule, or taken as the contract says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.campaign import check_campaign
from orchestrator.cli import main
from orchestrator.errors import InputRefusedError, NotFoundError
from orchestrator.ledger import Ledger
from orchestrator.loop import check_feasible, create_campaign, station_of
from orchestrator.replay.pool import read_goal
from orchestrator.twins.catalogue import twin
from orchestrator.twins.running import check_suffix, run_twin
from tests.loop.campaigns import SMALL

EXAMPLE = Path(__file__).parents[2] / "examples" / "flow_green.yaml"


def changed(**changes: Any) -> dict[str, Any]:
    return {**yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")), **changes}


@pytest.mark.parametrize("step", [1e-300, 1e-12])
def test_a_step_too_fine_for_memory_is_refused(step: float) -> None:
    document = changed()
    ranged = next(p for p in document["space"] if "low" in p and not p.get("log"))
    ranged["step"] = step
    with pytest.raises(InputRefusedError, match="at most 100000 values"):
        check_campaign(document)


@pytest.mark.parametrize("name", ["two\nlines", "nul\0", "red\x1b[31m"])
def test_a_name_that_would_break_a_listing_is_refused(name: str) -> None:
    with pytest.raises(InputRefusedError, match="printable"):
        check_campaign(changed(name=name))


def test_a_truth_value_is_no_seed() -> None:
    with pytest.raises(InputRefusedError, match="seed"):
        check_campaign(changed(seed=True))


@pytest.mark.parametrize("empty", [False, True])
def test_a_missing_or_empty_database_is_created_at_head(
    tmp_path: Path, empty: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "fresh.db"
    if empty:
        path.touch()
    with pytest.raises(SystemExit) as stop:
        main(["list", "--json", "--db", f"sqlite:///{path}"])
    assert stop.value.code == 0
    assert json.loads(capsys.readouterr().out) == {"campaigns": []}


def test_an_ambiguous_name_says_what_to_use_instead(tmp_path: Path) -> None:
    with Ledger.open(f"sqlite:///{tmp_path / 'two.db'}") as ledger:
        ids = [create_campaign(ledger, check_campaign(SMALL)) for _ in range(2)]
        with pytest.raises(NotFoundError, match="use one of these instead of the name") as refusal:
            ledger.campaign(SMALL["name"])
    assert all(i in str(refusal.value) for i in ids)


def test_a_model_that_a_twin_lacks_is_refused_by_its_option() -> None:
    with pytest.raises(InputRefusedError, match="--model reduced"):
        run_twin(twin("micropipette"), {}, None, "reduced")


def test_spectra_want_a_folder_that_exists(tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError, match="folder that exists"):
        check_suffix(tmp_path / "none" / "x.npz")


@pytest.mark.parametrize(
    "changes",
    [{"budget": {"trials": True}}, {"lab": {"hidden": True}}, {"batch": True},
     {"stop": {"no_improvement": True}}],
    ids=lambda c: next(iter(c)),
)  # fmt: skip
def test_a_truth_value_is_no_count(changes: dict[str, Any]) -> None:
    with pytest.raises(InputRefusedError, match=next(iter(changes))):
        check_campaign(changed(**changes))


@pytest.mark.parametrize(("batch", "trials", "fits"), [(3, 9, False), (2, 9, True), (3, 2, True)])
def test_a_step_of_more_recipes_than_there_are_is_refused(
    batch: int, trials: int, fits: bool
) -> None:
    """The campaign was accepted, and failed at its first step."""
    space = [
        {"name": "lead_concentration", "value": 5, "unit": "mmol/L"},
        {"name": "halide_salt", "choices": ["none", "ZnI2"]},
        {"name": "salt_concentration", "value": 4, "unit": "mmol/L",
         "when": {"halide_salt": ["ZnI2"]}},
    ]  # fmt: skip
    document = {**SMALL, "space": space, "batch": batch, "budget": {"trials": trials}}
    campaign = check_campaign(document)
    if fits:
        check_feasible(campaign, station_of(campaign))
        return
    with pytest.raises(InputRefusedError, match="a step needs 3 different recipes"):
        check_feasible(campaign, station_of(campaign))


def test_a_refused_import_makes_no_database(tmp_path: Path) -> None:
    table, mapping, made = tmp_path / "t.csv", tmp_path / "m.yaml", tmp_path / "made.db"
    table.write_text("x,peak\nmuch,500\n")
    mapping.write_text(
        "name: n\nparameters: [{name: x, column: x}]\nobservables: [{name: peak, column: peak}]\n"
    )
    with pytest.raises(SystemExit) as stop:
        main(["import", str(table), "--mapping", str(mapping), "--db", f"sqlite:///{made}"])
    assert stop.value.code == 2
    assert not made.exists()


@pytest.mark.parametrize(
    "within",
    [{"value": float("nan")}, {"value": float("inf")}, {"value": True},
     {"tolerance": float("inf")}, {"tolerance": True}],
)  # fmt: skip
def test_a_goal_without_a_number_is_refused(within: dict[str, Any]) -> None:
    item = {"observable": "peak", "value": 500.0, "tolerance": 3, **within}
    with pytest.raises(InputRefusedError, match="goal within"):
        read_goal({"within": [item]})
