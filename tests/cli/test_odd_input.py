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
from orchestrator.loop import create_campaign
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
