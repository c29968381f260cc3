"""What was known at event N: a fold of the chain up to it."""

from __future__ import annotations

from typing import Any

from orchestrator.documents import campaign_document
from orchestrator.errors import NotFoundError
from orchestrator.ledger import FoldedCampaign, Ledger, fold


def fold_at(ledger: Ledger, campaign: str, seq: int | None) -> FoldedCampaign:
    """Fold a campaign's events up to `seq` (all of them, where it is None).

    Raises:
        NotFoundError: the chain has no such event.
    """
    events = ledger.events(campaign, until=seq)
    if not events or (seq is not None and events[-1].seq != seq):
        last = events[-1].seq if events else 0
        raise NotFoundError(f"--at must be an event from 1 to {last}, but got {seq}")
    return fold(events)


def view_campaign(ledger: Ledger, campaign: str, seq: int) -> dict[str, Any]:
    """Return the campaign document as of event `seq`."""
    folded = fold_at(ledger, campaign, seq)
    return {**campaign_document(folded.campaign, folded.trials), "at": seq}
