"""The stop rules of a campaign, asked after every trial."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.campaign import (
    Campaign,
    best_trial,
    target_reached,
    trials_without_improvement,
)
from orchestrator.events import CampaignFinished
from orchestrator.ledger import TrialRow
from orchestrator.loop._history import outcomes
from orchestrator.trial import ENDED


def stop_decision(campaign: Campaign, rows: Sequence[TrialRow]) -> CampaignFinished | None:
    """Return the event that finishes the campaign, or None while it goes on.

    The order is: target reached, no improvement, budget spent.
    """
    ended = sorted((r for r in rows if r.state in ENDED), key=lambda r: r.number)
    done = outcomes(ended)
    best = best_trial(done, campaign.objectives, campaign.confidence)
    if campaign.confidence is not None and target_reached(
        done, campaign.objectives, campaign.confidence
    ):
        detail = f"trial {best} meets every target and bound with {campaign.confidence:g} or more"
        return CampaignFinished(stop_reason="target_reached", detail=detail, trial=best)
    if campaign.no_improvement is not None:
        judged = [r.number for r in ended if not _awaits(campaign, r)]
        idle = trials_without_improvement(done, campaign.objectives, judged)
        if idle >= campaign.no_improvement:
            detail = f"no improvement in {idle} trials"
            return CampaignFinished(stop_reason="no_improvement", detail=detail, trial=best)
    if campaign.trials is not None and len(ended) >= campaign.trials:
        detail = f"{len(ended)} of {campaign.trials} trials"
        return CampaignFinished(stop_reason="budget_spent", detail=detail, trial=best)
    hours = lab_hours(rows)
    if campaign.hours is not None and hours >= campaign.hours:
        detail = f"{hours:.2f} of {campaign.hours:g} h on the station's clock"
        return CampaignFinished(stop_reason="budget_spent", detail=detail, trial=best)
    return None


def _awaits(campaign: Campaign, row: TrialRow) -> bool:
    """Whether a trial can be neither an improvement nor none, as a value of it is to come."""
    later = {o.observable for o in campaign.objectives if o.later}
    return row.state == "completed" and not later <= row.observables.keys()


def budget_spent(campaign: Campaign, rows: Sequence[TrialRow], detail: str) -> CampaignFinished:
    """Return the event that finishes a campaign whose matter or money is spent."""
    ended = sorted((r for r in rows if r.state in ENDED), key=lambda r: r.number)
    best = best_trial(outcomes(ended), campaign.objectives, campaign.confidence)
    return CampaignFinished(stop_reason="budget_spent", detail=detail, trial=best)


def lab_hours(rows: Sequence[TrialRow]) -> float:
    """Return the station's clock [h] after the latest recorded trial."""
    return max((r.lab_time for r in rows if r.lab_time is not None), default=0.0) / 3600.0


def room_in_budget(campaign: Campaign, rows: Sequence[TrialRow]) -> int:
    """Return how many more trials the budget admits (at most one batch)."""
    if campaign.trials is None:
        return campaign.batch
    return min(campaign.batch, campaign.trials - len(rows))
