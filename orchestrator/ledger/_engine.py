"""Engines: SQLite in WAL with full durability, PostgreSQL by URL."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, create_engine, event
from sqlalchemy import exc as sql
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, InvalidatePoolError

from orchestrator.errors import InputRefusedError
from orchestrator.ledger._turns import FairPool

BUSY_MS = 30_000
# an intent that power loss could undo would be a dose given twice: every commit is synced
# unless the URL says ?synchronous=normal, where the last moments may be lost but nothing breaks
PRAGMAS = (f"PRAGMA busy_timeout={BUSY_MS}", "PRAGMA foreign_keys=ON")
SYNCHRONOUS = ("full", "normal")
# Connections to PostgreSQL that a process keeps. More do less: 64 workers in two processes made
# 386 cycles a second with 4 each, 334 with 8 and 4 more, 305 with 16 (benchmarks/fleet.py).
POOL, SPARE = 8, 4
# A connection that has rested for longer may have lost its server unnoticed [s].
TRUSTED_S = 5.0
# Primary result codes of SQLite that speak of the way to a file rather than of what it holds.
_OUT_OF_REACH = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_AUTH,
}


def parse_url(text: str) -> URL:
    """Return the URL of a database that dotpilot can use.

    Raises:
        InputRefusedError: not a URL, or another database than SQLite or PostgreSQL.
    """
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise InputRefusedError(
            f"--db must be a URL such as sqlite:///dotpilot.db, but got {text!r}"
        ) from error
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise InputRefusedError(
            f"--db must be sqlite:/// or postgresql://, but got {url.get_backend_name()}"
        )
    if url.get_backend_name() == "sqlite":
        _synchronous(url)
    return url


def _synchronous(url: URL) -> str:
    """Return how strictly SQLite syncs: "full", or what the URL's `synchronous` says.

    Raises:
        InputRefusedError: another value, or another option.
    """
    value = url.query.get("synchronous", "full")
    if set(url.query) - {"synchronous"} or value not in SYNCHRONOUS:
        raise InputRefusedError(
            "the options of a sqlite URL must be none or synchronous=full or synchronous=normal, "
            f"but got {dict(url.query)}; leave them out to have every event synced"
        )
    return str(value)


def sqlite_path(url: URL) -> Path | None:
    """Return the file of a SQLite URL, or None for another database."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def make_engine(url: URL) -> Engine:
    """Build an engine whose write transactions take their lock at once."""
    if url.get_backend_name() != "sqlite":
        engine = create_engine(url, poolclass=FairPool, pool_size=POOL, max_overflow=SPARE)
        event.listen(engine, "checkin", _on_checkin)
        event.listen(engine, "checkout", partial(_on_checkout, engine.dialect))
        return engine
    path = sqlite_path(url)
    if path is None:
        raise InputRefusedError("--db must name a file, such as sqlite:///dotpilot.db")
    if not path.parent.is_dir():
        raise InputRefusedError(
            f"--db must lie in a folder that exists, but {path.parent} does not; make it first"
        )
    synchronous = f"PRAGMA synchronous={_synchronous(url)}"
    engine = create_engine(url.difference_update_query(["synchronous"]))
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "connect", lambda connection, _: connection.execute(synchronous))
    event.listen(engine, "begin", _on_begin)
    return engine


def _on_checkin(_: Any, record: Any) -> None:
    record.info["rests_since"] = time.monotonic()


def _on_checkout(dialect: Dialect, connection: Any, record: Any, _: Any) -> None:
    """Ask a connection that rested for a while whether it lives; asking each time costs a lot."""
    rested = time.monotonic() - record.info.get("rests_since", time.monotonic())
    if not connection.closed and rested < TRUSTED_S:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise InvalidatePoolError("the server has closed a connection that rested") from error


def _on_connect(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy begins; the driver must not
    for pragma in PRAGMAS:
        connection.execute(pragma)


def _on_begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Give a connection for reading whose statements all see the database at one moment."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":  # SQLite's transactions see one moment anyway
            connection = connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        yield connection


def unreachable(error: BaseException) -> bool:
    """Tell whether an error says that a database cannot be got at, rather than what it holds."""
    if isinstance(error, sql.TimeoutError):  # of the pool
        return True
    if not isinstance(error, sql.DBAPIError):
        return False
    if isinstance(error.orig, sqlite3.Error):
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _OUT_OF_REACH
    return error.connection_invalidated or isinstance(error, sql.OperationalError)
