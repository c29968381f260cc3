"""A new campaign from event N of another, with other agent or seed, and its lineage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from agents import create_agent
from agents.errors import AgentError
from orchestrator.errors import InputRefusedError
from orchestrator.events import (
    CampaignCreated,
    CampaignStarted,
    Event,
    Payload,
    SpectrumRecord,
    TrialImported,
    TrialObserved,
    VerdictRecord,
)
from orchestrator.ledger import (
    CampaignRow,
    FoldedCampaign,
    Ledger,
    TrialRow,
    declared_stores,
    fold,
)
from orchestrator.loop import recorded_campaign
from orchestrator.replay.view import fold_at
from orchestrator.trial import ENDED


def fork_campaign(
    ledger: Ledger,
    campaign: str,
    seq: int,
    agent: str | None = None,
    seed: int | None = None,
    *,
    dispatch: Literal["local", "fleet"] = "local",
    actor: str = "fork",
    start: bool = False,
    identifier: str | None = None,
) -> str:
    """Record a new campaign that begins with what the parent had ended by event `seq`.

    Trials keep their numbers; those under way at `seq` are left out with all that follow, so that
    a fork without changes continues as the parent did. The laboratory stays the parent's.

    Args:
        ledger: The record.
        campaign: The parent's identifier.
        seq: Number of the parent's event that it begins after.
        agent: Another agent, with its default options.
        seed: Another seed.
        dispatch: Whether the process that resumes it runs its trials, or the workers of labs do.
        actor: Who forks it.
        start: Begin at once.
        identifier: A free one that the caller made; None draws one.

    Raises:
        InputRefusedError: an imported parent, or an unknown agent.
        ConflictError: the identifier is taken.
        NotFoundError: the chain has no such event.
    """
    folded = fold_at(ledger, campaign, seq)
    created = _created(folded.campaign, seq, agent, seed, dispatch)
    events = ledger.events(campaign, until=seq)
    # what was attached later is attached to the copy again, so that its evidence stays with it
    concluded = fold([e for e in events if e.type != TrialObserved.TYPE])
    ended = _ended_prefix(folded.trials)
    copied = {t.number: _copy(t, concluded) for t in _ended_prefix(concluded.trials)}
    trials: list[Payload] = [copied[t.number] for t in ended]
    attached = _attached(events, {t.number: t.attempt for t in ended})
    stores = list(declared_stores(ledger, campaign).values())[-1:]
    first = [created, *stores, *trials, *attached, *([CampaignStarted()] if start else [])]
    return ledger.create_with(first, actor=actor, identifier=identifier)


def _created(
    row: CampaignRow,
    seq: int,
    agent: str | None,
    seed: int | None,
    dispatch: Literal["local", "fleet"],
) -> CampaignCreated:
    if row.source == "imported":
        raise InputRefusedError(
            f"campaign {row.id} holds imported records of no station, so a fork of it cannot run; "
            "replay it with `dotpilot replay pool`"
        )
    parent = recorded_campaign(row)
    resolved = parent.resolved()
    if agent is not None:
        try:
            create_agent(agent)
        except AgentError as error:
            raise InputRefusedError(f"--agent: {error}") from error
        resolved |= {"agent": agent, "agent_options": {}}
    if seed is not None:
        resolved["seed"] = seed
    return CampaignCreated(
        name=row.name,
        source="forked",
        declared=dict(row.declared),
        resolved=resolved,
        station=dict(row.station_description),
        seed=resolved["seed"],
        lab_seed=row.lab_seed,
        parent=row.id,
        forked_at=seq,
        dispatch=dispatch,
    )


def _ended_prefix(rows: Sequence[TrialRow]) -> list[TrialRow]:
    """Trials 1, 2, ... up to the first that had not ended."""
    prefix: list[TrialRow] = []
    for row in sorted(rows, key=lambda r: r.number):
        if row.state not in ENDED:
            break
        prefix.append(row)
    return prefix


def _attached(events: Sequence[Event], attempts: Mapping[int, int]) -> list[TrialObserved]:
    """Return the later measurements of these attempts by trial, with where they come from."""
    found = []
    for event in events:
        if event.type != TrialObserved.TYPE:
            continue
        payload = event.read()
        if isinstance(payload, TrialObserved) and attempts.get(payload.trial) == payload.attempt:
            origin = {
                "campaign": event.campaign,
                "event": event.seq,
                "actor": event.actor,
                "at": event.at,
            }
            found.append(payload.model_copy(update={"origin": payload.origin or origin}))
    return found


def _copy(row: TrialRow, folded: FoldedCampaign) -> TrialImported:
    spectra = tuple(
        SpectrumRecord(
            name=s.name,
            axis_sha256=s.axis_sha256,
            values_sha256=s.values_sha256,
            axis_unit=s.axis_unit,
            unit=s.unit,
            settings=s.settings,
        )
        for s in folded.spectra
        if s.trial == row.number and s.attempt == row.attempt
    )
    return TrialImported(
        trial=row.number,
        attempt=row.attempt,
        step=row.step,
        state=row.state,  # one of the ended states
        recipe=dict(row.recipe),
        achieved=dict(row.achieved),
        observables=dict(row.observables),
        verdict=VerdictRecord(**row.verdict) if row.verdict else None,
        conditions=dict(row.conditions),
        spectra=spectra,
        station_state=row.station_state,
        identities=tuple(row.identities),
        warnings=tuple(row.warnings),
        failure=row.failure,
        lab_time=row.lab_time,
        origin={"campaign": folded.campaign.id, "trial": row.number},
    )
