"""Rows of doses over all campaigns, for what a lab holds of its stocks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, select

from orchestrator.errors import RecordError
from orchestrator.events import DoseRecord, StoresDeclared, TrialDispatched, TrialRunning
from orchestrator.ledger import _tables as t
from orchestrator.ledger._ledger import Ledger


@dataclass(frozen=True, slots=True)
class DoseRow:
    """Doses of one event.

    `kind` is opened, drawn, doubtful, settled, planned, weighed or emptied.
    """

    campaign: str
    seq: int
    kind: str
    lab: str
    trial: int | None
    attempt: int | None
    doses: dict[str, DoseRecord]


def dose_rows(ledger: Ledger, lab: str | None, campaign: str | None = None) -> list[DoseRow]:
    """Return the rows of a lab or of any, of one campaign or all, in the order of recording."""
    c, made = t.dose.c, t.event.c
    query = (
        select(t.dose)
        .join(t.event, and_(made.campaign == c.campaign, made.seq == c.seq))
        .order_by(made.at, c.campaign, c.seq)
    )
    if lab is not None:
        query = query.where(c.lab == lab)
    if campaign is not None:
        query = query.where(c.campaign == campaign)
    with ledger.engine.connect() as connection:
        return [_row(row) for row in connection.execute(query).mappings()]


def open_intents(ledger: Ledger, lab: str) -> list[DoseRow]:
    """Return what attempts under way may draw of a lab's bottles: all of their intents, or none.

    A process may have died with them; then its campaign's next owner records the doubt.
    """
    c = t.trial.c
    query = select(c.campaign, c.number, c.attempt).where(c.state.in_(("dispatched", "running")))
    with ledger.engine.connect() as connection:
        under_way = [(r[0], r[1], r[2]) for r in connection.execute(query)]
    found = []
    for campaign, number, attempt in under_way:
        kinds = (TrialDispatched.TYPE, TrialRunning.TYPE)
        for event in reversed(ledger.events_of(campaign, kinds, number)):
            intent = event.read()
            if isinstance(intent, (TrialDispatched, TrialRunning)) and intent.planned:
                of_lab = {n: d for n, d in intent.planned.items() if d.lab == lab}
                if intent.attempt == attempt and of_lab:
                    found.append(
                        DoseRow(campaign, event.seq, "planned", lab, number, attempt, of_lab)
                    )
                break
    return found


def _row(row: Any) -> DoseRow:
    try:
        doses = {n: DoseRecord(**d) for n, d in json.loads(row["doses"]).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise RecordError(
            f"doses of event {row['seq']} of {row['campaign']} must be readable, but are not: "
            f"{str(error).splitlines()[0]}; look with `dotpilot replay verify {row['campaign']}`"
        ) from error
    return DoseRow(**{**row, "doses": doses})


def labs_with_doses(ledger: Ledger) -> list[str]:
    """Return the labs that doses were drawn in or stocks opened, sorted."""
    with ledger.engine.connect() as connection:
        return sorted(connection.execute(select(t.dose.c.lab).distinct()).scalars())


def declared_stores(ledger: Ledger, campaign: str) -> dict[int, StoresDeclared]:
    """Return what a campaign's station drew from, declaration by declaration, by event."""
    found = {e.seq: e.read() for e in ledger.events_of(campaign, (StoresDeclared.TYPE,))}
    return {seq: p for seq, p in found.items() if isinstance(p, StoresDeclared)}


def stores_of(ledger: Ledger, campaign: str) -> StoresDeclared | None:
    """Return what a campaign's station draws from by its latest declaration; None without."""
    found = declared_stores(ledger, campaign)
    return found[max(found)] if found else None


def lab_seconds(ledger: Ledger, lab: str) -> float:
    """Return how long the campaigns that drew from a lab's stocks took on its own clock [s]."""
    there = select(t.dose.c.campaign).where(t.dose.c.lab == lab)
    longest = (
        select(func.max(t.trial.c.lab_time))
        .where(t.trial.c.campaign.in_(there))
        .group_by(t.trial.c.campaign)
    )
    with ledger.engine.connect() as connection:
        return float(sum(x or 0.0 for x in connection.execute(longest).scalars()))
