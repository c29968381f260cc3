"""Rows of the read tables as frozen values with their JSON parsed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from orchestrator.events import ObservableRecord

Row = Mapping[Any, Any]


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """A campaign as the read table has it."""

    id: str
    name: str
    state: str
    stop_reason: str | None
    source: str
    station: str
    dispatch: str
    parent: str | None
    forked_at: int | None
    seed: int
    lab_seed: int
    declared: dict[str, Any]
    resolved: dict[str, Any]
    station_description: dict[str, Any]
    created_at: str
    updated_at: str
    event_count: int
    last_hash: str


@dataclass(frozen=True, slots=True)
class TrialRow:
    """A trial with its present attempt; numbers in the units that the station declares."""

    number: int
    step: int
    state: str
    attempt: int
    recipe: dict[str, Any]
    achieved: dict[str, Any]
    conditions: dict[str, Any]
    predicted: dict[str, dict[str, float]]
    policy: str | None
    policy_value: float | None
    details: dict[str, Any]
    agent: dict[str, Any] | None
    history_hash: str | None
    proposal_seed: int | None
    verdict: dict[str, Any] | None
    failure: str | None
    station_state: dict[str, Any] | None
    identities: list[dict[str, Any]]
    warnings: list[str]
    lab_time: float | None
    lab: str | None
    worker: str | None
    origin: dict[str, Any]
    first_seq: int
    last_seq: int
    updated_at: str
    observables: dict[str, ObservableRecord] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SpectrumRow:
    """Where a spectrum's arrays lie, and its settings."""

    trial: int
    attempt: int
    name: str
    axis_sha256: str
    values_sha256: str
    axis_unit: str
    unit: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class StoredSpectrum:
    """A spectrum with its arrays, shapes (n,)."""

    trial: int
    attempt: int
    name: str
    axis: NDArray[Any]
    values: NDArray[Any]
    axis_unit: str
    unit: str
    settings: dict[str, Any]


_CAMPAIGN_JSON = ("declared", "resolved", "station_description")
_TRIAL_JSON = (
    "recipe",
    "achieved",
    "conditions",
    "predicted",
    "details",
    "agent",
    "verdict",
    "station_state",
    "identities",
    "warnings",
    "origin",
)


def _parsed(row: Row, names: Iterable[str], *, drop: Iterable[str] = ()) -> dict[str, Any]:
    left_out = set(drop)
    values = {k: v for k, v in row.items() if k not in left_out}
    for name in names:
        values[name] = None if values[name] is None else json.loads(values[name])
    return values


def campaign_row(row: Row) -> CampaignRow:
    """Parse a row of `campaign`."""
    return CampaignRow(**_parsed(row, _CAMPAIGN_JSON))


def trial_row(row: Row, observables: Iterable[Row]) -> TrialRow:
    """Parse a row of `trial` with the observables of its present attempt."""
    seen = {
        o["name"]: ObservableRecord(
            value=o["value"], se=o["se"], unit=o["unit"], method=o["method"]
        )
        for o in observables
    }
    return TrialRow(
        **_parsed(row, _TRIAL_JSON, drop=("campaign",)), observables=dict(sorted(seen.items()))
    )


def trial_rows(trials: Iterable[Row], observables: Iterable[Row]) -> list[TrialRow]:
    """Parse the trials of a campaign, ordered by number."""
    by_attempt: dict[tuple[int, int], list[Row]] = {}
    for o in observables:
        by_attempt.setdefault((o["trial"], o["attempt"]), []).append(o)
    ordered = sorted(trials, key=lambda t: t["number"])
    return [trial_row(t, by_attempt.get((t["number"], t["attempt"]), ())) for t in ordered]


def spectrum_row(row: Row) -> SpectrumRow:
    """Parse a row of `spectrum`."""
    return SpectrumRow(**_parsed(row, ("settings",), drop=("campaign",)))
