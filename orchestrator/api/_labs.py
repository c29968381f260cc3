"""Routes of labs: workers, and the leases by which they run trials."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

from fastapi import Query, Request, Response
from starlette.concurrency import run_in_threadpool

from orchestrator.access import Principal
from orchestrator.api._guard import AT_ONCE
from orchestrator.api._models import (
    FailureRequest,
    HeartbeatRequest,
    LeaseRequest,
    ResultRequest,
    ReturnRequest,
)
from orchestrator.api._service import OFFERS, At, Name, Service, Trail, Who, answer, parties
from orchestrator.errors import ForbiddenError, NotFoundError
from orchestrator.fleet import Failure, WorkerRegistration, WorkerRow

# What the watch on offers may miss is found by then at the latest.
_ASK_AGAIN_S = 2.0
_BEATS = 3.0  # heartbeats in the time of a lease, so that one or two may be lost


def _of_lab(who: Principal, lab: str | None, what: str) -> None:
    """Refuse a token that is bound to another lab.

    Raises:
        ForbiddenError: it is.
    """
    if who.lab is not None and lab != who.lab:
        raise ForbiddenError(f"{what} is of another lab than {who.lab!r}, which this token is for")


def _check_lease(at: Service, who: Principal, identifier: str) -> None:
    """Refuse a bound token the leases of other labs: they do not exist for it.

    Raises:
        NotFoundError: no such lease, or one of another lab.
    """
    if who.lab is not None and at.fleet.lab_of(identifier) != who.lab:
        raise NotFoundError(f"there is no lease {identifier}")


def _worker(at: Service, name: str) -> WorkerRow:
    found = at.fleet.workers(name)
    if not found:
        raise NotFoundError(f"there is no worker {name!r}; register it first")
    return found[0]


def list_labs(at: At) -> Response:
    """List the labs that have workers."""
    labs: dict[str, dict[str, Any]] = {}
    for row in at.fleet.workers():
        entry = labs.setdefault(row.lab, {"lab": row.lab, "workers": [], "stations": []})
        entry["workers"].append(row.worker)
        if row.station not in entry["stations"]:
            entry["stations"].append(row.station)
    return answer({"labs": list(labs.values())})


def list_workers(at: At) -> Response:
    """List the workers."""
    return answer({"workers": [row.document() for row in at.fleet.workers()]})


def put_worker(at: At, who: Who, w: Name, body: WorkerRegistration) -> Response:
    """Register a worker, or tell what changed of it."""
    _of_lab(who, body.lab, f"worker {w!r}")
    row = at.fleet.register_worker(w, body, who.token)
    times = {"lease_s": at.fleet.lease_s, "heartbeat_s": at.fleet.lease_s / _BEATS}
    return answer(row.document() | times)


async def take_lease(request: Request, body: LeaseRequest) -> Response:
    """Give a worker the oldest offer that fits it, waiting for one if asked to."""
    at, who, use = parties(request)
    if who.lab is not None:  # for anybody else the grant itself knows whether there is a worker
        worker = await at.briefly(_worker, at, body.worker)
        _of_lab(who, worker.lab, f"worker {body.worker!r}")
    grant = partial(at.fleet.grant, instance=body.instance, also=use.within)
    time = asyncio.get_running_loop().time
    end = time() + body.wait_s
    while True:
        found = await at.briefly(grant, body.worker, body.lease_s, body.campaign)
        if found is not None:
            return answer(found.document())
        left = end - time()
        if left <= 0.0 or at.feed.closed:
            return Response(status_code=204)
        await at.feed.change(OFFERS, min(left, _ASK_AGAIN_S))
        if await request.is_disconnected():  # an intent for nobody would become a doubt
            return Response(status_code=204)


def list_leases(
    at: At,
    who: Who,
    worker: Annotated[str, Query(max_length=200, description="Whose.")],
) -> Response:
    """List the leases that a worker holds."""
    _of_lab(who, _worker(at, worker).lab, f"worker {worker!r}")
    held = [x for x in at.fleet.leases(worker=worker) if x.state == "leased"]
    return answer({"leases": [x.document() for x in held]})


def show_lease(at: At, who: Who, l: Name) -> Response:  # noqa: E741 as in the path
    """Show a lease."""
    _check_lease(at, who, l)
    return answer(at.fleet.lease(l).document())


async def heartbeat(request: Request, l: Name, body: HeartbeatRequest) -> Response:  # noqa: E741
    """Keep a lease; the answer says whether to break off or to begin nothing further."""
    at, who, _ = parties(request)

    def beat() -> Response:
        _check_lease(at, who, l)
        found = at.fleet.heartbeat(l, body.fence, body.progress, body.lease_s, body.planned)
        return answer(asdict(found))

    return await at.briefly(beat)


async def put_result(request: Request, l: Name, body: ResultRequest) -> Response:  # noqa: E741
    """Record what a run brought back; the same again is answered alike."""
    at, who, use = parties(request)

    def put() -> Response:
        _check_lease(at, who, l)
        found = at.fleet.result(l, body.fence, body.results, also=use.within)
        return answer(asdict(found))

    small = len(await request.body()) <= AT_ONCE
    return await (at.briefly(put) if small else run_in_threadpool(put))


def fail_lease(at: At, who: Who, use: Trail, l: Name, body: FailureRequest) -> Response:  # noqa: E741
    """Record how a run ended without a result."""
    _check_lease(at, who, l)
    failure = Failure(**body.model_dump(exclude={"fence"}))
    return answer(asdict(at.fleet.fail(l, body.fence, failure, also=use.within)))


def return_lease(at: At, who: Who, use: Trail, l: Name, body: ReturnRequest) -> Response:  # noqa: E741
    """Give a lease back: nothing was moved."""
    _check_lease(at, who, l)
    return answer(asdict(at.fleet.give_back(l, body.fence, body.reason, also=use.within)))
