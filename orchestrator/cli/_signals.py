"""What SIGINT and SIGTERM do while a command runs."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from orchestrator.cli._context import say


@contextmanager
def on_signals(handle: Callable[[str], None]) -> Iterator[None]:
    """Call `handle` with the name of each SIGINT and SIGTERM; put back what was before."""

    def handler(number: int, frame: FrameType | None) -> None:
        del frame
        handle(signal.Signals(number).name)

    previous = {s: signal.signal(s, handler) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


@contextmanager
def drained(
    asked: Callable[[], bool], ask: Callable[[str], None], finishing: str
) -> Iterator[None]:
    """Let the first signal drain, and the second abort safely.

    Args:
        asked: Whether a drain was asked for already.
        ask: Asks for it, with the reason.
        finishing: What is finished first, for people.
    """

    def handle(name: str) -> None:
        if asked():
            raise KeyboardInterrupt
        ask(f"interrupted by {name}")
        say(f"draining: {finishing}; once more to abort it safely")

    with on_signals(handle):
        yield
