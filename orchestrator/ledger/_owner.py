"""One owner a campaign: a lease with a fencing token, taken over at once from the dead."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
from sqlalchemy import Connection, Engine, insert, select, update

from orchestrator.errors import ConflictError
from orchestrator.ledger._tables import owner


@cache
def _boot() -> str:
    """Name this boot of this host: process identifiers mean nothing beyond it."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else f"{psutil.boot_time():.0f}"


def _alive(row: Mapping[Any, Any], now: float) -> bool:
    if row["holder"] is None:
        return False
    if row["host"] != socket.gethostname() or row["boot"] != _boot():
        return bool(row["expires"] > now)
    try:
        process = psutil.Process(row["pid"])
        same = abs(process.create_time() - row["started"]) < 0.05
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Ownership:
    """The right to write a campaign's record; `token` grows with every owner.

    A thread renews the lease; `release` (or leaving the context) joins it.
    """

    def __init__(self, engine: Engine, campaign: str, lease_s: float = 60.0) -> None:
        """Take the lease.

        Raises:
            ConflictError: somebody alive holds it.
        """
        self._engine, self._campaign, self._lease = engine, campaign, lease_s
        with engine.connect().execution_options(write=True) as connection, connection.begin():
            self.token = self._take(connection)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="dotpilot-lease", daemon=True)
        self._thread.start()

    def _take(self, connection: Connection) -> int:
        query = select(owner).where(owner.c.campaign == self._campaign).with_for_update()
        row = connection.execute(query).mappings().first()
        now = time.time()
        if row is not None and _alive(row, now):
            raise ConflictError(
                f"a campaign has one owner at a time, but {self._campaign} is run by "
                f"{row['holder']} (process {row['pid']}); wait, or stop that process first"
            )
        values = {
            "token": 1 if row is None else row["token"] + 1,
            "holder": f"{os.environ.get('USER', 'dotpilot')}@{socket.gethostname()}",
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": psutil.Process().create_time(),
            "boot": _boot(),
            "expires": now + self._lease,
        }
        if row is None:
            connection.execute(insert(owner).values(campaign=self._campaign, **values))
        else:
            connection.execute(self._mine(update(owner), row["token"]).values(**values))
        return int(values["token"])

    def _mine(self, statement: Any, token: int) -> Any:
        return statement.where(owner.c.campaign == self._campaign, owner.c.token == token)

    def _set(self, **values: Any) -> None:
        with self._engine.connect().execution_options(write=True) as connection:
            with connection.begin():
                connection.execute(self._mine(update(owner), self.token).values(**values))

    def _renew(self) -> None:
        while not self._stop.wait(self._lease / 3.0):
            self._set(expires=time.time() + self._lease)

    def release(self) -> None:
        """Let go of the campaign; may be called twice."""
        if not self._stop.is_set():
            self._stop.set()
            self._thread.join()
            self._set(holder=None)

    def __enter__(self) -> Ownership:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
