"""Commands that keep running: loops, and (with the API) serve."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer

from orchestrator.cli._context import say, settings

LeaseSeconds = Annotated[
    float, typer.Option("--lease", min=1.0, help="How long a silent worker keeps a lease [s].")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(loops)


def loops(lease: LeaseSeconds = 60.0) -> None:
    """Run the loops of served campaigns until interrupted; several of these share the work."""
    from orchestrator.fleet import LoopRunner

    with settings.ledger() as ledger, LoopRunner(ledger, lease_s=lease), stop_signal() as stop:
        say(f"running the loops of {settings.shown}; Ctrl-C ends them safely")
        stop.wait()


@contextmanager
def stop_signal() -> Iterator[threading.Event]:
    """Give an event that SIGINT and SIGTERM set."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop.set()

    previous = {s: signal.signal(s, handle) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
