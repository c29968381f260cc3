"""One owner a campaign: a lease with a fencing token, taken over at once from the dead."""

from __future__ import annotations

import logging
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
from sqlalchemy import Connection, Engine, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from orchestrator.errors import ConflictError, NotFoundError
from orchestrator.ledger._tables import campaign, owner

_log = logging.getLogger(__name__)


@cache
def _boot() -> str:
    """Name this boot and process namespace: process identifiers mean nothing beyond them."""
    path, space = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    boot = path.read_text().strip() if path.exists() else f"{psutil.boot_time():.0f}"
    return f"{boot} {os.readlink(space)}" if space.is_symlink() else boot


def _started(pid: int) -> float | None:
    """Return when a process started, or None for one that is dead.

    On Linux in clock ticks since the boot, which no change of the clock moves; elsewhere [s].
    """
    if Path("/proc/self/stat").exists():
        try:
            state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if state in "ZX" else float(rest[18])
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def _now(connection: Connection) -> float:
    """Return the time that leases count in: the server's, where hosts may differ [s]."""
    if connection.dialect.name == "postgresql":
        query = text("SELECT extract(epoch FROM clock_timestamp())")
        return float(connection.execute(query).scalar_one())
    return time.time()


def _alive(row: Mapping[Any, Any], now: float) -> bool:
    if row["holder"] is None:
        return False
    if row["host"] != socket.gethostname() or row["boot"] != _boot():
        return bool(row["expires"] > now)
    return bool(_started(row["pid"]) == row["started"])


class Ownership:
    """The right to write a campaign's record; `token` grows with every owner.

    A thread renews the lease; `release` (or leaving the context) joins it.
    """

    def __init__(self, engine: Engine, campaign_id: str, lease_s: float = 60.0) -> None:
        """Take the lease.

        Raises:
            NotFoundError: no such campaign.
            ConflictError: somebody alive holds it.
        """
        self._engine, self._campaign, self._lease = engine, campaign_id, lease_s
        with engine.connect().execution_options(write=True) as connection, connection.begin():
            self.token = self._take(connection)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="dotpilot-lease", daemon=True)
        self._thread.start()

    def _take(self, connection: Connection) -> int:
        # whoever is appending holds this row: the token must not change under their hands
        locked = select(campaign.c.id).where(campaign.c.id == self._campaign).with_for_update()
        if connection.execute(locked).first() is None:
            raise NotFoundError(
                f"there is no campaign {self._campaign}; `dotpilot list` shows all"
            )
        query = select(owner).where(owner.c.campaign == self._campaign)
        row = connection.execute(query).mappings().first()
        now = _now(connection)
        if row is not None and _alive(row, now):
            raise ConflictError(
                f"a campaign has one owner at a time, but {self._campaign} is run by "
                f"{row['holder']} (process {row['pid']}, lease for another "
                f"{row['expires'] - now:.0f} s); wait, or stop that process first"
            )
        token = 1 if row is None else int(row["token"]) + 1
        values = {
            "token": token,
            "holder": f"{os.environ.get('USER', 'dotpilot')}@{socket.gethostname()}",
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": _started(os.getpid()),
            "boot": _boot(),
            "expires": now + self._lease,
        }
        if row is None:
            connection.execute(insert(owner).values(campaign=self._campaign, **values))
        else:
            connection.execute(self._mine(update(owner), row["token"]).values(**values))
        return token

    def _mine(self, statement: Any, token: int) -> Any:
        return statement.where(owner.c.campaign == self._campaign, owner.c.token == token)

    def _set(self, *, lease_s: float | None = None, **values: Any) -> None:
        with self._engine.connect().execution_options(write=True) as connection:
            with connection.begin():
                if lease_s is not None:
                    values["expires"] = _now(connection) + lease_s
                connection.execute(self._mine(update(owner), self.token).values(**values))

    def _renew(self) -> None:
        while not self._stop.wait(self._lease / 3.0):
            try:
                self._set(lease_s=self._lease)
            except SQLAlchemyError as error:
                _log.warning(
                    "the lease on %s could not be renewed and is tried again: %s",
                    self._campaign,
                    error,
                )

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
