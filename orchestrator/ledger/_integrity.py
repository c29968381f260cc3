"""Is the stored record what was written? Chain, read tables, arrays, and the file itself.

Anything that is wrong is a finding with its place; nothing that a damaged database holds may end
in a traceback.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, select
from sqlalchemy.exc import SQLAlchemyError

from orchestrator.errors import RecordError
from orchestrator.events import FIRST_HASH, Event
from orchestrator.ledger import _tables as t
from orchestrator.ledger._arrays import decode_array
from orchestrator.ledger._fold import Tables, fold_tables
from orchestrator.ledger._ledger import Ledger

Row = Mapping[Any, Any]
_UNREADABLE = (SQLAlchemyError, UnicodeError, ValueError, TypeError, OverflowError, RecordError)


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference: where it is, what it is, and the event that it belongs to, where known."""

    where: str
    what: str
    seq: int | None = None


@dataclass
class IntegrityReport:
    """What was found; `chain_ok` and `tables_ok` sum it up."""

    events: int = 0
    chain_ok: bool = True
    tables_ok: bool = True
    findings: list[Finding] = field(default_factory=list)

    def chain(self, where: str, what: str, seq: int | None = None) -> None:
        """Note a finding about the chain."""
        self.chain_ok = False
        self.findings.append(Finding(where, what, seq))

    def table(self, where: str, what: str, seq: int | None = None) -> None:
        """Note a finding about the read tables or arrays."""
        self.tables_ok = False
        self.findings.append(Finding(where, what, seq))


def check_integrity(ledger: Ledger, campaign: str) -> IntegrityReport:
    """Check the whole stored record of the campaign with this identifier."""
    report = IntegrityReport()
    try:
        with ledger.engine.connect() as connection:
            _check_file(connection, report)
            events = _check_chain(connection, campaign, report)
            _check_tables(connection, campaign, events, report)
    except _UNREADABLE as error:
        report.tables_ok = False
        report.chain("database", f"cannot be read: {_first_line(error)}")
    return report


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _check_file(connection: Connection, report: IntegrityReport) -> None:
    if connection.dialect.name != "sqlite":
        return
    for row in connection.exec_driver_sql("PRAGMA integrity_check"):
        if row[0] != "ok":
            report.table("database file", str(row[0]))


def _rows(
    connection: Connection, table: Table, column: str, campaign: str, report: IntegrityReport
) -> list[Row] | None:
    query = select(table).where(table.c[column] == campaign)
    try:
        return list(connection.execute(query).mappings().all())
    except _UNREADABLE as error:
        report.table(f"table {table.name}", f"cannot be read: {_first_line(error)}")
        return None


def _check_chain(connection: Connection, campaign: str, report: IntegrityReport) -> list[Event]:
    rows = _rows(connection, t.event, "campaign", campaign, report)
    if rows is None:
        report.chain_ok = False
        return []
    rows = sorted(rows, key=lambda r: (not isinstance(r["seq"], int), str(r["seq"]).zfill(12)))
    report.events = len(rows)
    if not rows:
        report.chain("chain", "has no events")
    events: list[Event] = []
    prev = FIRST_HASH
    for expected, row in enumerate(rows, start=1):
        made = Event(**row)
        if not _check_link(made, expected, prev, report):
            return events
        events.append(made)
        prev = made.hash
    return events


def _check_link(made: Event, expected: int, prev: str, report: IntegrityReport) -> bool:
    """Check one event; tell whether the chain can be followed past it."""
    where = f"event {expected}"
    wrong_type = [
        n
        for n in Event.__slots__
        if not isinstance(getattr(made, n), int if n in ("seq", "version") else str)
    ]
    if wrong_type:
        report.chain(where, f"{', '.join(wrong_type)} is of the wrong type", expected)
        return False
    if made.seq != expected:
        report.chain(where, f"is missing: the next one is {made.seq}", expected)
        return False
    if made.prev_hash != prev:
        report.chain(where, "prev_hash is not the hash of the event before", expected)
        return False
    if made.expected_hash() != made.hash:
        report.chain(where, f"{made.type} does not hash to its hash", expected)
        return False
    try:
        made.read()
    except RecordError as error:
        report.chain(where, str(error), expected)
        return False
    return True


def _check_tables(
    connection: Connection, campaign: str, events: Sequence[Event], report: IntegrityReport
) -> None:
    try:
        folded = fold_tables(events)
    except _UNREADABLE as error:
        report.chain("chain", f"does not fold: {_first_line(error)}")
        return
    for name, table in t.READ_TABLES.items():
        column = "id" if table is t.campaign else "campaign"
        rows = _rows(connection, table, column, campaign, report)
        if rows is not None and (report.chain_ok or name == "campaign"):
            _compare(name, rows, folded[name], report)
    _check_arrays(connection, folded, report)


def _compare(
    name: str,
    rows: Sequence[Row],
    folded: Mapping[tuple[Any, ...], Row],
    report: IntegrityReport,
) -> None:
    stored = {tuple(row[k] for k in t.KEYS[name]): row for row in rows}
    for key, expected in folded.items():
        where = f"{name} {' '.join(str(k) for k in key[1:]) or key[0]}"
        seq = expected.get("last_seq")
        row = stored.pop(key, None)
        if row is None:
            report.table(where, "is missing", seq)
            continue
        for column, value in expected.items():
            if not _same(row[column], value):
                what = f"{column} is {_short(row[column])}, the events say {_short(value)}"
                report.table(where, what, seq)
    for key in stored:
        report.table(f"{name} {' '.join(map(str, key[1:])) or key[0]}", "follows from no event")


def _same(stored: Any, value: Any) -> bool:
    """Equal in value and storage type; a float column gives whole numbers back as floats."""
    if isinstance(value, bool) or value is None or stored is None:
        return stored is value
    if isinstance(value, (int, float)) and type(stored) is float:
        return repr(float(value)) == repr(stored)
    return type(stored) is type(value) and bool(stored == value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def _check_arrays(connection: Connection, folded: Tables, report: IntegrityReport) -> None:
    wanted: dict[str, str] = {}
    for key, row in folded["spectrum"].items():
        for column in ("axis_sha256", "values_sha256"):
            where = f"spectrum {' '.join(map(str, key[1:]))} {column.removesuffix('_sha256')}"
            wanted.setdefault(row[column], where)
    for sha256, where in wanted.items():
        try:
            query = select(t.array).where(t.array.c.sha256 == sha256)
            found = connection.execute(query).mappings().first()
            if found is None:
                report.table(where, f"array {sha256[:12]} is missing")
            else:
                decode_array(**found)
        except _UNREADABLE as error:
            report.table(where, _first_line(error))
