"""Routes of campaigns."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request, Response

from orchestrator.api._service import (
    At,
    Campaign,
    Limit,
    Next,
    answer,
    cursor,
    not_modified,
    read_cursor,
)
from orchestrator.documents import campaign_document, list_document
from orchestrator.ledger import CampaignRow, Ledger, campaign_page
from orchestrator.replay import verify_campaign, view_campaign


def shown(ledger: Ledger, row: CampaignRow) -> dict[str, Any]:
    """Return the document of a campaign; its `events` is the version of the ETag."""
    return campaign_document(row, ledger.trials(row.id))


def list_campaigns(at: At, limit: Limit = 100, next: Next = None) -> Response:
    """List the campaigns, oldest first."""
    key = read_cursor(next, str, str)
    found = campaign_page(at.ledger, (key[0], key[1]) if key else None, limit + 1)
    page = [row for row, _ in found[:limit]]
    document = list_document(page, {row.id: count for row, count in found})
    more = len(found) > limit
    return answer(document | {"next": cursor(page[-1].created_at, page[-1].id) if more else None})


def show_campaign(request: Request, at: At, c: Campaign) -> Response:
    """Show a campaign; `ETag` is its count of events."""
    row = at.ledger.campaign(c)
    tag = str(row.event_count)
    return not_modified(request, tag) or answer(shown(at.ledger, row), etag=tag)


def show_file(at: At, c: Campaign) -> Response:
    """Show the campaign file as it was declared."""
    return answer(at.ledger.campaign(c).declared)


def view(
    at: At,
    c: Campaign,
    seq: Annotated[int, Query(alias="at", ge=1, lt=2**31, description="Number of the event.")],
) -> Response:
    """Show a campaign as it was known after an event."""
    return answer(view_campaign(at.ledger, at.ledger.campaign(c).id, seq))


def verify(at: At, c: Campaign) -> Response:
    """Check chain, read tables, observables and proposals; nothing is changed."""
    return answer(verify_campaign(at.ledger, at.ledger.campaign(c).id).document())
