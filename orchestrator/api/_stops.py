"""Routes of emergency stops: the order, the worker's open ear, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from orchestrator.access import Principal
from orchestrator.api._service import WORKERS, At, Name, Service, Who, answer
from orchestrator.errors import ForbiddenError, NotFoundError
from orchestrator.fleet import Stop, last_stop, order_stop, report_stop

_ASK_AGAIN_S = 1.0  # what the watch on workers may miss is found by then at the latest


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StopRequest(_Body):
    """An emergency stop to order."""

    reason: str = Field("", max_length=2000, description="Why; kept in the audit trail.")
    wait_s: float = Field(3.0, ge=0, le=30, description="How long to wait for the report [s].")


class Unconfirmed(_Body):
    """A device that did not confirm its safe state."""

    name: str = Field(max_length=200)
    problem: str = Field(max_length=4000)


class StopReport(_Body):
    """What a worker says came of an order."""

    stop: int = Field(ge=0, lt=2**63, description="Number of the order.")
    safe: list[Annotated[str, Field(max_length=200)]] = Field(max_length=1000)
    unconfirmed: list[Unconfirmed] = Field(max_length=1000)
    seconds: float = Field(ge=0, allow_inf_nan=False)


class StopDocument(BaseModel):
    """An order to stop, and what came of it; `state` is stopping or stopped."""

    stop: int
    worker: str
    lab: str
    station: str
    state: str
    ordered_at: str
    by: str
    reason: str
    reported_at: str | None
    safe: list[str]
    unconfirmed: list[Unconfirmed]
    seconds: float | None


class Orders(BaseModel):
    """What a worker is to do at once; `stop` is null where there is nothing."""

    stop: StopDocument | None


def _allow(at: Service, who: Principal, worker: str) -> None:
    """Refuse a worker that is not there, or is of another lab than the token.

    Raises:
        NotFoundError: no such worker.
        ForbiddenError: another lab's.
    """
    found = at.fleet.workers(worker)
    if not found:
        raise NotFoundError(f"there is no worker {worker!r}; register it first")
    if who.lab is not None and found[0].lab != who.lab:
        raise ForbiddenError(
            f"worker {worker!r} is of another lab than {who.lab!r}, which this token is for"
        )


async def _until(
    at: Service, request: Request, look: Callable[[], Stop | None], wait_s: float
) -> Stop | None:
    """Look again with every change of a worker's state, until there is something."""
    time = asyncio.get_running_loop().time
    end = time() + wait_s
    while True:
        found = await run_in_threadpool(look)
        left = end - time()
        if found is not None or left <= 0.0 or at.feed.closed:
            return found
        await at.feed.change(WORKERS, min(left, _ASK_AGAIN_S))
        if await request.is_disconnected():
            return None


async def stop_worker(request: Request, at: At, who: Who, w: Name, body: StopRequest) -> Response:
    """Stop a worker's station at once, and wait for what it says came of it."""
    await run_in_threadpool(_allow, at, who, w)
    ordered = await run_in_threadpool(order_stop, at.ledger, w, who.actor, body.reason)

    def reported() -> Stop | None:
        stop = last_stop(at.ledger, w)
        return stop if stop is not None and stop.reported_at is not None else None

    found = await _until(at, request, reported, body.wait_s)
    return answer((found or ordered).document())


def show_stop(at: At, who: Who, w: Name) -> Response:
    """Show the latest stop of a worker, and what came of it."""
    _allow(at, who, w)
    found = last_stop(at.ledger, w)
    if found is None:
        raise NotFoundError(f"worker {w!r} was never ordered to stop")
    return answer(found.document())


async def wait_for_orders(
    request: Request,
    at: At,
    who: Who,
    w: Name,
    wait: Annotated[float, Query(ge=0, le=60, description="How long to wait [s].")] = 0.0,
) -> Response:
    """Tell a worker at once what it is to do; a worker keeps such a request open."""
    await run_in_threadpool(_allow, at, who, w)

    def pending() -> Stop | None:
        worker = at.fleet.workers(w)
        if not worker or worker[0].state != "stopping":
            return None
        return last_stop(at.ledger, w)

    found = await _until(at, request, pending, wait)
    document: dict[str, Any] = {"stop": None if found is None else found.document()}
    return answer(document)


def put_report(at: At, who: Who, w: Name, body: StopReport) -> Response:
    """Keep what a worker says came of an order to stop."""
    _allow(at, who, w)
    told = [u.model_dump() for u in body.unconfirmed]
    stop = report_stop(at.ledger, w, who.actor, body.stop, body.safe, told, body.seconds)
    return answer(stop.document())
