"""One event, one transaction: lock, fence, legality, arrays, event, read tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.sql.elements import ColumnElement

from orchestrator import events as ev
from orchestrator.errors import ConflictError, NotFoundError, TransitionError
from orchestrator.events import FIRST_HASH, Event, Payload, make_event
from orchestrator.ledger._arrays import encode_array
from orchestrator.ledger._fold import fold_tables
from orchestrator.ledger._projection import Change, changes
from orchestrator.ledger._tables import KEYS, READ_TABLES, array, campaign, event, owner, trial
from orchestrator.trial import check_move

_INSERT_EVENT = insert(event)
_HEAD = (
    select(campaign.c.state, campaign.c.event_count, campaign.c.last_hash, owner.c.token)
    .select_from(campaign.outerjoin(owner, owner.c.campaign == campaign.c.id))
    .where(campaign.c.id == bindparam("id"))
    .with_for_update(of=campaign)
)
_TRIAL = select(trial.c.state, trial.c.attempt).where(
    trial.c.campaign == bindparam("id"), trial.c.number == bindparam("number")
)
_HAS_ARRAY = select(array.c.sha256).where(array.c.sha256 == bindparam("sha256"))
_INSERT_ARRAY = insert(array)
# events that speak of the attempt under way; the others may begin a new one
_OF_PRESENT_ATTEMPT = (
    ev.TrialDispatched,
    ev.TrialRunning,
    ev.TrialMeasured,
    ev.TrialCompleted,
    ev.TrialRejected,
    ev.TrialFailed,
    ev.TrialInDoubt,
)


def _where(table: str) -> list[ColumnElement[bool]]:
    columns = READ_TABLES[table].c
    return [columns[name] == bindparam(f"key_{name}") for name in KEYS[table]]


_UPDATE = {name: update(table).where(*_where(name)) for name, table in READ_TABLES.items()}
_INSERT = {name: insert(table) for name, table in READ_TABLES.items()}
_DELETE = {name: delete(table).where(*_where(name)) for name, table in READ_TABLES.items()}


def append_event(
    connection: Connection,
    campaign_id: str,
    payload: Payload,
    at: str,
    actor: str,
    token: int | None,
    arrays: Iterable[NDArray[Any]],
) -> Event:
    """Append within the connection's write transaction.

    Raises:
        NotFoundError: no such campaign.
        ConflictError: a stale token.
        TransitionError: an illegal move, or an event of another attempt.
    """
    head = connection.execute(_HEAD, {"id": campaign_id}).first()
    if head is None:
        raise NotFoundError(f"there is no campaign {campaign_id}")
    state, count, last_hash, present = head
    if token is not None and token != present:
        raise ConflictError(
            f"only the owner of a campaign may write its record, but token {token} is stale "
            f"(now {present}): another process took {campaign_id} over"
        )
    made = make_event(campaign_id, count + 1, at, actor, payload, last_hash)
    found = changes(made, payload)
    _check(connection, campaign_id, state, payload, found)
    put_arrays(connection, arrays)
    connection.execute(_INSERT_EVENT, _event_row(made))
    for change in found:
        _apply(connection, change)
    return made


def first_events(
    connection: Connection,
    campaign_id: str,
    payloads: Sequence[Payload],
    at: str,
    actor: str,
    arrays: Iterable[NDArray[Any]],
) -> list[Event]:
    """Write a new campaign's first events at once; the caller vouches that they follow."""
    put_arrays(connection, arrays)
    made: list[Event] = []
    prev = FIRST_HASH
    for seq, payload in enumerate(payloads, start=1):
        made.append(make_event(campaign_id, seq, at, actor, payload, prev))
        prev = made[-1].hash
    connection.execute(_INSERT_EVENT, [_event_row(e) for e in made])
    insert_tables(connection, fold_tables(made))
    return made


def insert_tables(connection: Connection, tables: dict[str, dict[tuple[Any, ...], Any]]) -> None:
    """Insert folded rows into the read tables."""
    for name, rows in tables.items():
        if rows:
            connection.execute(_INSERT[name], list(rows.values()))


def put_arrays(connection: Connection, arrays: Iterable[NDArray[Any]]) -> None:
    """Store arrays that the store does not hold yet."""
    for values in arrays:
        row = encode_array(np.asarray(values))
        if connection.execute(_HAS_ARRAY, {"sha256": row["sha256"]}).first() is None:
            connection.execute(_INSERT_ARRAY, row)


def _event_row(made: Event) -> dict[str, Any]:
    return {name: getattr(made, name) for name in Event.__slots__}


def _check(
    connection: Connection, campaign_id: str, state: str, payload: Payload, found: list[Change]
) -> None:
    for change in found:
        new = change.columns.get("state")
        if new is None or change.new:
            continue
        if change.table == "campaign":
            check_move("campaign", campaign_id, state, new)
        elif change.table == "trial":
            _check_trial(connection, campaign_id, change.key[1], payload, new)


def _check_trial(
    connection: Connection, campaign_id: str, number: int, payload: Payload, new: str
) -> None:
    row = connection.execute(_TRIAL, {"id": campaign_id, "number": number}).first()
    if row is None:
        raise NotFoundError(f"campaign {campaign_id} has no trial {number}")
    check_move("trial", str(number), row[0], new)
    if isinstance(payload, _OF_PRESENT_ATTEMPT) and payload.attempt != row[1]:
        raise TransitionError(
            f"trial {number} is at attempt {row[1]}, but the event speaks of {payload.attempt}"
        )


def _apply(connection: Connection, change: Change) -> None:
    key = {f"key_{n}": v for n, v in zip(KEYS[change.table], change.key, strict=True)}
    if change.table in ("observable", "spectrum"):
        connection.execute(_DELETE[change.table], key)
    if change.new or change.table in ("observable", "spectrum"):
        names = zip(KEYS[change.table], change.key, strict=True)
        connection.execute(_INSERT[change.table], {**dict(names), **change.columns})
    else:
        connection.execute(_UPDATE[change.table], {**key, **change.columns})
