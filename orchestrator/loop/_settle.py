"""What an earlier process left, decided from the record alone."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.campaign import Campaign
from orchestrator.events import CampaignStopped, Event, TrialRejected, TrialResolved
from orchestrator.ledger import TrialRow


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


def unheeded_stop(events: Sequence[Event]) -> str:
    """Return why the station was to stop, where a process died before it recorded that."""
    for event in reversed(events):
        payload = event.read()
        if isinstance(payload, CampaignStopped):
            return ""
        if isinstance(payload, TrialRejected) and payload.verdict.kind == "stop":
            return "; ".join(payload.verdict.reasons) or "the station stopped"
    return ""


__all__ = ["policy_decision", "unheeded_stop"]
