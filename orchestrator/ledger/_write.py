"""One event, one transaction: lock, fence, legality, arrays, event, read tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import ConflictError, NotFoundError, RecordError, SupersededError
from orchestrator.events import FIRST_HASH, CampaignCreated, Event, Payload, make_event
from orchestrator.ledger._arrays import encode_array
from orchestrator.ledger._chain import Chain
from orchestrator.ledger._fold import Tables, apply_change, empty_tables
from orchestrator.ledger._legal import check_event
from orchestrator.ledger._projection import changes
from orchestrator.ledger._statements import Statements

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Guard:
    """What must hold under the campaign's lock for an event to be written.

    Attributes:
        token: The present owner's fencing token, where an owner writes.
        after: Number of the last event that the writer has seen.
    """

    token: int | None = None
    after: int | None = None


def append_event(
    statements: Statements,
    cursor: Any,
    campaign: str,
    payload: Payload,
    at: str,
    actor: str,
    guard: Guard,
    arrays: Iterable[Row],
) -> Event:
    """Append within the cursor's write transaction; `arrays` are encoded rows.

    Raises:
        NotFoundError: no such campaign or trial.
        ConflictError: a stale token.
        SupersededError: an event that the writer has not seen.
        TransitionError: an illegal move, or an event of another attempt.
    """
    chain = Chain(statements, cursor, campaign)
    if guard.token is not None:
        _check_token(campaign, guard.token, statements.token(cursor, campaign))
    if guard.after not in (None, chain.count):
        raise SupersededError(
            f"the record of {campaign} had {guard.after} events when this was decided, but has "
            f"{chain.count}; read it again and decide anew"
        )
    made = chain.append(payload, at=at, actor=actor, arrays=arrays)
    chain.write()
    return made


def check_owner(statements: Statements, cursor: Any, campaign: str, token: int) -> None:
    """Lock a campaign and refuse another than its owner.

    Raises:
        NotFoundError: no such campaign.
        ConflictError: a stale token.
    """
    if statements.head(cursor, campaign) is None:
        raise NotFoundError(f"there is no campaign {campaign}; `dotpilot list` shows all")
    _check_token(campaign, token, statements.token(cursor, campaign))


def _check_token(campaign: str, token: int, present: int | None) -> None:
    if token != present:
        raise ConflictError(
            f"only the owner of a campaign may write its record, but token {token} is stale "
            f"(now {present}): another process took {campaign} over; stop this one"
        )


def follow(
    campaign: str, payloads: Sequence[Payload], at: str, actor: str
) -> tuple[list[Event], Tables]:
    """Chain a new campaign's first events, each checked as `append_event` would.

    Raises:
        RecordError: the first one does not create the campaign.
        NotFoundError, TransitionError: one that does not follow from those before.
    """
    if not payloads or not isinstance(payloads[0], CampaignCreated):
        raise RecordError("a chain must begin with campaign.created, but begins otherwise")
    tables = empty_tables()
    made: list[Event] = []
    for seq, payload in enumerate(payloads, start=1):
        prev = made[-1].hash if made else FIRST_HASH
        made.append(make_event(campaign, seq, at, actor, payload, prev))
        found = changes(made[-1], payload)
        if seq > 1:
            state = tables["campaign"][campaign,]["state"]
            check_event(campaign, state, payload, found, lambda n: _standing(tables, campaign, n))
        for change in found:
            apply_change(tables, change)
    return made, tables


def _standing(tables: Tables, campaign: str, number: int) -> tuple[str, int] | None:
    row = tables["trial"].get((campaign, number))
    return None if row is None else (row["state"], row["attempt"])


def first_events(
    statements: Statements,
    cursor: Any,
    events: Sequence[Event],
    tables: Tables,
    arrays: Iterable[Row],
) -> None:
    """Write a new campaign's chain, what `follow` folded of it, and its arrays."""
    for row in arrays:
        statements.insert_array(cursor, row)
    statements.insert_events(cursor, [_event_row(e) for e in events])
    for name, rows in tables.items():
        if rows:
            statements.insert_rows(cursor, name, list(rows.values()))


def encoded(arrays: Iterable[NDArray[Any]]) -> list[Row]:
    """Return the rows of `array`, in the order of their addresses so that writers never cross."""
    rows = (encode_array(np.asarray(values)) for values in arrays)
    return sorted(rows, key=lambda row: str(row["sha256"]))


def _event_row(made: Event) -> Row:
    return {name: getattr(made, name) for name in Event.__slots__}
