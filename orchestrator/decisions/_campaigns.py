"""Decisions about served campaigns: open, pause, resume, drain, abort, fork."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from instruments import DeclaredStation
from orchestrator.campaign import check_campaign
from orchestrator.decisions._permission import ACTOR, served
from orchestrator.decisions._stations import declared_stations
from orchestrator.errors import InputRefusedError
from orchestrator.events import (
    CampaignDraining,
    CampaignPaused,
    CampaignResumed,
    CampaignStarted,
    CampaignStopped,
    Payload,
)
from orchestrator.fleet import Fleet
from orchestrator.ledger import Ledger
from orchestrator.loop import check_feasible, create_campaign, station_of
from orchestrator.replay import fork_campaign


def open_campaign(
    ledger: Ledger,
    file: Mapping[str, Any],
    *,
    actor: str = ACTOR,
    start: bool = True,
    identifier: str | None = None,
) -> str:
    """Check a campaign file and record the campaign for the workers of labs.

    Args:
        ledger: The record.
        file: The campaign file's document.
        actor: Who opens it.
        start: Let its loop begin at once; else it is a draft.
        identifier: A free one that the caller made, so that asking twice opens one.

    Raises:
        InputRefusedError: every mistake of the file.
        ConflictError: the identifier is taken.
    """
    declared = declared_stations(ledger)
    campaign = check_campaign(file, declared)
    if campaign.matter.money is not None:
        raise InputRefusedError(
            "budget.money: a served campaign knows no prices, since its labs' bottles are theirs; "
            "bound `stocks` or `species` instead"
        )
    description = declared.get(campaign.station)
    station = station_of(campaign) if description is None else DeclaredStation(description)
    check_feasible(campaign, station)
    return create_campaign(
        ledger,
        campaign,
        dispatch="fleet",
        actor=actor,
        start=start,
        station=description,
        identifier=identifier,
    )


def fork_served(
    ledger: Ledger,
    campaign: str,
    seq: int,
    *,
    agent: str | None = None,
    seed: int | None = None,
    actor: str = ACTOR,
    start: bool = False,
    identifier: str | None = None,
) -> str:
    """Begin a served campaign with what another had ended by event `seq`.

    Raises:
        InputRefusedError, NotFoundError, ConflictError: as `fork_campaign`.
    """
    return fork_campaign(
        ledger,
        ledger.campaign(campaign).id,
        seq,
        agent,
        seed,
        dispatch="fleet",
        actor=actor,
        start=start,
        identifier=identifier,
    )


def resume_campaign(ledger: Ledger, campaign: str, *, actor: str = ACTOR) -> None:
    """Let the loop take a campaign up, or up again; one that runs goes on.

    Raises:
        TransitionError: it is finished.
        ConflictError: it is not served.
    """
    row = served(ledger.campaign(campaign))
    if row.state != "running":
        event = CampaignStarted() if row.state == "draft" else CampaignResumed()
        ledger.append(row.id, event, actor=actor)


def pause_campaign(ledger: Ledger, campaign: str, reason: str, *, actor: str = ACTOR) -> None:
    """Give out no further trial; those under way go on, and their results are taken.

    Raises:
        TransitionError: it neither runs nor drains.
        ConflictError: it is not served.
    """
    _rest(ledger, campaign, "paused", CampaignPaused(reason=reason or "by a person"), actor)


def drain_campaign(ledger: Ledger, campaign: str, reason: str, *, actor: str = ACTOR) -> None:
    """Give out no further trial, and pause once those under way have ended.

    Raises:
        TransitionError: it neither runs nor is paused.
        ConflictError: it is not served.
    """
    _rest(ledger, campaign, "draining", CampaignDraining(reason=reason or "by a person"), actor)


def abort_campaign(ledger: Ledger, campaign: str, reason: str, *, actor: str = ACTOR) -> int:
    """Stop a campaign and ask its workers to break off; return how many were asked.

    What they had begun is in doubt unless they say otherwise.

    Raises:
        TransitionError: it is finished.
        ConflictError: it is not served.
    """
    event = CampaignStopped(stop_reason="stopped", detail=reason or "by a person")
    _rest(ledger, campaign, "stopped", event, actor)
    return Fleet(ledger).cancel(ledger.campaign(campaign).id)


def _rest(ledger: Ledger, campaign: str, state: str, event: Payload, actor: str) -> None:
    row = served(ledger.campaign(campaign))
    if row.state != state:  # asking twice is asking once
        ledger.append(row.id, event, actor=actor)
