"""SQL of the write path, compiled once per database kind and run on the driver's cursor.

A trial is five transactions of some six statements each; compiling and wrapping them anew
costs many times what the database itself takes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

from sqlalchemy import Dialect, Engine, Table, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.expression import ClauseElement

from orchestrator.errors import StorageError
from orchestrator.ledger import _tables as t
from orchestrator.ledger._projection import Change
from orchestrator.ledger._tables import KEYS, READ_TABLES

Row = Mapping[str, Any]

_HEAD = (
    select(
        t.campaign.c.state, t.campaign.c.event_count, t.campaign.c.last_hash, t.campaign.c.lab_seed
    )
    .where(t.campaign.c.id == bindparam("id"))
    .with_for_update()
)
# Locking the trials as well gives them as they are once the campaign's lock is held.
_LOCKED = """
    SELECT c.state, c.event_count, c.last_hash, c.lab_seed, t.number, t.state, t.attempt, t.recipe
    FROM campaign c JOIN trial t ON t.campaign = c.id WHERE c.id = """
_LOCKED_POSTGRESQL = "%(id)s AND t.number = ANY(%(numbers)s) FOR UPDATE"
_LOCKED_SQLITE = ":id AND t.number IN (SELECT value FROM json_each(:numbers))"
# Rows that a repeated attempt may write again.
_REPLACED = ("observable", "spectrum")
# More parts than this are written one by one: a step of many proposals, not a worker's event.
_TOGETHER = 16
# The token is read after the campaign's row is locked, so that it is the present one.
_TOKEN = select(t.owner.c.token).where(t.owner.c.campaign == bindparam("id"))
_TRIAL = select(t.trial.c.state, t.trial.c.attempt).where(
    t.trial.c.campaign == bindparam("id"), t.trial.c.number == bindparam("number")
)
# Values by name on either database.
_NAMED = sqlite.dialect(paramstyle="named")


def _text_of(statement: Any, dialect: Dialect, columns: tuple[str, ...] | None) -> str:
    names = None if columns is None else list(columns)
    return str(cast(ClauseElement, statement).compile(dialect=dialect, column_keys=names))


class Prepared:
    """A statement that is compiled once for each kind of database, with values by name.

    Args:
        statement: What SQLAlchemy is to compile.
        columns: Columns that an INSERT or UPDATE sets.
    """

    def __init__(self, statement: Any, columns: tuple[str, ...] | None = None) -> None:
        self._statement, self._columns = statement, columns
        self._texts: dict[str, str] = {}

    def run(self, cursor: Any, dialect: Dialect, values: Row) -> Any:
        """Execute it on a driver's cursor, and return the cursor."""
        text = self._texts.get(dialect.name)
        if text is None:
            named = _NAMED if dialect.name == "sqlite" else dialect
            text = self._texts[dialect.name] = _text_of(self._statement, named, self._columns)
        return cursor.execute(text, values)


class Statements:
    """Runs the write path's statements on a cursor of one kind of database."""

    def __init__(self, dialect: Dialect) -> None:
        self._sqlite = dialect.name == "sqlite"
        self._dialect = _NAMED if self._sqlite else dialect
        self._insert_of = sqlite.insert if self._sqlite else postgresql.insert
        self._head, self._token, self._trial = map(self._compile, (_HEAD, _TOKEN, _TRIAL))
        self._event = self._compile(self._insert_of(t.event))
        array = self._insert_of(t.array).on_conflict_do_nothing()
        self._array = self._compile(array)
        self._inserts = {n: self._compile(self._insert_of(x)) for n, x in READ_TABLES.items()}
        self._locked = _LOCKED + (_LOCKED_SQLITE if self._sqlite else _LOCKED_POSTGRESQL)
        self._changes: dict[tuple[str, bool, tuple[str, ...]], str] = {}
        self._merged: dict[tuple[Any, ...], str] = {}

    def _compile(self, statement: Any, columns: tuple[str, ...] | None = None) -> str:
        return _text_of(statement, self._dialect, columns)

    def head(self, cursor: Any, campaign: str) -> tuple[str, int, str] | None:
        """Lock a campaign's row; return its state, count of events, and last hash."""
        found = cursor.execute(self._head, {"id": campaign}).fetchone()
        return None if found is None else (found[0], found[1], found[2])

    def token(self, cursor: Any, campaign: str) -> int | None:
        """Return the owner's present token."""
        found = cursor.execute(self._token, {"id": campaign}).fetchone()
        return None if found is None else int(found[0])

    def trial(self, cursor: Any, campaign: str, number: int) -> tuple[str, int] | None:
        """Return a trial's state and attempt."""
        found = cursor.execute(self._trial, {"id": campaign, "number": number}).fetchone()
        return None if found is None else (found[0], found[1])

    def insert_events(self, cursor: Any, rows: list[Row]) -> None:
        """Insert rows of `event`."""
        cursor.executemany(self._event, rows)

    def insert_array(self, cursor: Any, row: Row) -> None:
        """Insert a row of `array` unless the store holds it."""
        cursor.execute(self._array, row)

    def insert_rows(self, cursor: Any, table: str, rows: list[Row]) -> None:
        """Insert whole rows of a read table."""
        cursor.executemany(self._inserts[table], rows)

    def locked(
        self, cursor: Any, campaign: str, trials: Sequence[int]
    ) -> tuple[tuple[str, int, str, int] | None, list[tuple[int, str, int, str]]]:
        """Lock a campaign's row, and these trials' with it.

        Returns:
            The campaign's state, count of events, last hash and laboratory's seed, or None where
            it or one of the trials is missing; and each trial's number, state, attempt and recipe.
        """
        if not trials:
            found = cursor.execute(self._head, {"id": campaign}).fetchone()
            return None if found is None else (found[0], found[1], found[2], found[3]), []
        numbers = json.dumps(list(trials)) if self._sqlite else list(trials)
        values = {"id": campaign, "numbers": numbers}
        rows = cursor.execute(self._locked, values).fetchall()
        if len(rows) != len(set(trials)):
            return None, []
        first = rows[0]
        head = (first[0], first[1], first[2], first[3])
        return head, [(r[4], r[5], r[6], r[7]) for r in rows]

    def write(
        self, cursor: Any, events: Sequence[Row], arrays: Sequence[Row], changes: Sequence[Change]
    ) -> None:
        """Write events with all that they change; on PostgreSQL as one statement."""
        parts = [("array", self._array, row) for row in arrays]
        parts += [("event", self._event, row) for row in events]
        parts += [self._part(change) for change in changes]
        if self._sqlite or len(parts) > _TOGETHER:
            for _, text, row in parts:
                cursor.execute(text, row)
            return
        shape = tuple(key for key, _, _ in parts)
        merged = self._merged.get(shape)
        if merged is None:
            merged = self._merged[shape] = _merge([text for _, text, _ in parts])
        cursor.execute(
            merged, {f"{n}_{k}": v for n, (_, _, row) in enumerate(parts) for k, v in row.items()}
        )

    def _part(self, change: Change) -> tuple[Any, str, Row]:
        """Return what identifies a statement, its text, and its values."""
        table, key, columns = change.table, change.key, change.columns
        if change.new:
            return table, self._inserts[table], dict(zip(KEYS[table], key, strict=True)) | columns
        replaced = table in _REPLACED
        shape = (table, replaced, tuple(columns))
        text = self._changes.get(shape)
        if text is None:
            make = self._upsert if replaced else self._update
            text = self._changes[shape] = make(table, tuple(columns))
        names = KEYS[table] if replaced else _key_names(table)
        return shape, text, {**columns, **dict(zip(names, key, strict=True))}

    def _update(self, table: str, columns: tuple[str, ...]) -> str:
        return self._compile(_update(READ_TABLES[table]), (*columns, *_key_names(table)))

    def _upsert(self, table: str, columns: tuple[str, ...]) -> str:
        insert = self._insert_of(READ_TABLES[table])
        new = {name: insert.excluded[name] for name in columns}
        upsert = insert.on_conflict_do_update(index_elements=KEYS[table], set_=new)
        return self._compile(upsert, (*KEYS[table], *columns))


def _merge(texts: Sequence[str]) -> str:
    """Make one PostgreSQL statement of several that do not touch one row twice."""
    named = [re.sub(r"%\((\w+)\)s", rf"%({n}_\1)s", text) for n, text in enumerate(texts)]
    if len(named) == 1:
        return named[0]
    first = ", ".join(f"w{n} AS ({text})" for n, text in enumerate(named[:-1]))
    return f"WITH {first} {named[-1]}"


@cache
def _key_names(table: str) -> tuple[str, ...]:
    return tuple(f"key_{name}" for name in KEYS[table])


def _update(table: Table) -> Any:
    names = zip(KEYS[table.name], _key_names(table.name), strict=True)
    return update(table).where(*(table.c[name] == bindparam(key) for name, key in names))


@contextmanager
def read_cursor(engine: Engine) -> Iterator[Any]:
    """Give a driver's cursor for reading; nothing is locked.

    Every statement is its own transaction, which at the isolation that PostgreSQL has unasked
    sees the same as statements of one would, and spares a BEGIN and a ROLLBACK on the way.

    Raises:
        StorageError: the database refused or could not be reached.
    """
    try:
        connection = engine.raw_connection()
        try:
            if engine.dialect.name == "sqlite":
                yield connection.cursor()
                return
            with _each_by_itself(connection.driver_connection):
                yield connection.cursor()
        finally:
            connection.close()
    except engine.dialect.loaded_dbapi.Error as error:
        raise StorageError(
            f"the database must be readable, but refused: {error}; look at it with "
            "`dotpilot doctor`"
        ) from error


@contextmanager
def _each_by_itself(connection: Any) -> Iterator[None]:
    """Let a connection of psycopg commit every statement at once."""
    connection.autocommit = True
    try:
        yield
    finally:
        if not connection.closed:
            connection.autocommit = False


@contextmanager
def write_cursor(engine: Engine) -> Iterator[Any]:
    """Give a driver's cursor inside a write transaction; commit it, or leave nothing.

    Raises:
        StorageError: the database refused or could not be reached.
    """
    driver = engine.dialect.loaded_dbapi
    try:
        connection = engine.raw_connection()
        try:
            cursor = connection.cursor()
            if engine.dialect.name == "sqlite":
                cursor.execute("BEGIN IMMEDIATE")
            yield cursor
            connection.commit()
        finally:
            connection.close()  # rolls back what is not committed
    except driver.Error as error:
        raise StorageError(
            f"a change must be written whole, but the database refused it: {error}; look at it "
            "with `dotpilot doctor`, then read the record before trying again"
        ) from error
