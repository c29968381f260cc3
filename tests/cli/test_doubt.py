"""Doubt: an interrupted trial waits for a decision, and each decision is recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.campaign import check_campaign
from orchestrator.decisions import resolve_doubt
from orchestrator.errors import ConflictError, InputRefusedError
from orchestrator.events import CampaignStarted, TrialDispatched, TrialRunning
from orchestrator.ledger import Ledger
from orchestrator.loop import create_campaign, drive
from orchestrator.replay import verify_campaign
from tests.loop.campaigns import SMALL, Silent
from tests.records import proposed


@pytest.fixture
def interrupted(tmp_path: Path) -> tuple[Ledger, str]:
    """A campaign that asks, with trial 1 under way and nobody there."""
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'doubt.db'}")
    document: dict[str, Any] = {**SMALL, "in_doubt": "ask", "batch": 1}
    campaign = create_campaign(ledger, check_campaign(document))
    original = Ledger.append

    class Cut(BaseException):
        pass

    def append(self: Ledger, *args: Any, **kwargs: Any) -> Any:
        event = original(self, *args, **kwargs)
        if isinstance(args[1], TrialRunning):
            raise Cut
        return event

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "append", append)
        with pytest.raises(Cut):
            drive(ledger, campaign, Silent())
    yield ledger, campaign
    ledger.close()


def test_a_campaign_that_asks_waits_for_the_decision(interrupted: tuple[Ledger, str]) -> None:
    ledger, campaign = interrupted
    assert ledger.trial(campaign, 1).state == "running"
    assert drive(ledger, campaign, Silent()) == "paused"
    assert ledger.trial(campaign, 1).state == "in_doubt"
    assert drive(ledger, campaign, Silent()) == "paused"
    resolve_doubt(ledger, campaign, 1, "repeat", "line was flushed")
    assert (ledger.trial(campaign, 1).state, ledger.trial(campaign, 1).attempt) == ("approved", 2)
    assert drive(ledger, campaign, Silent()) == "finished"
    assert ledger.trial(campaign, 1).state == "completed"
    assert verify_campaign(ledger, campaign).findings == []


def test_evidence_can_be_adopted_in_other_units(interrupted: tuple[Ledger, str]) -> None:
    ledger, campaign = interrupted
    seen = {
        "peak_emission": {"value": 2.43, "unit": "eV", "se": 0.002},
        "plqy": {"value": 61, "unit": "percent"},
    }
    resolve_doubt(ledger, campaign, 1, "adopt", "read from the screen", {"observables": seen})
    trial = ledger.trial(campaign, 1)
    assert trial.state == "completed"
    assert trial.observables["peak_emission"].value == pytest.approx(510.22, abs=0.01)
    assert trial.observables["peak_emission"].se == pytest.approx(0.42, abs=0.01)
    assert trial.observables["plqy"].value == pytest.approx(0.61)
    drive(ledger, campaign, Silent())
    assert verify_campaign(ledger, campaign).findings == []


def test_an_abandoned_trial_teaches_nothing(interrupted: tuple[Ledger, str]) -> None:
    ledger, campaign = interrupted
    resolve_doubt(ledger, campaign, 1, "abandon", "poured away")
    assert drive(ledger, campaign, Silent()) == "finished"
    assert [t.state for t in ledger.trials(campaign)] == ["abandoned"] + ["completed"] * 3


@pytest.mark.parametrize(
    ("decision", "note", "evidence", "word"),
    [
        ("guess", "x", None, "adopt, repeat or abandon"),
        ("repeat", " ", None, "note: must say why"),
        ("adopt", "x", None, "evidence: adopt needs"),
        ("abandon", "x", {"observables": {}}, "belongs to"),
        ("adopt", "x", {"observables": {"colour": {"value": 1}}}, "no observable 'colour'"),
        ("adopt", "x", {"observables": {"plqy": {"value": "bright"}}}, "plqy must be"),
        ("adopt", "x", {"peak": 3}, "evidence: observables must be"),
    ],
)
def test_a_bad_decision_is_refused_and_nothing_changes(
    interrupted: tuple[Ledger, str], decision: str, note: str, evidence: Any, word: str
) -> None:
    ledger, campaign = interrupted
    before = len(ledger.events(campaign))
    with pytest.raises(InputRefusedError, match=word):
        resolve_doubt(ledger, campaign, 1, decision, note, evidence)
    assert len(ledger.events(campaign)) == before


def test_nobody_decides_while_another_process_runs_the_campaign(
    interrupted: tuple[Ledger, str],
) -> None:
    ledger, campaign = interrupted
    with ledger.acquire(campaign), pytest.raises(ConflictError):
        resolve_doubt(ledger, campaign, 1, "repeat", "x")


def test_only_a_doubtful_trial_can_be_resolved(tmp_path: Path) -> None:
    with Ledger.open(f"sqlite:///{tmp_path / 'x.db'}") as ledger:
        campaign = create_campaign(ledger, check_campaign(SMALL))
        ledger.append(campaign, CampaignStarted(), actor="test")
        ledger.append(campaign, proposed(1, 1), actor="test")
        with pytest.raises(InputRefusedError, match="is proposed"):
            resolve_doubt(ledger, campaign, 1, "repeat", "x")
        ledger.append(
            campaign, TrialDispatched(trial=1, attempt=1, station="flow_synthesis"), actor="test"
        )
        resolve_doubt(ledger, campaign, 1, "abandon", json.dumps("x"))
        assert ledger.trial(campaign, 1).state == "abandoned"
