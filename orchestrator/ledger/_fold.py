"""The read tables in memory, folded from a chain by the same changes as the database's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.errors import RecordError
from orchestrator.events import Event
from orchestrator.ledger._projection import Change, changes
from orchestrator.ledger._rows import (
    CampaignRow,
    SpectrumRow,
    TrialRow,
    campaign_row,
    spectrum_row,
    trial_rows,
)
from orchestrator.ledger._tables import KEYS, READ_TABLES

Tables = dict[str, dict[tuple[Any, ...], dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class FoldedCampaign:
    """What a chain says; `tables` holds raw rows by table and key."""

    campaign: CampaignRow
    trials: list[TrialRow]
    spectra: list[SpectrumRow]
    tables: Tables = field(repr=False)


def empty_tables() -> Tables:
    """Return read tables without rows."""
    return {name: {} for name in READ_TABLES}


def apply_change(tables: Tables, change: Change) -> None:
    """Apply one change in memory.

    Raises:
        RecordError: a change of a row that does not exist.
    """
    rows = tables[change.table]
    columns = [c.name for c in READ_TABLES[change.table].columns]
    old = rows.get(change.key)
    if change.new and old is not None:
        raise RecordError(f"{change.table} {change.key} is made twice")
    if old is None:
        row = dict(zip(KEYS[change.table], change.key, strict=True)) | change.columns
        if set(row) != set(columns):
            raise RecordError(f"{change.table} {change.key} is changed before it exists")
        rows[change.key] = {name: row[name] for name in columns}
    else:
        old.update(change.columns)


def fold_tables(events: Iterable[Event]) -> Tables:
    """Fold events into raw rows.

    Raises:
        RecordError: an event that cannot be read, or does not follow.
    """
    tables = empty_tables()
    for event in events:
        for change in changes(event, event.read()):
            apply_change(tables, change)
    return tables


def fold(events: Sequence[Event]) -> FoldedCampaign:
    """Fold a campaign's events, from the first on.

    Raises:
        RecordError: no events, or events that cannot be read or do not follow.
    """
    tables = fold_tables(events)
    if len(tables["campaign"]) != 1:
        raise RecordError("a chain must begin with campaign.created")
    return FoldedCampaign(
        campaign_row(next(iter(tables["campaign"].values()))),
        trial_rows(tables["trial"].values(), tables["observable"].values()),
        [spectrum_row(r) for r in tables["spectrum"].values()],
        tables,
    )
