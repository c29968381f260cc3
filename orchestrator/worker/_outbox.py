"""The outbox: what this place knows of its runs, on disk before anybody else is told."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, get_args

from orchestrator.errors import ConflictError, InputRefusedError

Route = Literal["result", "fail", "return"]
KEPT = 1000
"""Entries that were acknowledged and are kept, without their bodies, for people to look at."""
_COLUMNS = "lease, fence, document, route, body, answer"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    lease TEXT NOT NULL,
    fence INTEGER NOT NULL,
    document TEXT NOT NULL,
    route TEXT,
    body TEXT,
    answer TEXT,
    UNIQUE (lease, fence)
)
"""
_DOSES = """
CREATE TABLE IF NOT EXISTS dose (
    lease TEXT NOT NULL, fence INTEGER NOT NULL, stock TEXT NOT NULL, lot TEXT NOT NULL,
    most REAL NOT NULL, PRIMARY KEY (lease, fence, stock, lot)
)
"""
_IDENTITY = "CREATE TABLE IF NOT EXISTS identity (outbox TEXT NOT NULL)"


@dataclass(frozen=True)
class Entry:
    """One run of the station.

    Attributes:
        lease: Identifier of the lease under which it was made.
        fence: The lease's fencing number then.
        document: The lease as it was granted.
        route: How its outcome is reported, or None while there is none.
        body: What is reported.
        answer: What the server said to it, or None while it said nothing.
    """

    lease: str
    fence: int
    document: dict[str, Any]
    route: Route | None
    body: dict[str, Any] | None
    answer: str | None


class Outbox:
    """A SQLite file that one process at a time owns, as it owns the station.

    Args:
        path: The file; made if absent.

    Attributes:
        identity: Names this file among all outboxes. Whoever restarts on it is the same worker
            to the server; another process of the same name is not.

    Raises:
        ConflictError: another process has it.
        InputRefusedError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fresh = not path.exists()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, isolation_level=None, timeout=0.0)
        except (OSError, sqlite3.Error) as error:
            raise InputRefusedError(f"the outbox {path} cannot be used: {error}") from error
        try:
            # an exclusive lock that is kept: a second process cannot own the same station
            self._database.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.execute("BEGIN EXCLUSIVE")
            self._database.execute(_SCHEMA)
            self._database.execute(_DOSES)
            self._database.execute(_IDENTITY)
            self.identity = self._identity()
            self._database.execute("COMMIT")
        except sqlite3.OperationalError as error:
            self._database.close()
            raise ConflictError(
                f"a station has one worker at a time, but another process has {path} ({error}); "
                "stop it, or give this worker another --name"
            ) from error
        except sqlite3.DatabaseError as error:
            self._database.close()
            raise InputRefusedError(f"{path} must be an outbox, but is not: {error}") from error

    def _identity(self) -> str:
        row = self._database.execute("SELECT outbox FROM identity").fetchone()
        if row is not None:
            return str(row[0])
        made = secrets.token_hex(16)
        self._database.execute("INSERT INTO identity VALUES (?)", (made,))
        return made

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def __enter__(self) -> Outbox:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def begin(self, lease: Mapping[str, Any]) -> None:
        """Note that a run begins, before anything moves."""
        self._database.execute(
            "INSERT INTO run (lease, fence, document) VALUES (?, ?, ?)",
            (lease["lease"], lease["fence"], json.dumps(dict(lease))),
        )

    def knows(self, lease: Mapping[str, Any]) -> bool:
        """Whether a run under this lease and fence was begun here."""
        row = self._database.execute(
            "SELECT 1 FROM run WHERE lease = ? AND fence = ?", (lease["lease"], lease["fence"])
        ).fetchone()
        return row is not None

    def conclude(self, lease: str, fence: int, route: Route, body: Mapping[str, Any]) -> None:
        """Note the outcome of a run; on disk when this returns."""
        self._database.execute(
            "UPDATE run SET route = ?, body = ? WHERE lease = ? AND fence = ?",
            (route, json.dumps(dict(body), allow_nan=False), lease, fence),
        )

    def note_doses(self, lease: Mapping[str, Any], lots: Mapping[str, tuple[str, float]]) -> None:
        """Note how much a run has drawn of each stock, or may draw: lot and volume [µL]."""
        key = (lease["lease"], lease["fence"])
        self._database.execute("BEGIN")
        self._database.execute("DELETE FROM dose WHERE lease = ? AND fence = ?", key)
        self._database.executemany(
            "INSERT INTO dose VALUES (?, ?, ?, ?, ?)",
            [(*key, stock, lot, most) for stock, (lot, most) in lots.items()],
        )
        self._database.execute("COMMIT")

    def drawn(self, stock: str, lot: str) -> float:
        """Return how much runs of this outbox have drawn of a bottle at most [µL]."""
        row = self._database.execute(
            "SELECT coalesce(sum(most), 0.0) FROM dose WHERE stock = ? AND lot = ?", (stock, lot)
        ).fetchone()
        return float(row[0])

    def acknowledge(self, lease: str, fence: int, answer: str) -> None:
        """Note what the server said; the body is dropped, for the record has it."""
        self._database.execute(
            "UPDATE run SET answer = ?, body = NULL WHERE lease = ? AND fence = ?",
            (answer, lease, fence),
        )
        self._database.execute(
            "DELETE FROM run WHERE answer IS NOT NULL AND body IS NULL AND number <= "
            "(SELECT max(number) FROM run) - ?",
            (KEPT,),
        )

    def refuse(self, lease: str, fence: int, answer: str) -> None:
        """Note that the server will never take an outcome; its body stays for people."""
        self._database.execute(
            "UPDATE run SET answer = ? WHERE lease = ? AND fence = ?", (answer, lease, fence)
        )

    def unfinished(self) -> list[Entry]:
        """Return the runs that were begun and have no outcome, oldest first."""
        return self._entries("route IS NULL AND answer IS NULL")

    def unsent(self) -> list[Entry]:
        """Return the outcomes that nobody acknowledged, oldest first."""
        return self._entries("route IS NOT NULL AND answer IS NULL")

    def set_aside(self) -> list[str]:
        """Take rows that cannot be read out of the way; they stay, and each is described."""
        found = []
        rows = self._database.execute(f"SELECT {_COLUMNS} FROM run WHERE answer IS NULL")
        for row in rows.fetchall():
            try:
                _entry(row)
            except (ValueError, TypeError, KeyError) as error:
                what = f"lease {row[0]}, fence {row[1]}"
                self.refuse(row[0], row[1], f"damaged: {error}")
                found.append(f"{what}: {error}")
        return found

    def entries(self) -> list[Entry]:
        """Return everything, oldest first."""
        return self._entries("1")

    def _entries(self, condition: str) -> list[Entry]:
        rows = self._database.execute(
            f"SELECT {_COLUMNS} FROM run WHERE {condition} ORDER BY number"
        )
        return [_entry(row) for row in rows]


def _entry(row: tuple[Any, ...]) -> Entry:
    """Read a row.

    Raises:
        ValueError, TypeError, KeyError: a damaged one.
    """
    lease, fence, text, route, body_text, answer = row
    document, body = json.loads(text), json.loads(body_text or "null")
    [m["trial"] for m in document["members"]], document["campaign"]
    if route not in (None, *get_args(Route)):
        raise ValueError(f"there is no route {route!r}")
    if answer is None and route is not None and not isinstance(body, dict):
        raise ValueError("its body is not what a worker reports")
    return Entry(lease, fence, document, route, body, answer)
