"""What an earlier process left, decided from the record alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from orchestrator.campaign import Campaign
from orchestrator.events import (
    CampaignStopped,
    Event,
    TrialInDoubt,
    TrialRejected,
    TrialResolved,
)
from orchestrator.ledger import TrialRow

MOST_LOST = 5  # assumed, because a wire that spoils one trial in three does so once in 240


def policy_decision(campaign: Campaign, repeatable: bool, trial: TrialRow) -> TrialResolved | None:
    """Return what the campaign's rule, or the station's, makes of a doubt; None asks a person."""
    policy = campaign.in_doubt or ("repeat" if repeatable else "ask")
    if policy == "ask":
        return None
    return TrialResolved(
        trial=trial.number,
        attempt=trial.attempt,
        decision="repeat" if policy == "repeat" else "abandon",
        by="policy",
        note="the campaign's in_doubt rule" if campaign.in_doubt else "station is repeatable",
    )


def lost_too_often(events: Sequence[Event], trial: int) -> bool:
    """Whether attempts of a trial were lost `MOST_LOST` times: a device needs a person."""
    lost = sum(
        1
        for event in events
        if event.type == TrialInDoubt.TYPE and cast(TrialInDoubt, event.read()).trial == trial
    )
    return lost >= MOST_LOST


def unheeded_stop(events: Sequence[Event]) -> str:
    """Return why the station was to stop, where a process died before it recorded that."""
    for event in reversed(events):
        payload = event.read()
        if isinstance(payload, CampaignStopped):
            return ""
        if isinstance(payload, TrialRejected) and payload.verdict.kind == "stop":
            return "; ".join(payload.verdict.reasons) or "the station stopped"
    return ""


__all__ = ["lost_too_often", "policy_decision", "unheeded_stop"]
