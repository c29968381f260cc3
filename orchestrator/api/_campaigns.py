"""Routes of campaigns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Query, Request, Response

from orchestrator.api._models import CampaignRequest, ForkRequest, ReasonRequest, VerifyRequest
from orchestrator.api._service import (
    At,
    Campaign,
    Limit,
    Next,
    Service,
    Who,
    answer,
    cursor,
    hash_of_key,
    not_modified,
    read_cursor,
)
from orchestrator.decisions import (
    abort_campaign,
    drain_campaign,
    fork_served,
    open_campaign,
    pause_campaign,
    resume_campaign,
)
from orchestrator.documents import campaign_document, list_document
from orchestrator.errors import ConflictError, InputRefusedError, NotFoundError
from orchestrator.ledger import CampaignRow, Ledger, campaign_page
from orchestrator.replay import verify_campaign, view_campaign


def shown(ledger: Ledger, row: CampaignRow) -> dict[str, Any]:
    """Return the document of a campaign; its `events` is the version of the ETag."""
    return campaign_document(row, ledger.trials(row.id))


def _answer(ledger: Ledger, reference: str, status: int = 200) -> Response:
    row = ledger.campaign(reference)
    location = f"/v1/campaigns/{row.id}" if status == 201 else None
    return answer(shown(ledger, row), status, str(row.event_count), location)


def list_campaigns(at: At, limit: Limit = 100, next: Next = None) -> Response:
    """List the campaigns, oldest first."""
    key = read_cursor(next, str, str)
    found = campaign_page(at.ledger, (key[0], key[1]) if key else None, limit + 1)
    page = [row for row, _ in found[:limit]]
    document = list_document(page, {row.id: count for row, count in found})
    more = len(found) > limit
    return answer(document | {"next": cursor(page[-1].created_at, page[-1].id) if more else None})


def create_campaign(request: Request, at: At, who: Who, body: CampaignRequest) -> Response:
    """Open a campaign for the workers of labs. With an `id` of yours, the same again is one."""
    identifier = body.id or _identifier(request, who.actor)
    try:
        made = open_campaign(
            at.ledger, body.file, actor=who.actor, start=body.start, identifier=identifier
        )
    except InputRefusedError as error:
        raise InputRefusedError([f"file.{text}" for text in error.problems]) from error
    except ConflictError:
        if not _same(at, identifier, body):
            raise
        made = str(identifier)
    return _answer(at.ledger, made, 201)


def _identifier(request: Request, actor: str) -> str | None:
    """Return the identifier that an Idempotency-Key stands for, so that no crash opens two."""
    found = hash_of_key(request, actor)
    return None if found is None else f"c{found}"


def _same(at: Service, identifier: str | None, body: CampaignRequest) -> bool:
    """Tell whether the campaign of this identifier is the one that is asked for."""
    try:
        row = at.ledger.campaign(identifier or "")
    except NotFoundError:
        return False
    return row.id == identifier and row.dispatch == "fleet" and row.declared == body.file


def show_campaign(request: Request, at: At, c: Campaign) -> Response:
    """Show a campaign; `ETag` is its count of events."""
    row = at.ledger.campaign(c)
    tag = str(row.event_count)
    return not_modified(request, tag) or answer(shown(at.ledger, row), etag=tag)


def show_file(at: At, c: Campaign) -> Response:
    """Show the campaign file as it was declared."""
    return answer(at.ledger.campaign(c).declared)


def start_campaign(at: At, who: Who, c: Campaign, body: ReasonRequest | None = None) -> Response:
    """Let the loop take a draft up."""
    resume_campaign(at.ledger, c, actor=who.actor)
    return _answer(at.ledger, c)


def resume(at: At, who: Who, c: Campaign, body: ReasonRequest | None = None) -> Response:
    """Let a campaign that rests go on; one that runs goes on anyway."""
    resume_campaign(at.ledger, c, actor=who.actor)
    return _answer(at.ledger, c)


Steer = Callable[..., object]


def _steered(
    steer: Steer, at: Service, actor: str, c: str, body: ReasonRequest | None
) -> Response:
    steer(at.ledger, c, "" if body is None else body.reason, actor=actor)
    return _answer(at.ledger, c)


def pause(at: At, who: Who, c: Campaign, body: ReasonRequest | None = None) -> Response:
    """Give out no further trial; those under way go on."""
    return _steered(pause_campaign, at, who.actor, c, body)


def drain(at: At, who: Who, c: Campaign, body: ReasonRequest | None = None) -> Response:
    """Give out no further trial, and pause once those under way have ended."""
    return _steered(drain_campaign, at, who.actor, c, body)


def abort(at: At, who: Who, c: Campaign, body: ReasonRequest | None = None) -> Response:
    """Stop a campaign and ask its workers to break off."""
    return _steered(abort_campaign, at, who.actor, c, body)


def fork(request: Request, at: At, who: Who, c: Campaign, body: ForkRequest) -> Response:
    """Begin a new campaign with what another had ended by an event."""
    identifier = _identifier(request, who.actor)
    try:
        made = fork_served(
            at.ledger,
            c,
            body.at,
            agent=body.agent,
            seed=body.seed,
            actor=who.actor,
            start=body.start,
            identifier=identifier,
        )
    except ConflictError:
        parent = at.ledger.campaign(c).id
        if identifier is None or at.ledger.campaign(identifier).parent != parent:
            raise
        made = identifier
    return _answer(at.ledger, made, 201)


def view(
    at: At,
    c: Campaign,
    seq: Annotated[int, Query(alias="at", ge=1, lt=2**31, description="Number of the event.")],
) -> Response:
    """Show a campaign as it was known after an event."""
    return answer(view_campaign(at.ledger, at.ledger.campaign(c).id, seq))


def verify(at: At, c: Campaign, body: VerifyRequest | None = None) -> Response:
    """Check chain, read tables, observables and proposals; nothing is changed."""
    how, row = body or VerifyRequest(), at.ledger.campaign(c)
    with at.verifications.turn("verification"):  # heartbeats need the threads that these would
        found = verify_campaign(
            at.ledger,
            row.id,
            tolerance=how.tolerance,
            proposals=how.proposals,
            expect_head=how.expect_head,
        )
    return answer(found.document())
