"""SQL of the write path, compiled once per database kind and run on the driver's cursor.

A trial is five transactions of some six statements each; compiling and wrapping them anew
costs many times what the database itself takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

from sqlalchemy import Dialect, Engine, Table, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.expression import ClauseElement

from orchestrator.errors import StorageError
from orchestrator.ledger import _tables as t
from orchestrator.ledger._tables import KEYS, READ_TABLES

Row = Mapping[str, Any]

_HEAD = (
    select(t.campaign.c.state, t.campaign.c.event_count, t.campaign.c.last_hash)
    .where(t.campaign.c.id == bindparam("id"))
    .with_for_update()
)
# The token is read after the campaign's row is locked, so that it is the present one.
_TOKEN = select(t.owner.c.token).where(t.owner.c.campaign == bindparam("id"))
_TRIAL = select(t.trial.c.state, t.trial.c.attempt).where(
    t.trial.c.campaign == bindparam("id"), t.trial.c.number == bindparam("number")
)


class Statements:
    """Runs the write path's statements on a cursor of one kind of database."""

    def __init__(self, dialect: Dialect) -> None:
        self._sqlite = dialect.name == "sqlite"
        self._dialect = sqlite.dialect(paramstyle="named") if self._sqlite else dialect
        self._insert_of = sqlite.insert if self._sqlite else postgresql.insert
        self._head, self._token, self._trial = map(self._compile, (_HEAD, _TOKEN, _TRIAL))
        self._event = self._compile(self._insert_of(t.event))
        array = self._insert_of(t.array).on_conflict_do_nothing()
        self._array = self._compile(array)
        self._inserts = {n: self._compile(self._insert_of(x)) for n, x in READ_TABLES.items()}
        self._changes: dict[tuple[str, bool, tuple[str, ...]], str] = {}

    def _compile(self, statement: Any, columns: tuple[str, ...] | None = None) -> str:
        names = None if columns is None else list(columns)
        return str(
            cast(ClauseElement, statement).compile(dialect=self._dialect, column_keys=names)
        )

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

    def insert_row(self, cursor: Any, table: str, key: tuple[Any, ...], columns: Row) -> None:
        """Insert a row that must not exist yet."""
        row = {**dict(zip(KEYS[table], key, strict=True)), **columns}
        cursor.execute(self._inserts[table], row)

    def change(self, cursor: Any, table: str, key: tuple[Any, ...], columns: Row) -> None:
        """Set columns of an existing row of `campaign` or `trial`."""
        shape = (table, False, tuple(columns))
        text = self._changes.get(shape)
        if text is None:
            text = self._changes[shape] = self._compile(
                _update(READ_TABLES[table]), (*columns, *_key_names(table))
            )
        cursor.execute(text, {**columns, **dict(zip(_key_names(table), key, strict=True))})

    def put(self, cursor: Any, table: str, key: tuple[Any, ...], columns: Row) -> None:
        """Insert a row, or replace the columns of the one that has its key."""
        shape = (table, True, tuple(columns))
        text = self._changes.get(shape)
        if text is None:
            insert = self._insert_of(READ_TABLES[table])
            new = {name: insert.excluded[name] for name in columns}
            upsert = insert.on_conflict_do_update(index_elements=KEYS[table], set_=new)
            text = self._changes[shape] = self._compile(upsert, (*KEYS[table], *columns))
        cursor.execute(text, {**columns, **dict(zip(KEYS[table], key, strict=True))})


@cache
def _key_names(table: str) -> tuple[str, ...]:
    return tuple(f"key_{name}" for name in KEYS[table])


def _update(table: Table) -> Any:
    names = zip(KEYS[table.name], _key_names(table.name), strict=True)
    return update(table).where(*(table.c[name] == bindparam(key) for name, key in names))


@contextmanager
def read_cursor(engine: Engine) -> Iterator[Any]:
    """Give a driver's cursor for reading; nothing is locked.

    Raises:
        StorageError: the database refused or could not be reached.
    """
    try:
        connection = engine.raw_connection()
        try:
            yield connection.cursor()
        finally:
            connection.close()
    except engine.dialect.loaded_dbapi.Error as error:
        raise StorageError(
            f"the database must be readable, but refused: {error}; look at it with "
            "`dotpilot doctor`"
        ) from error


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
