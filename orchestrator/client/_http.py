"""HTTP: the one module that knows httpx. Retries, and server-sent events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import httpx
import stamina

from orchestrator.client._problems import TRY_AGAIN, Answer, check
from orchestrator.errors import InputRefusedError, RemoteError

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
SILENCE = 45.0  # s without a byte on an event stream, which is kept alive every 15 s


@dataclass(frozen=True)
class Retries:
    """How long an idempotent call is tried again, with waits that double and jitter.

    Attributes:
        attempts: At most so many.
        timeout: At most so long [s].
        first_wait: Before the second attempt [s].
        longest_wait: Between two attempts [s].
    """

    attempts: int = 6
    timeout: float = 30.0
    first_wait: float = 0.2
    longest_wait: float = 5.0


@dataclass(frozen=True)
class ServerSentEvent:
    """One event of a stream: its id, type and data as text."""

    id: str
    type: str
    data: str


class _NotNow(Exception):  # noqa: N818 a signal to try again, never seen outside
    """The call may succeed when it is made again."""

    def __init__(self, error: RemoteError) -> None:
        self.error = error


class Connection:
    """Calls one server. Thread-safe: threads share its pool of connections.

    Args:
        url: `http://host:port` or `https://host/prefix`.
        token: Sent as `Authorization: Bearer`.
        retries: For calls that may be made twice.
        timeout: Longest silence of an ordinary call [s].

    Raises:
        InputRefusedError: not such a URL.
    """

    def __init__(self, url: str, token: str | None, retries: Retries, timeout: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise InputRefusedError(
                f"a server must be given as http://HOST:PORT or https://HOST, but got {url!r}"
            )
        self.url = url.rstrip("/")
        self._retries, self._timeout = retries, timeout
        headers = {"User-Agent": f"dotpilot/{version('dotpilot')}"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._client = httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(timeout, connect=10.0),
            trust_env=parts.hostname not in LOOPBACK,  # no proxy leads to this very machine
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        again: bool = True,
        timeout: float | None = None,
    ) -> Answer:
        """Make one call and return a successful answer.

        Args:
            method: HTTP method.
            path: Below the server's URL, quoted.
            body: JSON document.
            query: Parameters; those that are None are left out.
            headers: Further ones.
            again: The call may be made twice. One that may not is tried again only while it
                never reached the server.
            timeout: Longest silence [s], instead of the connection's.

        Raises:
            RemoteError: unreachable, after the retries.
            DotpilotError: refused.
        """
        content = None if body is None else json.dumps(body, allow_nan=False).encode()
        request = self._client.build_request(
            method,
            self.url + path,
            content=content,
            params={k: v for k, v in (query or {}).items() if v is not None},
            headers={**({"Content-Type": "application/json"} if body is not None else {}),
                     **(headers or {})},
            timeout=httpx.Timeout(timeout or self._timeout, connect=10.0),
        )  # fmt: skip
        r = self._retries
        try:
            for attempt in stamina.retry_context(
                on=_NotNow,
                attempts=r.attempts,
                timeout=r.timeout,
                wait_initial=r.first_wait,
                wait_max=r.longest_wait,
            ):
                with attempt:
                    return check(self._send(request, again))
        except _NotNow as error:
            raise error.error from error.__cause__
        raise AssertionError("unreachable")

    def _send(self, request: httpx.Request, again: bool) -> Answer:
        try:
            response = self._client.send(request)
        except httpx.TransportError as error:
            unreachable = self._unreachable(error)
            if again or isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
                raise _NotNow(unreachable) from error
            raise unreachable from error
        answer = _answer(response, response.content)
        if again and response.status_code in TRY_AGAIN:
            try:
                check(answer)
            except RemoteError as error:
                raise _NotNow(error) from error
        return answer

    def _unreachable(self, error: Exception) -> RemoteError:
        what = str(error) or type(error).__name__
        return RemoteError(
            f"the server {self.url} cannot be reached ({what}); is it running (`dotpilot serve`), "
            "and is the URL right?"
        )

    @contextmanager
    def stream(
        self, path: str, query: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Iterator[Iterator[ServerSentEvent]]:
        """Open a stream of server-sent events; one connection, no retries.

        Raises:
            RemoteError: unreachable, or cut while it was read.
            DotpilotError: refused.
        """
        accept = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        timeout = httpx.Timeout(SILENCE, connect=10.0)
        try:
            with self._client.stream(
                "GET",
                self.url + path,
                params=query,
                headers={**accept, **headers},
                timeout=timeout,
            ) as response:
                if response.status_code >= 400:
                    check(_answer(response, response.read()))
                yield read_events(response.iter_lines())
        except httpx.TransportError as error:
            raise self._unreachable(error) from error


def _answer(response: httpx.Response, body: bytes) -> Answer:
    headers = {k.lower(): v for k, v in response.headers.items()}
    return Answer(response.status_code, headers, body)


def read_events(lines: Iterator[str]) -> Iterator[ServerSentEvent]:
    """Parse server-sent events (WHATWG HTML, section 9.2); an unfinished one is dropped."""
    last, kind, data = "", "", list[str]()
    for line in lines:
        if not line:
            if data:
                yield ServerSentEvent(last, kind or "message", "\n".join(data))
            kind, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            kind = value
        elif field == "id" and "\0" not in value:
            last = value
