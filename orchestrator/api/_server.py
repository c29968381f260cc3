"""The process: serves an application until it is told to stop, and ends its streams first."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from orchestrator.api._session import LOOPBACK, SingleUser
from orchestrator.errors import InputRefusedError

# Beyond the longest that a request for events or a lease may be answering when told to stop.
GRACE_S = 10
KEEP_ALIVE_S = 75  # a worker's connection lives from one heartbeat to the next
HEADERS_S = 10.0  # the head of a request takes no longer over any network in use


class _Protocol(H11Protocol):
    """HTTP/1.1 that hangs up on whoever does not finish the head of a request in time."""

    headers_s = HEADERS_S
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Wait on while a head is unfinished, and no longer once it is there."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._wait_for_head()
        elif self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        if self._patience is not None:
            self._patience.cancel()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        if self._patience is None:
            self._patience = self.loop.call_later(self.headers_s, self._hang_up)

    def _hang_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


class ApiServer(uvicorn.Server):
    """Runs an application on one address; SIGINT and SIGTERM end it safely."""

    def __init__(
        self,
        app: FastAPI,
        host: str = "127.0.0.1",
        port: int = 8000,
        *,
        headers_s: float = HEADERS_S,
        on_started: Callable[[str], None] | None = None,
    ) -> None:
        """Prepare a server.

        Args:
            app: From `create_app`.
            host: Address to listen on.
            port: Port; 0 takes a free one.
            headers_s: How long the head of a request may take [s].
            on_started: Told the URL once it is served.
        """
        protocol = type("Protocol", (_Protocol,), {"headers_s": headers_s})
        super().__init__(
            uvicorn.Config(
                app,
                host,
                port,
                http=protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        self._app, self._on_started = app, on_started

    @property
    def url(self) -> str:
        """Where it is served."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say where."""
        await super().startup(sockets)
        if self.started and self._on_started is not None:
            self._on_started(self.url)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End streams and waits, let answers be finished, and close."""
        service: Any = self._app.state.service
        service.feed.close()
        await super().shutdown(sockets)


def single_user(host: str) -> SingleUser:
    """Return single-user mode for a server on this address.

    Raises:
        InputRefusedError: not a loopback address; others reach it, so tokens must guard it.
    """
    if host not in LOOPBACK:
        raise InputRefusedError(
            f"single-user mode needs a loopback address such as 127.0.0.1, but the host is "
            f"{host}; make a token with `dotpilot token create` instead"
        )
    return SingleUser()
