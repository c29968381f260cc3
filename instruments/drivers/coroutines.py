"""Coroutines of libraries that are asyncio, run from synchronous drivers with a deadline."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

from instruments.errors import DeviceTimeoutError

T = TypeVar("T")
_GRACE = 1.0  # s that a coroutine may take to end after it was cancelled


class LoopThread:
    """An event loop in a thread of its own.

    Args:
        name: Of the device that it serves.
    """

    def __init__(self, name: str) -> None:
        self._name, self._loop = name, asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name=f"loop {name}", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it still runs coroutines."""
        return not self._loop.is_closed()

    def run(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """Return what a coroutine returns.

        Args:
            work: Awaited on the loop.
            seconds: Longest wait [s], after which it is cancelled.

        Raises:
            DeviceTimeoutError: it took longer, or the loop is closed.
        """
        if self._loop.is_closed():
            work.close()
            raise DeviceTimeoutError(
                f"{self._name} must be open to be reached, but it is closed; open the station"
            )
        future = asyncio.run_coroutine_threadsafe(_bounded(work, seconds), self._loop)
        try:
            return future.result(seconds + _GRACE)
        except (TimeoutError, FutureTimeout) as error:
            future.cancel()
            raise DeviceTimeoutError(
                f"{self._name} must be done within {seconds:g} s, but is not; whether the device "
                "acted is unknown, look at it"
            ) from error

    def close(self) -> None:
        """End the loop. May be called twice."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_GRACE)
        if not self._loop.is_running():
            self._loop.close()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()


async def _bounded(work: Coroutine[Any, Any, T], seconds: float) -> T:
    async with asyncio.timeout(seconds):
        return await work
