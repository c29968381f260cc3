"""The fleet layer over HTTP, for fleet.py: API processes, and a client of plain connections."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from _peer import HERE

from orchestrator.cli import app
from orchestrator.fleet import packed

AXIS = np.linspace(400.0, 700.0, 50)
START_S = 60.0


def served() -> bool:
    """Whether this dotpilot has the commands that are needed."""
    names = {g.name for g in app.registered_groups} | {
        c.name or (c.callback.__name__ if c.callback else "") for c in app.registered_commands
    }
    return {"serve", "token"} <= names


@contextmanager
def api_servers(url: str, count: int) -> Iterator[tuple[list[int], str]]:
    """Run API processes without loops on a database; give their ports and a token."""
    environment = {**os.environ, "DOTPILOT_DB": url, "PYTHONPATH": str(HERE.parent)}
    command = [sys.executable, "-c", "from orchestrator.cli import main; main()"]
    words = ["token", "create", "--scope", "admin", "--json", "--quiet"]
    made = subprocess.run(
        [*command, *words], env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    with ExitStack() as stack:
        ports = []
        for _ in range(count):
            ports.append(_free_port())
            serve = ["serve", "--no-loops", "--quiet", "--port", str(ports[-1])]
            process = subprocess.Popen([*command, *serve], env=environment, stdout=sys.stderr)
            stack.callback(process.wait, 30)
            stack.callback(process.send_signal, signal.SIGTERM)
        for port in ports:
            _wait_until_ready(port)
        yield ports, json.loads(made.stdout)["token"]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_until_ready(port: int) -> None:
    end = time.monotonic() + START_S
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            if time.monotonic() > end:
                raise
        finally:
            connection.close()
        time.sleep(0.1)


class Remote:
    """The same cycle over HTTP; every worker keeps one connection."""

    def __init__(self, ports: list[int], token: str) -> None:
        self._ports = ports
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._here = threading.local()

    def _ask(self, method: str, path: str, body: dict[str, Any]) -> Any:
        connection = self._here.connection
        connection.request(method, f"/v1{path}", json.dumps(body), self._headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path} answered {answer.status}: {content[:300]!r}")
        return json.loads(content) if content else None

    def register(self, worker: str) -> None:
        """Open the worker's connection and register it."""
        port = self._ports[int(worker.removeprefix("w")) % len(self._ports)]
        self._here.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._ask("PUT", f"/workers/{worker}", {"lab": "bench", "station": "bench"})

    def cycle(self, worker: str, values: Any) -> tuple[str, int] | None:
        """Lease, heartbeat and report once."""
        lease = self._ask("POST", "/leases", {"worker": worker, "wait_s": 0})
        if lease is None:
            self._here.connection.close()
            return None
        path, fence = f"/leases/{lease['lease']}", lease["fence"]
        self._ask("POST", f"{path}/heartbeat", {"fence": fence, "progress": "running"})
        spectrum = {
            "name": "pl", "axis": packed(AXIS), "values": packed(values), "axis_unit": "nm",
            "unit": "counts",
        }  # fmt: skip
        results = [
            {"trial": m["trial"], "attempt": m["attempt"], "achieved": m["recipe"],
             "spectra": [spectrum]}
            for m in lease["members"]
        ]  # fmt: skip
        self._ask("PUT", f"{path}/result", {"fence": fence, "results": results})
        return lease["lease"], fence

    def close(self) -> None:
        """Every worker closed its own connection."""
