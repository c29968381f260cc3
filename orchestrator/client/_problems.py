"""An answer of the server that is a refusal, as the exception that the same refusal is locally."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import (
    ConflictError,
    DotpilotError,
    ForbiddenError,
    InputRefusedError,
    NotFoundError,
    RemoteError,
    TransitionError,
    UnauthenticatedError,
)

TRY_AGAIN = frozenset({429, 502, 503, 504})
"""Answers that say nothing of the request itself: the same again may be answered."""


class LostLeaseError(ConflictError):
    """The lease lapsed or went to somebody else; what was sent is kept as evidence only."""


class ServerFailedError(DotpilotError):
    """A bug or an outside failure ended the request at the server; nobody knows how far it got."""


_CONFLICTS: dict[str, type[DotpilotError]] = {
    "lease-lost": LostLeaseError,
    "transition": TransitionError,
}


@dataclass(frozen=True)
class Answer:
    """What a server answered.

    Attributes:
        status: HTTP status.
        headers: By lower-case name.
        body: As it came.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    def document(self) -> dict[str, Any]:
        """Return the JSON document of the body; {} for an empty one.

        Raises:
            RemoteError: something else than a JSON object, as a proxy may answer.
        """
        if not self.body:
            return {}
        try:
            found = json.loads(self.body)
        except ValueError as error:
            raise RemoteError(self._foreign()) from error
        if not isinstance(found, dict):
            raise RemoteError(self._foreign())
        return found

    def _foreign(self) -> str:
        start = self.body[:80].decode("utf-8", "replace")
        return (
            f"the server must answer with a JSON document, but answered {self.status} with "
            f"{start!r}; is there a dotpilot server at this URL?"
        )


def check(answer: Answer) -> Answer:
    """Return an answer of success.

    Raises:
        DotpilotError: the kind that the same refusal has locally.
    """
    if answer.status < 400:
        return answer
    try:
        problem = answer.document()
    except RemoteError:
        problem = {}
    raise _error(answer.status, problem, answer)


def _error(status: int, problem: Mapping[str, Any], answer: Answer) -> DotpilotError:
    said = str(problem.get("detail") or problem.get("title") or f"the server answered {status}")
    if status in (400, 405, 411, 413, 415, 422, 428):
        return InputRefusedError(said.splitlines())  # a mistake a line, as locally
    if status == 401:
        return UnauthenticatedError(said)
    if status == 403:
        return ForbiddenError(said)
    if status == 404:
        if problem.get("type") is None:
            return NotFoundError(f"{said}; is there a dotpilot server at this URL?")
        return NotFoundError(said)
    if status in (409, 412):
        slug = str(problem.get("type", "")).rpartition(":")[2]
        return _CONFLICTS.get(slug, ConflictError)(said)
    if status in TRY_AGAIN:
        wait = answer.headers.get("retry-after")
        return RemoteError(said + (f" (again after {wait} s)" if wait else ""))
    return ServerFailedError(f"the server failed with {status}: {said}")
