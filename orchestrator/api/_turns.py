"""Work that takes long and anybody may ask for: one at a time, a few waiting, the rest later."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.errors import DotpilotError


class BusyError(DotpilotError):
    """Too many ask for the same work; the same request may be answered later."""


class Turns:
    """Lets one thread work and a few wait, so that most threads serve everybody else.

    Args:
        most: How many at most, those that wait included.

    Attributes:
        room: How many more may come now.
    """

    def __init__(self, most: int = 4) -> None:
        self.room = most
        self._count, self._work = threading.Lock(), threading.Lock()

    @contextmanager
    def turn(self, what: str) -> Iterator[None]:
        """Wait for the turn, and work in it.

        Raises:
            BusyError: too many wait already.
        """
        with self._count:
            if not self.room:
                raise BusyError(
                    f"one {what} runs at a time and others wait already; ask again later"
                )
            self.room -= 1
        try:
            with self._work:
                yield
        finally:
            with self._count:
                self.room += 1
