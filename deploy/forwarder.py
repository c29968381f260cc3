"""Passes connections on to ports of this machine in turn: `forwarder.py PORT UPSTREAM...`."""

from __future__ import annotations

import asyncio
import itertools
import sys


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    except ConnectionError:
        pass  # either side may hang up at any time: the other one is then told below
    finally:
        target.close()


async def _serve(port: int, upstream: list[int]) -> None:
    turns = itertools.cycle(upstream)

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in upstream:
            try:
                there, back = await asyncio.open_connection("127.0.0.1", next(turns))
            except OSError:
                continue  # this one is down: the next
            await asyncio.gather(_copy(reader, back), _copy(there, writer))
            return
        writer.close()

    server = await asyncio.start_server(passed_on, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), [int(p) for p in sys.argv[2:]]))
