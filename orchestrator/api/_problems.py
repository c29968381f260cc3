"""Every refusal in one shape: problem+json (RFC 9457)."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from agents.errors import AgentError
from instruments import InstrumentError
from orchestrator import errors as e
from orchestrator.api._turns import BusyError

MEDIA_TYPE = "application/problem+json"
Detail = Mapping[str, str]
_log = logging.getLogger(__name__)
# The first class that fits decides; a subclass that is not here has its own slug and this status.
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (e.TransitionError, 409),
    (e.InputRefusedError, 422),
    (e.NotFoundError, 404),
    (e.ConflictError, 409),
    (e.UnauthenticatedError, 401),
    (e.AccessError, 403),
    (e.RemoteError, 502),
    (e.SchemaError, 503),
    (e.StorageError, 503),
    (e.DotpilotError, 500),
    (InstrumentError, 422),
    (AgentError, 422),
)
# Where versions of Python name a status differently, the words of RFC 9110.
_PHRASES = {413: "Content Too Large", 422: "Unprocessable Content"}
# `space[0] (flow_velocity): ...` and `budget.trials: ...`, as the checks of a campaign file write.
_PLACE = re.compile(r"([a-z_]+)((?:\[\d+\]|\.\w+)*)(?: \([^)]*\))?: ")


class RequestError(e.DotpilotError):
    """The request itself will not do: `status` is 400, 408, 412, 413, 415 or 428."""

    exit_code = 2

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


def _phrase(status: int) -> str:
    return _PHRASES.get(status) or HTTPStatus(status).phrase


def problem(
    path: str,
    status: int,
    slug: str,
    detail: str,
    errors: Sequence[Detail] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return one refusal.

    Args:
        path: What was asked for.
        status: HTTP status.
        slug: Stable word for programs.
        detail: What happened, for people.
        errors: Mistakes with the JSON pointer to each, where known.
        headers: Further headers.
    """
    document = {
        "type": f"urn:dotpilot:{slug}",
        "title": _phrase(status),
        "status": status,
        "detail": detail,
        "instance": path,
        "errors": list(errors),
    }
    content = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    return Response(content, status, dict(headers or {}), MEDIA_TYPE)


def slug_of(kind: type[Exception]) -> str:
    """Return the stable word of a refusal: `lease-lost` for `LeaseLostError`."""
    name = kind.__name__.removesuffix("Error")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def refusal(path: str, error: Exception) -> Response:
    """Return the answer to a refusal of ours, or of the database."""
    if isinstance(error, DBAPIError) or isinstance(error.__cause__, _driver_errors()):
        _log.error("the database failed: %s", error)
        detail = "the database cannot be used at the moment; ask again later"
        return problem(path, 503, "database", detail, headers={"Retry-After": "1"})
    if isinstance(error, RequestError):
        return http_problem(path, error.status, detail=str(error))
    if isinstance(error, BusyError):
        return problem(path, 503, "busy", str(error), headers={"Retry-After": "5"})
    status = next(code for kind, code in _STATUS if isinstance(error, kind))
    headers = {"WWW-Authenticate": 'Bearer realm="dotpilot"'} if status == 401 else {}
    texts = error.problems if isinstance(error, e.InputRefusedError) else []
    if status >= 500:
        _log.error("refused %s: %s", path, error)
    details = [_detail(text) for text in texts]
    return problem(path, status, slug_of(type(error)), str(error), details, headers)


def _driver_errors() -> tuple[type[BaseException], ...]:
    import sqlite3

    try:
        import psycopg
    except ImportError:
        return (sqlite3.Error,)
    return (sqlite3.Error, psycopg.Error)


def _detail(text: str) -> Detail:
    """Split a message into the JSON pointer to where it begins, if it says so, and the rest."""
    found = _PLACE.match(text)
    if found is None:
        return {"pointer": "", "message": text}
    pointer = "/" + "/".join([found[1], *re.findall(r"\w+", found[2])])
    return {"pointer": pointer, "message": text[found.end() :]}


def _invalid(path: str, error: RequestValidationError) -> Response:
    details: list[Detail] = []
    for item in error.errors():
        where, *rest = item["loc"]
        place = "/" + "/".join(str(p) for p in rest)
        message = str(item["msg"]).removeprefix("Value error, ")
        if where == "body":
            details.append({"pointer": place if rest else "", "message": message})
        else:
            name = ".".join(str(p) for p in rest)
            details.append({"pointer": "", "message": f"{where} {name}: {message}"})
    text = "; ".join(f"{d['pointer']} {d['message']}".strip() for d in details)
    return problem(path, 422, "input-refused", text, details)


def install(app: FastAPI) -> None:
    """Let the application answer every refusal as problem+json."""

    async def ours(request: Request, error: Exception) -> Response:
        return refusal(request.url.path, error)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 registered for it
        return _invalid(request.url.path, error)

    async def plain(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 registered for it
        return http_problem(request.url.path, error.status_code, error.headers, error.detail)

    for kind in (e.DotpilotError, InstrumentError, AgentError, DBAPIError):
        app.add_exception_handler(kind, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)


def http_problem(
    path: str, status: int, headers: Mapping[str, str] | None = None, detail: Any = None
) -> Response:
    """Return what the framework itself refuses: no such path, no such method."""
    slug = re.sub(r"[^a-z]+", "-", _phrase(status).lower())
    return problem(path, status, slug, str(detail or _phrase(status)), headers=headers)
