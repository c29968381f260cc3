"""A real server on a free port of this machine, with its loops, in threads of the test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from orchestrator.access import create_token
from orchestrator.api import create_app
from orchestrator.fleet import LoopRunner
from orchestrator.ledger import Ledger
from tests.worker.doubles import wait_for


@contextmanager
def running_server(url: str) -> Iterator[tuple[str, str]]:
    """Serve a database; give the server's URL and an admin token."""
    with Ledger.open(url) as ledger, socket.socket() as port:
        token = create_token(ledger, ["admin"]).text
        port.bind(("127.0.0.1", 0))
        app = create_app(ledger)
        config = uvicorn.Config(
            app, log_level="warning", lifespan="off", timeout_graceful_shutdown=2
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [port]})
        with LoopRunner(ledger, poll_s=0.05):
            thread.start()
            try:
                wait_for(lambda: server.started)
                yield f"http://127.0.0.1:{port.getsockname()[1]}", token
            finally:
                server.should_exit = True
                thread.join()
