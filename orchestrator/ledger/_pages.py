"""Pages of rows by key: cheap however far one reads, and steady while rows are added."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import func, select, tuple_

from orchestrator.events import Event
from orchestrator.ledger import _tables as t
from orchestrator.ledger._ledger import Ledger
from orchestrator.ledger._rows import CampaignRow, TrialRow, campaign_row, trial_rows


def campaign_page(
    ledger: Ledger, after: tuple[str, str] | None, limit: int
) -> list[tuple[CampaignRow, int]]:
    """Return up to `limit` campaigns with their numbers of trials, oldest first.

    Args:
        ledger: The record.
        after: (time of creation, identifier) of the last one known, or None.
        limit: How many at most.
    """
    c = t.campaign.c
    query = select(t.campaign).order_by(c.created_at, c.id).limit(limit)
    if after is not None:
        query = query.where(tuple_(c.created_at, c.id) > after)
    with ledger.engine.connect() as connection:
        rows = [campaign_row(row) for row in connection.execute(query).mappings()]
    counts = trial_counts(ledger, [row.id for row in rows])
    return [(row, counts.get(row.id, 0)) for row in rows]


def trial_counts(ledger: Ledger, campaigns: Sequence[str] | None = None) -> dict[str, int]:
    """Return how many trials each campaign has (of these), where it has any."""
    c = t.trial.c.campaign
    query = select(c, func.count()).group_by(c)
    if campaigns is not None:
        query = query.where(c.in_(campaigns))
    with ledger.engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}


def trial_page(ledger: Ledger, campaign: str, after: int, limit: int) -> list[TrialRow]:
    """Return up to `limit` trials of a campaign numbered above `after`, in order."""
    c, o = t.trial.c, t.observable.c
    query = select(t.trial).where(c.campaign == campaign, c.number > after)
    with ledger.engine.connect() as connection:
        rows = connection.execute(query.order_by(c.number).limit(limit)).mappings().all()
        last = rows[-1]["number"] if rows else after
        seen = select(t.observable).where(o.campaign == campaign, o.trial > after, o.trial <= last)
        return trial_rows(rows, connection.execute(seen).mappings().all())


def event_page(ledger: Ledger, campaign: str, after: int, limit: int) -> list[Event]:
    """Return up to `limit` events of a campaign numbered above `after`, in order."""
    c = t.event.c
    query = select(t.event).where(c.campaign == campaign, c.seq > after)
    with ledger.engine.connect() as connection:
        rows = connection.execute(query.order_by(c.seq).limit(limit)).mappings()
        return [Event(**row) for row in rows]


def event_counts(ledger: Ledger, campaigns: Iterable[str]) -> dict[str, int]:
    """Return how many events each of these campaigns has."""
    c = t.campaign.c
    query = select(c.id, c.event_count).where(c.id.in_(list(campaigns)))
    with ledger.engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}


def offer_mark(ledger: Ledger) -> tuple[Any, ...]:
    """Return what is another whenever a lease is offered, or a campaign with offers resumes."""
    lease, c = t.lease.c, t.campaign.c
    query = (
        select(func.count(), func.max(lease.offered), func.sum(lease.fence))
        .join(t.campaign, c.id == lease.campaign)
        .where(lease.state == "offered", c.state == "running")
    )
    with ledger.engine.connect() as connection:
        return tuple(connection.execute(query).one())
