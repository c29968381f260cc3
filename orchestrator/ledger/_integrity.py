"""Is the stored record what was written? Chain, read tables, arrays, and the file itself.

Anything that is wrong is a finding with its place; nothing that a damaged database holds may end
in a traceback.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, select

from orchestrator.errors import StorageError
from orchestrator.events import (
    FIRST_HASH,
    Event,
    TrialImported,
    TrialMeasured,
    TrialObserved,
    TrialResolved,
    adopted,
)
from orchestrator.ledger import _tables as t
from orchestrator.ledger._arrays import find_array
from orchestrator.ledger._engine import snapshot, unreachable
from orchestrator.ledger._fold import Origins, trace
from orchestrator.ledger._ledger import Ledger

_TYPES = {"seq": int, "version": int}
Row = Mapping[Any, Any]
# Damage shows as any error at all: of the driver, of decoding, of a payload's meaning.
_UNREADABLE = Exception


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference: where it is, what it is, and the event that it belongs to, where known."""

    where: str
    what: str
    seq: int | None = None


@dataclass
class IntegrityReport:
    """What was found; `chain_ok` and `tables_ok` sum it up. `links` is the chain that was read."""

    events: int = 0
    links: list[Event] = field(default_factory=list)
    chain_ok: bool = True
    tables_ok: bool = True
    findings: list[Finding] = field(default_factory=list)

    def chain(self, where: str, what: str, seq: object = None) -> None:
        """Note a finding about the chain."""
        self.chain_ok = False
        self.findings.append(Finding(where, what, _place(seq)))

    def table(self, where: str, what: str, seq: object = None) -> None:
        """Note a finding about the read tables or arrays."""
        self.tables_ok = False
        self.findings.append(Finding(where, what, _place(seq)))


def _place(seq: object) -> int | None:
    """Return a number of an event; a damaged one is no place."""
    return seq if type(seq) is int else None


def check_integrity(ledger: Ledger, campaign: str) -> IntegrityReport:
    """Check the whole stored record of the campaign with this identifier, as at one moment.

    Raises:
        StorageError: the database cannot be reached, which says nothing about the record.
    """
    report = IntegrityReport()
    try:
        with snapshot(ledger.engine) as connection:
            _check_file(connection, report)
            events = report.links = _check_chain(connection, campaign, report)
            _check_tables(connection, campaign, events, report)
            _check_arrays(connection, events, report)
            _check_orphans(connection, report)
    except StorageError:
        raise
    except _UNREADABLE as error:
        report.tables_ok = False
        report.chain("database", f"cannot be read: {_damage(error)}")
    return report


def refuse_unreachable(error: BaseException) -> None:
    """Raise what is no finding.

    Raises:
        StorageError: the error says that the database cannot be reached.
    """
    if isinstance(error, StorageError):
        raise error
    if unreachable(error):
        raise StorageError(
            f"the database cannot be reached, so nothing is known of the record: "
            f"{_first_line(error)}; try again when it can"
        ) from error


def _damage(error: BaseException) -> str:
    refuse_unreachable(error)
    return _first_line(error)


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
        report.table(f"table {table.name}", f"cannot be read: {_damage(error)}")
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
    links = [Event(**row) for row in rows]
    prev = FIRST_HASH
    for place, made in enumerate(links):
        before = links[place - 1].seq if place else 0
        _check_link(made, before, prev, report)
        prev = made.hash
    return links


def _check_link(made: Event, before: Any, prev: Any, report: IntegrityReport) -> None:
    """Check one event against the number and hash of the one stored before it."""
    seq = made.seq if isinstance(made.seq, int) else None
    where = f"event {_short(made.seq)}"
    wrong = [n for n in Event.__slots__ if type(getattr(made, n)) is not _TYPES.get(n, str)]
    if wrong:
        report.chain(where, f"{', '.join(wrong)} is of the wrong type", seq)
        return
    if isinstance(before, int) and made.seq != before + 1:
        report.chain(f"event {before + 1}", f"is missing: the next one is {made.seq}", before + 1)
    if made.prev_hash != prev:
        report.chain(where, "prev_hash is not the hash of the event before", seq)
    try:
        if made.expected_hash() != made.hash:
            report.chain(where, f"{made.type} does not hash to its hash", seq)
        made.read()
    except _UNREADABLE as error:
        report.chain(where, _first_line(error), seq)


def _check_tables(
    connection: Connection, campaign: str, events: Sequence[Event], report: IntegrityReport
) -> None:
    """Compare the read tables with what the stored events say, be they true or not."""

    def illegal(event: Event, what: str) -> None:
        report.chain(
            f"event {_short(event.seq)}", f"{event.type} may not follow: {what}", event.seq
        )

    try:
        folded, origins = trace(events, illegal)
    except _UNREADABLE as error:
        what = f"cannot be compared, as the events do not fold: {_first_line(error)}"
        report.table("read tables", what)
        return
    for name, table in t.READ_TABLES.items():
        column = "id" if table is t.campaign else "campaign"
        rows = _rows(connection, table, column, campaign, report)
        if rows is not None:
            _compare(name, rows, folded[name], origins, report)


def _compare(
    name: str,
    rows: Sequence[Row],
    folded: Mapping[tuple[Any, ...], Row],
    origins: Origins,
    report: IntegrityReport,
) -> None:
    stored = {tuple(row[k] for k in t.KEYS[name]): row for row in rows}
    for key, expected in folded.items():
        row = stored.pop(key, None)
        if row is None:
            seq = max(s for (n, k, _), s in origins.items() if (n, k) == (name, key))
            report.table(_where(name, key), "is missing", seq)
            continue
        for column, value in expected.items():
            if not _same(row[column], value):
                what = differing(column, row[column], value)
                report.table(_where(name, key), what, origins.get((name, key, column)))
    for key in stored:
        report.table(_where(name, key), "follows from no event")


def _where(name: str, key: tuple[Any, ...]) -> str:
    """Name a row as a person would: the campaign, "trial 3", "trial 3 attempt 1 plqy"."""
    if name in ("observable", "spectrum"):
        kind = "spectrum " if name == "spectrum" else ""
        return f"trial {key[1]} attempt {key[2]} {kind}{key[3]}"
    return f"{name} {' '.join(map(str, key[1:])) or key[0]}"


def differing(column: str, stored: Any, value: Any) -> str:
    """Say where a stored value and that of the events part, down to the field of a document."""
    path, old, new = column, stored, value
    try:
        old, new = json.loads(stored), json.loads(value)
        while isinstance(old, (dict, list)) and type(old) is type(new):
            step = _first_difference(old, new)
            path, old, new = f"{path}[{step!r}]", _at(old, step), _at(new, step)
        if repr(old) == repr(new):  # the same document, written in another way
            path, old, new = column, stored, value
    except _UNREADABLE:  # not two documents: shown whole
        path, old, new = column, stored, value
    return f"{path} is {_short(old)}, the events say {_short(new)}"


_NOTHING = "nothing"


def _first_difference(old: Any, new: Any) -> Any:
    """Return the first key or place where two documents part."""
    places = [*old, *new] if isinstance(old, dict) else range(max(len(old), len(new)))
    return next(p for p in places if repr(_at(old, p)) != repr(_at(new, p)))


def _at(document: Any, place: Any) -> Any:
    known = place in document if isinstance(document, dict) else place < len(document)
    return document[place] if known else _NOTHING


def _same(stored: Any, value: Any) -> bool:
    """Equal in value and storage type."""
    return type(stored) is type(value) and bool(stored == value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def _check_arrays(
    connection: Connection, events: Sequence[Event], report: IntegrityReport
) -> None:
    """Check every array that an event names, also those of attempts that were run again."""
    wanted: dict[str, tuple[str, int]] = {}
    for event in events:
        try:
            payload = event.read()
            raw = adopted(payload) if isinstance(payload, TrialResolved) else payload
        except _UNREADABLE:  # a finding of the chain, or of the conclusions
            continue
        if isinstance(raw, (TrialMeasured, TrialImported)):
            for s in raw.spectra:
                where = f"trial {raw.trial} attempt {raw.attempt} spectrum {s.name}"
                wanted.setdefault(s.axis_sha256, (f"{where} axis", event.seq))
                wanted.setdefault(s.values_sha256, (f"{where} values", event.seq))
        if isinstance(raw, TrialObserved):
            where = f"trial {raw.trial} attempt {raw.attempt} file {_short(raw.evidence.name)}"
            wanted.setdefault(raw.evidence.array_sha256, (where, event.seq))
    for sha256, (where, seq) in wanted.items():
        try:
            find_array(connection, sha256)
        except _UNREADABLE as error:
            report.table(where, _damage(error), seq)


def _check_orphans(connection: Connection, report: IntegrityReport) -> None:
    """Look for rows of campaigns that have no events at all."""
    known = select(t.event.c.campaign)
    for name, table in t.READ_TABLES.items():
        column = table.c["id" if table is t.campaign else "campaign"]
        for (found,) in connection.execute(select(column).distinct().where(column.not_in(known))):
            report.table(f"{name} of campaign {_short(found)}", "follows from no event")
