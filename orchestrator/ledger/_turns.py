"""Connections in the order in which they were asked for.

SQLAlchemy's own pool hands a returned connection to whichever thread comes first. That is the
thread that just returned it and needs it again for its next transaction, so that others wait for
seconds while it does dozens.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool


class Turns:
    """So many places; whoever waits longest has the next one."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: deque[threading.Lock] = deque()
        # re-entered where the garbage collector returns a connection in the midst of this
        self._lock = threading.RLock()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def take(self, timeout_s: float) -> bool:
        """Wait for a place; tell whether there was one in time."""
        turn = threading.Lock()
        turn.acquire()
        with self._lock:
            if self._free and not self._waiting:
                self._free -= 1
                return True
            self._waiting.append(turn)
        try:
            if turn.acquire(timeout=timeout_s):
                return True
        except BaseException:
            if not self._leave(turn):
                self.give()
            raise
        return not self._leave(turn)

    def _leave(self, turn: threading.Lock) -> bool:
        """Stop waiting; tell whether that was in time, before a place came."""
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return True
        return False

    def give(self) -> None:
        """Give a place back, to whoever waits longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1


class FairPool(QueuePool):
    """A pool of connections that threads get in the order in which they asked."""

    def __init__(
        self, creator: Any, pool_size: int = 5, max_overflow: int = 10, **more: Any
    ) -> None:
        """Prepare a pool.

        Args:
            creator: Makes a connection.
            pool_size: Connections that are kept.
            max_overflow: Further ones that are closed after use.
            more: As `QueuePool` takes it.
        """
        super().__init__(creator, pool_size, max_overflow, **more)
        self._turns = Turns(pool_size + max_overflow)

    def _do_get(self) -> ConnectionPoolEntry:
        if not self._turns.take(self.timeout()):
            raise PoolTimeoutError(
                f"all {self.size()} connections to the database were in use for "
                f"{self.timeout():g} s; ask for less at once"
            )
        try:
            return super()._do_get()
        except BaseException:
            self._turns.give()
            raise

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        try:
            super()._do_return_conn(record)
        finally:
            self._turns.give()
