"""Around everything: limits on what is read, headers on what is sent, one shape for bugs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.api._problems import RequestError, problem, refusal

MIB = 2**20
_log = logging.getLogger(__name__)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; form-action 'self'",
    "Cache-Control": "no-store",
}
Limit = Callable[[str, str], int]
Seen = Callable[[Scope, int, float], None]


class Shield:
    """Limits bodies in size and silence, adds security headers, and answers bugs with 500."""

    def __init__(self, app: ASGIApp, limit: Limit, silence_s: float, seen: Seen) -> None:
        """Wrap an application.

        Args:
            app: The application.
            limit: Gives the greatest body [bytes] for a method and path.
            silence_s: How long a body may keep us waiting for its next part [s].
            seen: Told of every answer: scope, status, seconds.
        """
        self._app, self._limit, self._silence_s, self._seen = app, limit, silence_s, seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._serve(scope, receive, sending)
        except Exception as error:
            if status:
                raise
            await self._excuse(error, scope, receive, sending)
        finally:
            self._seen(scope, status, time.perf_counter() - begun)

    async def _excuse(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if isinstance(error, RequestError):
            answer = refusal(path, error)
        else:
            _log.exception("%s %s failed", scope["method"], path, exc_info=error)
            detail = "a bug or an outside failure; the server's log has the particulars"
            answer = problem(path, 500, "internal", detail)
        await answer(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            raise RequestError(400, "a path or query may not hold the character NUL")
        limit = self._limit(scope["method"], scope["path"])
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > limit:
            raise RequestError(413, _too_large(limit))
        await self._app(scope, self._counted(receive, limit), send)

    def _counted(self, receive: Receive, limit: int) -> Receive:
        total, more = 0, True

        async def counting() -> Message:
            nonlocal total, more
            if not more:  # only the end of the connection can follow: that may take its time
                return await receive()
            try:
                async with asyncio.timeout(self._silence_s):
                    message = await receive()
            except TimeoutError as error:
                raise RequestError(
                    408, f"the body must keep coming, but {self._silence_s:g} s brought nothing"
                ) from error
            more = bool(message.get("more_body", False))
            total += len(message.get("body", b""))
            if total > limit:
                raise RequestError(413, _too_large(limit))
            return message

        return counting


def _too_large(limit: int) -> str:
    return f"the body must have at most {limit / MIB:g} MiB; send less at once"
