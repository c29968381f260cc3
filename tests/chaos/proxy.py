"""A proxy between workers and servers that delays, cuts and duplicates requests.

Run as a process of its own: `python -m tests.chaos.proxy PORT SEED RATE BACKEND...`, where RATE is
the share of requests that suffer and each BACKEND is a port on this machine. The last line that it
prints on SIGTERM is how often it did what, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from collections import Counter
from dataclasses import dataclass, field

FAULTS = ("delay", "cut_before", "cut_after", "duplicate")
LIMIT = 64 * 1024 * 1024


class _GoneError(Exception):
    """One side hung up."""


async def _message(reader: asyncio.StreamReader) -> bytes:
    """Read one request or answer whole, by its content length."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise _GoneError from error
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    try:
        return head + (await reader.readexactly(length) if length else b"")
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise _GoneError from error


@dataclass
class Proxy:
    """Passes requests on, one connection each, to the backends in turn."""

    rng: random.Random
    rate: float
    backends: list[int]
    counts: Counter[str] = field(default_factory=Counter)
    turn: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of a client until either side hangs up."""
        try:
            while True:
                request = await _message(reader)
                answer = await self._pass_on(request)
                writer.write(answer)
                await writer.drain()
        except (_GoneError, ConnectionError):
            pass  # what a network does; the client finds out
        finally:
            writer.close()

    async def _pass_on(self, request: bytes) -> bytes:
        fault = self.rng.choice(FAULTS) if self.rng.random() < self.rate else "none"
        if fault == "duplicate" and not request.startswith((b"POST", b"PUT")):
            fault = "delay"
        self.counts[fault] += 1
        if fault == "delay":
            await asyncio.sleep(self.rng.uniform(0.05, 1.5))
        if fault == "cut_before":
            raise _GoneError
        answer = await self._ask(request)
        if fault == "duplicate":
            again = await self._ask(request)
            answer = self.rng.choice((answer, again))
        if fault == "cut_after":
            raise _GoneError
        return answer

    async def _ask(self, request: bytes) -> bytes:
        reader, writer = await self._connected()
        try:
            writer.write(request)
            await writer.drain()
            return await _message(reader)
        except ConnectionError as error:
            raise _GoneError from error
        finally:
            writer.close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the next backend that listens, as a balancer with health checks does."""
        for _ in self.backends:
            self.turn += 1
            port = self.backends[self.turn % len(self.backends)]
            try:
                return await asyncio.open_connection("127.0.0.1", port, limit=LIMIT)
            except OSError:
                self.counts["refused"] += 1
        raise _GoneError


async def _main(port: int, seed: int, rate: float, backends: list[int]) -> None:
    proxy = Proxy(random.Random(seed), rate, backends)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", port, limit=LIMIT)
    async with server:
        await stop.wait()
    print(json.dumps(proxy.counts), flush=True)


if __name__ == "__main__":
    _, port, seed, rate, *backends = sys.argv
    asyncio.run(_main(int(port), int(seed), float(rate), [int(b) for b in backends]))
