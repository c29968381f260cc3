"""A station may choose which of a step's trials is next; the record says in which order."""

from __future__ import annotations

from pathlib import Path

from orchestrator.campaign import check_campaign
from orchestrator.ledger import Ledger
from orchestrator.loop import create_campaign, drive
from orchestrator.replay.verify import verify_campaign
from tests.loop.campaigns import SMALL, Silent


def order(path: Path, choose: bool) -> tuple[list[int], list[float], bool]:
    place = {"procedures": {"flush": {"volumes": 1.0}, "carry_over": {"choose": choose}}}
    document = {**SMALL, "lab": {"place": place}, "batch": 4, "budget": {"trials": 4}}
    with Ledger.open(f"sqlite:///{path}") as ledger:
        made = create_campaign(ledger, check_campaign(document))
        drive(ledger, made, Silent())
        measured = [e.read() for e in ledger.events(made) if e.type == "trial.measured"]
        clean = verify_campaign(ledger, made)
        ran = [m.trial for m in measured]
        left = [
            m.conditions["carry_over"]["value"] for m in measured if "carry_over" in m.conditions
        ]
        return ran, left, not clean.findings


def test_trials_run_in_the_order_that_leaves_least(tmp_path: Path) -> None:
    ran, left, clean = order(tmp_path / "chosen.db", True)
    plain, before, also = order(tmp_path / "plain.db", False)
    assert plain == [1, 2, 3, 4] and sorted(ran) == plain
    assert sum(left) < sum(before)
    assert clean and also
