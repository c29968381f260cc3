"""A real server on a free port of this machine, with its loops, in threads of the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.access import create_token
from orchestrator.api import ApiServer, create_app
from orchestrator.fleet import LoopRunner
from orchestrator.ledger import Ledger
from tests.worker.doubles import wait_for


@contextmanager
def running_server(url: str) -> Iterator[tuple[str, str]]:
    """Serve a database; give the server's URL and an admin token."""
    with Ledger.open(url) as ledger:
        token = create_token(ledger, ["admin"]).text
        server = ApiServer(create_app(ledger), port=0)
        thread = threading.Thread(target=server.run)
        with LoopRunner(ledger, poll_s=0.05):
            thread.start()
            try:
                wait_for(lambda: server.started)
                yield server.url, token
            finally:
                server.should_exit = True
                thread.join()
