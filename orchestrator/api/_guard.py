"""Before a handler: who asks, may they, is it JSON, was it asked before. After it: the trail."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.concurrency import run_in_threadpool

from orchestrator.access import Answer, Principal, authenticate, record_use
from orchestrator.api._problems import RequestError
from orchestrator.api._service import Service, Use
from orchestrator.errors import ForbiddenError, UnauthenticatedError

CHANGES = ("POST", "PUT", "PATCH", "DELETE")
Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_KEPT_HEADERS = ("etag", "location", "content-type")
_GREATEST_KEY = 200
AT_ONCE = 2**16  # bytes that are read in the time of a few requests [B]


class StrictRequest(Request):
    """A request whose JSON is UTF-8 without NaN, infinities, NUL, half characters or depth."""

    async def json(self) -> Any:
        """Return the body.

        Raises:
            RequestError: it is not JSON as we take it.
        """
        if hasattr(self, "_json"):
            return self._json
        raw = await self.body()
        if len(raw) > AT_ONCE:  # spectra: everybody else is served meanwhile
            self._json = await run_in_threadpool(read_json, raw)
        else:
            self._json = read_json(raw)
        return self._json


def read_json(raw: bytes) -> Any:
    """Return the document of a body.

    Raises:
        RequestError: it is not JSON as we take it.
    """
    try:
        document = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise RequestError(400, f"the body must be JSON: {error}") from error
    if b"\\u0000" in raw:
        raise RequestError(400, "text may not hold the character NUL")
    _check_finite(document)
    return document


def _check_finite(document: Any) -> None:
    waiting = [document]
    while waiting:
        item = waiting.pop()
        if isinstance(item, float) and item - item != 0.0:
            raise RequestError(400, "a number must be finite, but one is too large")
        if isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


class GuardedRoute(APIRoute):
    """A route that states its scope in `openapi_extra` and is refused to anybody else."""

    def get_route_handler(self) -> Handler:
        """Return the handler with its guard."""
        inner = super().get_route_handler()
        extra = self.openapi_extra or {}
        scope, lab, keyed = extra["x-scope"], extra["x-lab"], extra["x-keyed"]
        audited, has_body = extra["x-audited"], self.body_field is not None

        async def guarded(request: Request) -> Response:
            service: Service = request.app.state.service
            strict = StrictRequest(request.scope, request.receive)
            if scope is not None:
                who = strict.state.principal = await _admit(service, strict, scope, lab)
                strict.state.use = Use(service.ledger, who.actor, strict.method, strict.url.path)
            if has_body:
                await _check_body(strict)
            if keyed and (key := _key(strict)) is not None:
                return await _once(service, strict, key, inner)
            answer = await inner(strict)
            if audited and answer.status_code not in (204, 304):
                await _note(service, strict, answer)
            return answer

        return guarded


async def _admit(service: Service, request: Request, scope: str, lab: bool) -> Principal:
    """Return who asks.

    Raises:
        UnauthenticatedError: nobody that is known here.
        ForbiddenError: somebody who may not do this.
    """
    who = await _identify(service, request)
    refused = ""
    if not who.may(scope):
        refused = f"this needs the scope {scope}, which {who.actor} does not have"
    elif who.lab is not None and not lab:
        refused = (
            f"{who.actor} is bound to lab {who.lab!r} and works for its workers and leases only; "
            "use a token that is not bound"
        )
    if refused:
        if request.method in CHANGES:
            await _trail(service, who, request, 403, refused)
        raise ForbiddenError(refused)
    return who


async def _identify(service: Service, request: Request) -> Principal:
    given = request.headers.getlist("authorization")
    if not given and service.single_user is not None:
        if (session := service.single_user.principal(request)) is not None:
            return session
    if len(given) != 1:
        raise UnauthenticatedError("this needs one header `Authorization: Bearer TOKEN`")
    scheme, _, text = given[0].partition(" ")
    if scheme.lower() != "bearer":
        raise UnauthenticatedError(f"the scheme must be Bearer, but is {scheme[:20]!r}")
    return await service.briefly(authenticate, service.ledger, text.strip())


async def _check_body(request: Request) -> None:
    """Read the body, after its sender was let in.

    Raises:
        RequestError: 415 for anything but JSON.
    """
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != "application/json":
        raise RequestError(415, f"a body must be application/json, but is {kind or 'unnamed'!r}")
    if body:  # here, since the framework would hide our words behind its own
        await request.json()


def _key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= _GREATEST_KEY and key.isprintable()):
        raise RequestError(
            400, f"an Idempotency-Key has 1 to {_GREATEST_KEY} printable characters"
        )
    return key


async def _once(service: Service, request: Request, key: str, inner: Handler) -> Response:
    """Carry a request out, or repeat the answer that its key had."""
    actor = request.state.principal.actor
    route = f"{request.method} {request.url.path}"
    digest = hashlib.sha256(await request.body()).hexdigest()
    known = await run_in_threadpool(service.keys.begin, actor, key, route, digest)
    if known is not None:
        kept = json.loads(known.response)
        return Response(kept["body"], known.status, kept["headers"])
    request.state.key = key
    try:
        answer = await inner(request)
    except BaseException:
        await run_in_threadpool(service.keys.drop, actor, key)
        raise
    headers = {k: v for k, v in answer.headers.items() if k in _KEPT_HEADERS}
    text = json.dumps({"headers": headers, "body": bytes(answer.body).decode()})
    finish: Callable[..., Awaitable[None]] = run_in_threadpool
    await finish(service.keys.finish, actor, key, Answer(answer.status_code, text))
    await _note(service, request, answer)
    return answer


async def _note(service: Service, request: Request, answer: Response) -> None:
    who: Principal | None = getattr(request.state, "principal", None)
    if who is None or answer.status_code >= 400 or request.state.use.written:
        return
    await _trail(service, who, request, answer.status_code, answer.headers.get("location", ""))


async def _trail(
    service: Service, who: Principal, request: Request, status: int, detail: str
) -> None:
    action, target = request.method, request.url.path
    await run_in_threadpool(record_use, service.ledger, who.actor, action, target, status, detail)
