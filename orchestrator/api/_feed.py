"""Waiting for the record to change: one poll of the database serves everybody who waits.

Every process that writes is heard, and nobody who waits holds a thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

Probe = Callable[[frozenset[str]], Mapping[str, Any]]
# Short beside what a person notices, long beside the query that it costs.
POLL_S = 0.1
_log = logging.getLogger(__name__)


class Feed:
    """Tells those who wait when the value of their key is another.

    Belongs to one event loop at a time. The poll runs while somebody waits.
    """

    def __init__(self, probe: Probe, poll_s: float = POLL_S) -> None:
        self._probe, self._poll_s = probe, poll_s
        self._waiting: Counter[str] = Counter()
        self._values: Mapping[str, Any] = {}
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.closed = False

    async def beyond(self, key: str, seen: int, timeout_s: float) -> bool:
        """Wait until the value of `key`, a count, is above `seen`; tell whether it is.

        Returns False after `timeout_s`, or at once where the service stops.
        """
        return await self._until(key, lambda value: value > seen, timeout_s)

    async def change(self, key: str, timeout_s: float) -> bool:
        """Wait until the value of `key` changes; tell whether it did."""
        first: list[Any] = []

        def differs(value: Any) -> bool:
            if not first:
                first.append(value)
            return bool(value != first[0])

        return await self._until(key, differs, timeout_s)

    async def _until(self, key: str, wanted: Callable[[Any], bool], timeout_s: float) -> bool:
        self._waiting[key] += 1
        if self._task is None or self._task.done():
            self._news = asyncio.Event()
            self._task = asyncio.create_task(self._poll())
        try:
            async with asyncio.timeout(timeout_s):
                while not self.closed:
                    news = self._news
                    if key in self._values and wanted(self._values[key]):
                        return True
                    await news.wait()
        except TimeoutError:
            return False
        finally:
            self._leave(key)
        return False

    def close(self) -> None:
        """Wake everybody: the service stops."""
        self.closed = True
        self._news.set()

    def _leave(self, key: str) -> None:
        self._waiting[key] -= 1
        if self._waiting[key] == 0:
            del self._waiting[key]
        if not self._waiting and self._task is not None:
            self._task.cancel()
            self._task, self._values = None, {}

    async def _poll(self) -> None:
        while not self.closed:
            try:
                self._values = await run_in_threadpool(self._probe, frozenset(self._waiting))
            except SQLAlchemyError as error:
                _log.warning("the record cannot be asked for news and is asked again: %s", error)
            news, self._news = self._news, asyncio.Event()
            news.set()
            await asyncio.sleep(self._poll_s)
