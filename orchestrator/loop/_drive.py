"""Start a campaign, or take one up again, as its one owner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

from agents.errors import AgentError
from agents.sampling import sample_space
from instruments import (
    DeclaredStation,
    Station,
    StationDescription,
    create_station,
    declared_description,
)
from instruments.kept import kept
from orchestrator.campaign import Campaign, from_resolved
from orchestrator.errors import InputRefusedError
from orchestrator.events import CampaignCreated, CampaignStarted, Payload, StoresDeclared
from orchestrator.ledger import CampaignRow, Ledger
from orchestrator.loop._propose import feasibility
from orchestrator.loop._run import CampaignLoop, Observer, StopRequest
from orchestrator.loop._stop import room_in_budget

ACTOR = "cli"


def station_of(campaign: Campaign, recorded: Mapping[str, Any] | None = None) -> Station:
    """Build the campaign's station, its noise keyed by the campaign's lab seed.

    Args:
        campaign: Which one.
        recorded: The description that its record holds; a declared station is made of it.
    """
    if recorded is not None and recorded.get("declared"):
        return DeclaredStation(declared_description(recorded))
    return create_station(campaign.station, campaign.lab, seed=campaign.lab_seed)


def station_document(description: StationDescription) -> dict[str, Any]:
    """Return what a station declares as a JSON document."""
    document = asdict(description)
    document["parameters"] = [_plain(p) for p in document["parameters"]]
    document["observables"] = list(document["observables"])
    return document


def _plain(parameter: dict[str, Any]) -> dict[str, Any]:
    when = parameter["when"]
    parameter["choices"] = list(parameter["choices"])
    parameter["when"] = {when[0]: list(when[1])} if when else None
    return parameter


def check_feasible(campaign: Campaign, station: Station) -> None:
    """Refuse a campaign whose space holds no step's recipes that the station could make.

    Raises:
        InputRefusedError: with the most frequent reasons.
    """
    space = replace(campaign.space, infeasible=feasibility(station))
    step = room_in_budget(campaign, ())
    try:
        sample_space(space, 1, seed=0)
    except AgentError as error:
        reasons = _common_reasons(campaign, station)
        raise InputRefusedError(
            f"space: some recipe must be within the station's limits, but none was found ({error})"
            + (f"; most often: {reasons}" if reasons else "")
        ) from error
    try:
        sample_space(space, step, seed=0)
    except AgentError as error:
        raise InputRefusedError(
            f"batch: a step needs {step} different recipes that the station could make, but the "
            f"space holds fewer ({error}); widen it, or make batch smaller"
        ) from error


def _common_reasons(campaign: Campaign, station: Station) -> str:
    try:
        recipes = sample_space(campaign.space, 64, seed=0)
    except AgentError:
        return ""
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for recipe in recipes:
        for broken in station.check(recipe):
            counts[broken.quantity] += 1
            first.setdefault(broken.quantity, broken.message)
    return "; ".join(first[name] for name, _ in counts.most_common(3))


def create_campaign(
    ledger: Ledger,
    campaign: Campaign,
    *,
    dispatch: Literal["local", "fleet"] = "local",
    actor: str = ACTOR,
    start: bool = False,
    station: StationDescription | None = None,
    identifier: str | None = None,
    stores: StoresDeclared | None = None,
) -> str:
    """Record a launched campaign and return its identifier.

    Args:
        ledger: The record.
        campaign: As it was checked.
        dispatch: Whether this process runs its trials, or the workers of labs do.
        actor: Who launches it.
        start: Begin at once (the loop of a served campaign takes it up from then on).
        station: What its station declares; that of the installed one if left out.
        identifier: A free one that the caller made; None draws one.
        stores: The bottles that its station draws from.

    Raises:
        ConflictError: the identifier is taken.
    """
    description = station or station_of(campaign).description
    payload = CampaignCreated(
        name=campaign.name,
        source="launched",
        declared=dict(campaign.declared),
        resolved=campaign.resolved(),
        station=station_document(description),
        seed=campaign.seed,
        lab_seed=campaign.lab_seed,
        dispatch=dispatch,
    )
    first: list[Payload] = [payload, *([stores] if stores else [])]
    first += [CampaignStarted()] if start else []
    return ledger.create_with(first, actor=actor, identifier=identifier)


def recorded_campaign(row: CampaignRow) -> Campaign:
    """Return the campaign as it was resolved when it was created."""
    return from_resolved(row.declared, row.resolved)


def drive(
    ledger: Ledger,
    campaign_id: str,
    observer: Observer,
    stop: StopRequest | None = None,
    *,
    transcripts: Path | None = None,
) -> str:
    """Own the campaign, run it until it rests, and return its state.

    Args:
        ledger: The record.
        campaign_id: The campaign's identifier.
        observer: Watches.
        stop: Somebody else's wish to drain.
        transcripts: Folder in which what goes over its station's wires is kept, in one of its own.

    Raises:
        ConflictError: somebody else owns the campaign.
        InputRefusedError: the campaign holds imported records and cannot be run.
    """
    row = ledger.campaign(campaign_id)
    if row.source == "imported":
        raise InputRefusedError(
            f"campaign {row.id} holds imported records and cannot be run; replay it with "
            "`dotpilot replay pool`, or launch a campaign file"
        )
    if row.dispatch == "fleet":
        raise InputRefusedError(
            f"campaign {row.id} is served to labs, and its loop runs in `dotpilot serve` or "
            "`dotpilot loops`; resume it with --url"
        )
    campaign = recorded_campaign(row)
    station = station_of(campaign, row.station_description)
    if transcripts is not None:
        station = kept(station, transcripts / row.id)
    with ledger.acquire(row.id) as ownership:
        loop = CampaignLoop(
            ledger,
            row.id,
            campaign,
            station,
            ownership.token,
            observer,
            stop or StopRequest(),
        )
        return loop.run()
