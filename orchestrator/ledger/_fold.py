"""The read tables in memory, folded from a chain by the same changes as the database's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from orchestrator.errors import NotFoundError, RecordError, TransitionError
from orchestrator.events import Event
from orchestrator.ledger._legal import check_event
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
# Which event gave a column its value: by table, key and column.
Origins = dict[tuple[str, tuple[Any, ...], str], int]


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


def trace(
    events: Iterable[Event], illegal: Callable[[Event, str], None]
) -> tuple[Tables, Origins]:
    """Fold events, telling `illegal` of each that the state diagram forbids, and who wrote what.

    Raises:
        RecordError: an event that cannot be read, or changes what does not exist.
    """
    tables, origins = empty_tables(), Origins()
    for place, event in enumerate(events):
        payload, standing = event.read(), partial(_standing, tables, event.campaign)
        found = changes(event, payload)
        try:
            if place:
                check_event(event.campaign, _state(tables), payload, found, standing)
            elif not found[0].new:
                illegal(event, "a chain must begin with campaign.created")
        except (NotFoundError, TransitionError) as error:
            illegal(event, str(error))
        for change in found:
            apply_change(tables, change)
            origins |= {(change.table, change.key, c): event.seq for c in change.columns}
    return tables, origins


def _state(tables: Tables) -> str:
    return next((str(row["state"]) for row in tables["campaign"].values()), "")


def _standing(tables: Tables, campaign: str, number: int) -> tuple[str, int] | None:
    row = tables["trial"].get((campaign, number))
    return None if row is None else (row["state"], row["attempt"])


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
