"""The application: the table of routes, its guards, and its OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from orchestrator.api import _problems, _session
from orchestrator.api._guard import GuardedRoute
from orchestrator.api._links import links_of
from orchestrator.api._metrics import Metrics
from orchestrator.api._ops import API_VERSION
from orchestrator.api._schemas import Problem
from orchestrator.api._service import KEEPALIVE_S, Service
from orchestrator.api._session import SingleUser
from orchestrator.api._shield import MIB, Shield
from orchestrator.api._table import ROUTES, Route
from orchestrator.fleet import LEASE_S
from orchestrator.ledger import Ledger
from orchestrator.ledger._schema import require_head

SILENCE_S = 20.0  # a body that pauses for longer comes from nobody who is waited for
_DESCRIPTION = (
    "Campaigns of self-driving laboratories. Every refusal is a problem document (RFC 9457); "
    "fields that a reader does not know are to be ignored."
)
_EMPTY = {204: "Nothing to do.", 304: "Not changed since."}
_SECURITY = {"bearer": {"type": "http", "scheme": "bearer", "description": "`dotpilot token`"}}


def create_app(
    ledger: Ledger,
    *,
    single_user: SingleUser | None = None,
    lease_s: float = LEASE_S,
    keepalive_s: float = KEEPALIVE_S,
    silence_s: float = SILENCE_S,
) -> FastAPI:
    """Return the service on a record.

    Args:
        ledger: The record; the caller opens and closes it.
        single_user: The one person of loopback mode, or None where tokens alone let in.
        lease_s: How long a worker keeps a lease in silence, unless it asks otherwise [s].
        keepalive_s: Longest silence of an event stream [s].
        silence_s: Longest pause within a request's body [s].

    Raises:
        SchemaError: the database is not at head; the message names the command that helps.
    """
    require_head(ledger.engine, ledger.url, create=False)
    return _assemble(Service(ledger, single_user, keepalive_s, lease_s), silence_s)


def _assemble(service: Service, silence_s: float = SILENCE_S) -> FastAPI:
    app = FastAPI(
        title="dotpilot",
        version=API_VERSION,
        description=_DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service, app.state.metrics = service, Metrics(service)
    # Those of workers first, who ask most. Into the application's own router: an included one
    # matches twice.
    for route in sorted(ROUTES, key=lambda route: not route.lab):
        _add(app.router, route)
    app.add_api_route("/openapi.json", _document, include_in_schema=False)
    if service.single_user is not None:
        app.add_api_route("/session", _session.session_form, include_in_schema=False)
        app.add_api_route(
            "/session", _session.session_start, methods=["POST"], include_in_schema=False
        )
    _problems.install(app)
    app.add_exception_handler(HTTPException, _plain)
    app.add_middleware(Shield, limit=_limits(), silence_s=silence_s, seen=app.state.metrics.seen)
    return app


def _add(router: APIRouter, route: Route) -> None:
    extra: dict[str, Any] = {
        "x-scope": route.scope,
        "x-lab": route.lab,
        "x-keyed": route.keyed,
        "x-audited": route.audited,
    }
    if headers := _headers(route):
        extra["parameters"] = headers
    if route.scope is not None:
        extra["security"] = [{"bearer": []}]
    router.add_api_route(
        route.path,
        route.handler,
        methods=[route.method],
        status_code=route.status,
        response_model=None,
        responses=_responses(route),
        openapi_extra=extra,
        operation_id=route.handler.__name__,
        response_class=JSONResponse,
        route_class_override=GuardedRoute,
    )


def _responses(route: Route) -> dict[int | str, dict[str, Any]]:
    found: dict[int | str, dict[str, Any]] = {}
    if route.document is not None:
        found[route.status] = {"model": route.document, "description": "Done."}
        if links := links_of(route.handler.__name__):
            found[route.status]["links"] = links
    for kind in route.media:
        content = found.setdefault(route.status, {"description": "Done."})
        content.setdefault("content", {})[kind] = {"schema": {"type": "string"}}
    for status in sorted(_statuses(route)):
        if status < 400:
            found[status] = {"description": _EMPTY[status]}
            continue
        shape = {"schema": {"$ref": "#/components/schemas/Problem"}}
        description = HTTPStatus(status).phrase
        found[status] = {
            "description": description,
            "content": {_problems.MEDIA_TYPE: shape},
        }
    return found


def _statuses(route: Route) -> set[int]:
    """Return the further statuses of a route: its own, and those of guards and limits."""
    found = {400, 422, 500, *route.also}
    if route.scope is not None:
        found |= {401, 403, 503}
    if route.method in ("POST", "PUT", "PATCH"):
        found |= {408, 413, 415}
    return found | {409} if route.keyed else found


def _limits() -> Callable[[str, str], int]:
    """Return the greatest body by method and path; few routes take more than the rest."""
    large = [
        (r.method, re.compile(re.sub(r"\{\w+\}", "[^/]+", r.path)), r.most)
        for r in ROUTES
        if r.most > MIB
    ]

    def limit(method: str, path: str) -> int:
        found = (most for m, shape, most in large if m == method and shape.fullmatch(path))
        return next(found, MIB)

    return limit


async def _plain(request: Request, error: Exception) -> Response:
    """Answer what the framework refuses; a 405 names every method of the path."""
    assert isinstance(error, HTTPException)  # noqa: S101 registered for it
    path, headers = request.url.path, dict(error.headers or {})
    if error.status_code == 405:
        shapes = ((r.method, re.sub(r"\{\w+\}", "[^/]+", r.path)) for r in ROUTES)
        headers["Allow"] = ", ".join(sorted(m for m, s in shapes if re.fullmatch(s, path)))
    return _problems.http_problem(path, error.status_code, headers, error.detail)


async def _document(request: Request) -> Response:
    return JSONResponse(_openapi(request.app))


def openapi() -> dict[str, Any]:
    """Return the OpenAPI document, which no database has a part in."""
    return _openapi(_assemble(Service(Ledger("sqlite:///openapi.db"))))


def _openapi(app: FastAPI) -> dict[str, Any]:
    document = app.openapi()
    paths = document["paths"]
    document["paths"] = {path: paths[path] for path in dict.fromkeys(r.path for r in ROUTES)}
    components = document.setdefault("components", {})
    components["securitySchemes"] = _SECURITY
    shapes = components.setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    shapes |= problem.pop("$defs", {})
    shapes["Problem"] = problem
    refusals = components.setdefault("responses", {})
    for operations in document["paths"].values():
        for operation in operations.values():
            _share_refusals(operation["responses"], refusals)
    return document


def _share_refusals(responses: dict[str, Any], shared: dict[str, Any]) -> None:
    """Describe each kind of refusal once, as every route has a dozen of them."""
    for status, response in responses.items():
        if int(status) >= 400 and "$ref" not in response:
            shared[f"Refused{status}"] = response
            responses[status] = {"$ref": f"#/components/responses/Refused{status}"}


def _headers(route: Route) -> list[dict[str, Any]]:
    """Return the request headers that a route heeds beside those of its handler."""
    wanted: list[tuple[str, str, bool]] = []
    if route.keyed:
        wanted.append(("Idempotency-Key", "The same key again is the same request.", False))
    if 304 in route.also:
        wanted.append(("If-None-Match", "304 where this is still the version.", False))
    if 428 in route.also:
        wanted.append(("If-Match", "The ETag of what was read; 428 without it.", True))
    shape = {"type": "string", "minLength": 1, "maxLength": 200}
    return [
        {"name": n, "in": "header", "required": must, "description": text, "schema": shape}
        for n, text, must in wanted
    ]
