"""Single-user mode on loopback: a one-time link becomes the session of one browser.

The link opens a form; only its POST uses the code up, so that a program which looks at links
changes nothing. The session lives in this process and ends with it.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlsplit

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from orchestrator.access import SCOPES, Principal, record_use
from orchestrator.errors import ForbiddenError, UnauthenticatedError

COOKIE = "dotpilot_session"
CODE_LIFE = timedelta(minutes=15)
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_SAFE = ("GET", "HEAD", "OPTIONS")
_FORM = """<!doctype html><html lang="en"><meta charset="utf-8"><title>dotpilot</title>
<h1>dotpilot</h1><form method="post" action="/session">
<input type="hidden" name="code" value="{code}"><button autofocus>Open this laboratory</button>
</form></html>"""


class SingleUser:
    """Knows the one code that may still be exchanged, and the one session."""

    def __init__(self, home: str = "/v1/campaigns") -> None:
        """Begin without a code.

        Args:
            home: Where the browser goes once it has its session.
        """
        self.home = home
        self._code: tuple[str, datetime] | None = None
        self._session: str | None = None

    def link(self, base_url: str, now: datetime) -> str:
        """Return a new one-time link; an earlier one is void."""
        code = secrets.token_urlsafe(32)
        self._code = (code, now + CODE_LIFE)
        return f"{base_url.rstrip('/')}/session?code={code}"

    def exchange(self, code: str, now: datetime) -> str:
        """Use the code up and return the session's secret.

        Raises:
            UnauthenticatedError: another code, one that was used, or one that is too old.
        """
        known = self._code
        if (
            known is None
            or now >= known[1]
            or not hmac.compare_digest(known[0].encode(), code.encode("utf-8", "replace"))
        ):
            raise UnauthenticatedError(
                "the link was used, is too old, or is not ours; `dotpilot serve` prints a new one"
            )
        self._code = None
        self._session = secrets.token_urlsafe(32)
        return self._session

    def principal(self, request: Request) -> Principal | None:
        """Return who asks by cookie, or None where there is no cookie of ours.

        Raises:
            UnauthenticatedError: a cookie of another session.
            ForbiddenError: a change asked for by a page of another origin.
        """
        given = cookie_of(request)
        if given is None:
            return None
        session = self._session or ""
        if not session or not hmac.compare_digest(session.encode(), given.encode()):
            raise UnauthenticatedError("the session is over; open the link that the server prints")
        if request.method not in _SAFE and not same_origin(request):
            raise ForbiddenError("a change by session must come from this server's own pages")
        return Principal("session", frozenset(SCOPES))


def cookie_of(request: Request) -> str | None:
    """Return the session cookie of a request that came to a loopback name, if it has one."""
    if urlsplit(f"//{request.headers.get('host', '')}").hostname not in LOOPBACK:
        return None
    found = SimpleCookie(request.headers.get("cookie", "")).get(COOKIE)
    return None if found is None else found.value


def same_origin(request: Request) -> bool:
    """Tell whether the browser says that its own page of this server asks."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None and site != "same-origin":
        return False
    if origin is not None:
        return urlsplit(origin).netloc == request.headers.get("host")
    return site == "same-origin"


async def session_form(code: str = "") -> Response:
    """Show the button that exchanges the code; nothing changes yet."""
    safe = "".join(c for c in code if c.isalnum() or c in "-_")
    return HTMLResponse(_FORM.format(code=safe))


async def session_start(request: Request) -> Response:
    """Exchange the code for a session cookie."""
    service = request.app.state.service
    form = parse_qs((await request.body()).decode("utf-8", "replace"))
    now = service.ledger.time()
    if not same_origin(request):
        raise ForbiddenError("the form must be sent from this server's own page")
    secret = service.single_user.exchange(form.get("code", [""])[0], now)
    await run_in_threadpool(record_use, service.ledger, "session", "POST /session", "", 303)
    answer = RedirectResponse(service.single_user.home, 303)
    answer.set_cookie(COOKIE, secret, httponly=True, samesite="strict", path="/")
    return answer
