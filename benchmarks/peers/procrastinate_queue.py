"""A bare procrastinate queue, in its own environment; answers lines of JSON.

{"url", "defer": N} applies the schema and defers N jobs; {"url", "workers": W} works them all off:
fetch a job, heartbeat, finish it, by procrastinate's own statements.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from typing import Any

import procrastinate
from procrastinate import jobs

BATCH = 500


def _app(url: str, connections: int) -> procrastinate.App:
    connector = procrastinate.PsycopgConnector(
        conninfo=url, min_size=connections, max_size=connections
    )
    return procrastinate.App(connector=connector)


async def _defer(url: str, count: int) -> dict[str, Any]:
    app = _app(url, 1)
    task = app.task(name="bench")(_nothing)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        arguments = {f"p{i}": 0.1 * i for i in range(8)}
        for first in range(0, count, BATCH):
            batch = [{"recipe": arguments}] * min(BATCH, count - first)
            await task.batch_defer_async(*batch)
        await app.connector.execute_query_async("ANALYZE procrastinate_jobs")
    return {"version": procrastinate.__version__}


def _nothing(recipe: dict[str, float]) -> None:
    """Stand for the work: the queue itself is measured."""


async def _work(url: str, workers: int) -> dict[str, Any]:
    app = _app(url, min(workers, 16))
    done: list[tuple[float, float, int]] = []
    async with app.open_async():
        manager = app.job_manager
        ids = [await manager.register_worker() for _ in range(workers)]

        async def worker(number: int) -> None:
            while True:
                start = time.perf_counter()
                job = await manager.fetch_job(None, number)
                if job is None:
                    return
                await manager.update_heartbeat(number)
                await manager.finish_job(job, jobs.Status.SUCCEEDED, delete_job=False)
                done.append((start, time.perf_counter(), job.id or 0))

        await asyncio.gather(*(worker(n) for n in ids))
    return {"done": done}


def main() -> None:
    logging.disable(logging.WARNING)  # that the application stands in this script
    for line in sys.stdin:
        question = json.loads(line)
        if "defer" in question:
            answer = asyncio.run(_defer(question["url"], question["defer"]))
        else:
            answer = asyncio.run(_work(question["url"], question["workers"]))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
