"""Events of a campaign: in pages, by waiting for the next, or as a stream (server-sent events)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.concurrency import run_in_threadpool

from orchestrator.api._service import At, Campaign, Limit, Service, answer
from orchestrator.errors import RecordError
from orchestrator.events import Event, canonical
from orchestrator.ledger import event_page

STREAM = "text/event-stream"
RETRY_MS = 1000
_AT_ONCE = 200
Sequence = Annotated[int, Query(ge=0, lt=2**31, description="Number of the last one known.")]
Wait = Annotated[float, Query(ge=0, le=60, description="How long to wait for one [s].")]
Last = Annotated[int | None, Header(ge=0, lt=2**31, description="Resumes a stream after it.")]


def event_document(event: Event) -> dict[str, Any]:
    """Return an event; the canonical JSON of its payload is the text that was hashed.

    Raises:
        RecordError: a stored payload that is not JSON.
    """
    document = {name: getattr(event, name) for name in Event.__slots__}
    try:
        document["payload"] = json.loads(event.payload)
    except ValueError as error:
        raise RecordError(f"event {event.seq}: unreadable payload: {error}") from error
    return document


async def list_events(
    request: Request,
    at: At,
    c: Campaign,
    after: Sequence = 0,
    limit: Limit = 100,
    wait: Wait = 0.0,
    last_event_id: Last = None,
) -> Response:
    """Give the events after one; with `Accept: text/event-stream` a stream that goes on."""
    row = await run_in_threadpool(at.ledger.campaign, c)
    start = after if last_event_id is None else last_event_id
    if STREAM in request.headers.get("accept", ""):
        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(_stream(at, row.id, start), 200, headers, STREAM)
    found = await run_in_threadpool(event_page, at.ledger, row.id, start, limit)
    if not found and wait and await at.feed.beyond(row.id, start, wait):
        found = await run_in_threadpool(event_page, at.ledger, row.id, start, limit)
    events = [event_document(e) for e in found]
    return answer({"events": events, "next": found[-1].seq if found else start})


async def _stream(at: Service, campaign: str, after: int) -> AsyncIterator[bytes]:
    """Send every event after `after` once and in order, until either side goes away."""
    at.streams += 1
    try:
        yield format_sse_event(retry=RETRY_MS)
        while not at.feed.closed:
            found = await run_in_threadpool(event_page, at.ledger, campaign, after, _AT_ONCE)
            for event in found:
                text = canonical(event_document(event))
                yield format_sse_event(data_str=text, event=event.type, id=str(event.seq))
                after = event.seq
            if not found and not await at.feed.beyond(campaign, after, at.keepalive_s):
                yield KEEPALIVE_COMMENT
    finally:
        at.streams -= 1
