"""The JSON documents of the contract, from the ledger's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agents import agent_names, create_agent
from agents.errors import AgentError
from instruments import InstrumentError, StationDescription, create_station, station_names
from orchestrator.campaign import Campaign, best_trial, from_resolved, pareto_trials, quantity
from orchestrator.errors import NotFoundError
from orchestrator.events import Event, TrialObserved
from orchestrator.ledger import CampaignRow, Ledger, TrialRow
from orchestrator.loop import outcomes, station_document

Units = Mapping[str, str]
NONE: Mapping[str, StationDescription] = {}
Attached = Mapping[int, Sequence[Mapping[str, Any]]]
NOTHING: Attached = {}


def parameter_units(row: CampaignRow) -> dict[str, str]:
    """Return the unit of each station parameter of a campaign."""
    return {p["name"]: p["unit"] for p in row.station_description["parameters"]}


def recipe_document(recipe: Mapping[str, Any], units: Units) -> dict[str, Any]:
    """Return a recipe with units; a categorical is a plain string."""
    return {name: quantity(value, units.get(name, "")) for name, value in recipe.items()}


def observables_document(row: TrialRow) -> dict[str, Any]:
    """Return a trial's observables with units, standard errors and methods."""
    document: dict[str, Any] = {}
    for name, seen in sorted(row.observables.items()):
        document[name] = seen.model_dump(include={"value", "unit", "se", "method"})
    return document


def campaign_document(row: CampaignRow, trials: Sequence[TrialRow]) -> dict[str, Any]:
    """Return the document of `launch`, `resume`, `show` and `replay view`."""
    campaign = from_resolved(row.declared, row.resolved)
    units = parameter_units(row)
    done = outcomes(trials)
    by_number = {t.number: t for t in trials}
    best = best_trial(done, campaign.objectives, campaign.confidence)
    front = pareto_trials(done, campaign.objectives) if campaign.objectives else []

    def brief(number: int) -> dict[str, Any]:
        trial = by_number[number]
        return {
            "trial": number,
            "recipe": recipe_document(trial.recipe, units),
            "observables": observables_document(trial),
        }

    document = {
        "campaign": row.id,
        "name": row.name,
        "state": row.state,
        "stop_reason": row.stop_reason,
        "trials": len(trials),
        "completed": len(done),
        "best": None if best is None or not campaign.objectives else brief(best),
        "pareto": [brief(number) for number in front],
        "station": row.station,
        "agent": campaign.agent,
        "seed": row.seed,
        "source": row.source,
        "created_at": row.created_at,
        "events": row.event_count,
    }
    if row.parent is not None:
        document |= {"parent": row.parent, "forked_at": row.forked_at}
    return document


def attachments(ledger: Ledger, campaign: str, trial: int | None = None) -> Attached:
    """Return the later measurements of a campaign (of one trial) by trial, oldest first."""
    found: dict[int, list[dict[str, Any]]] = {}
    latest: dict[tuple[int, int, str], int] = {}
    for event in ledger.events_of(campaign, (TrialObserved.TYPE,), trial):
        payload = event.read()
        if not isinstance(payload, TrialObserved):
            continue
        found.setdefault(payload.trial, []).append(_attachment(event, payload))
        keys = [(payload.trial, payload.attempt, name) for name in payload.observables]
        latest |= dict.fromkeys(keys, event.seq)
    for number, entries in found.items():
        for entry in entries:
            names = entry["observables"]
            at = number, entry["attempt"]
            entry["holds"] = [n for n in names if latest[*at, n] == entry["event"]]
    return found


def _attachment(event: Event, payload: TrialObserved) -> dict[str, Any]:
    return {
        "event": event.seq,
        "at": event.at,
        "actor": event.actor,
        "attempt": payload.attempt,
        "observables": {
            name: seen.model_dump(include={"value", "unit", "se", "method"})
            for name, seen in sorted(payload.observables.items())
        },
        "holds": [],
        "corrects": list(payload.corrects),
        "evidence": payload.evidence.model_dump(include={"name", "size", "sha256"}),
        "measured_at": payload.measured_at,
        "sample": payload.sample,
        "note": payload.note,
    }


def trial_document(trial: TrialRow, units: Units, attached: Attached = NOTHING) -> dict[str, Any]:
    """Return one entry of the `trials` document.

    Args:
        trial: The trial.
        units: By parameter.
        attached: Later measurements by trial, as `attachments` gives them.
    """
    proposal = None
    if trial.policy is not None:
        proposal = {
            "agent": (trial.agent or {}).get("name"),
            "step": trial.step,
            "predicted": trial.predicted,
            "policy": trial.policy,
            "policy_value": trial.policy_value,
            "history_hash": trial.history_hash,
            "details": trial.details,
        }
    return {
        "trial": trial.number,
        "attempt": trial.attempt,
        "state": trial.state,
        "recipe": recipe_document(trial.recipe, units),
        "achieved": recipe_document(trial.achieved, units),
        "observables": observables_document(trial),
        "verdict": trial.verdict,
        "proposal": proposal,
        "conditions": trial.conditions,
        "failure": trial.failure,
        "warnings": list(trial.warnings),
        "lab_time": trial.lab_time,
        "identities": list(trial.identities),
        "attachments": list(attached.get(trial.number, ())),
    }


def trials_document(
    row: CampaignRow, trials: Sequence[TrialRow], attached: Attached = NOTHING
) -> dict[str, Any]:
    """Return the document of `trials`."""
    units = parameter_units(row)
    return {"trials": [trial_document(t, units, attached) for t in trials]}


def list_document(rows: Sequence[CampaignRow], counts: Mapping[str, int]) -> dict[str, Any]:
    """Return the document of `list`."""
    return {
        "campaigns": [
            {
                "campaign": r.id,
                "name": r.name,
                "state": r.state,
                "stop_reason": r.stop_reason,
                "trials": counts.get(r.id, 0),
                "created_at": r.created_at,
            }
            for r in rows
        ]
    }


def stations_document(declared: Mapping[str, StationDescription] = NONE) -> dict[str, Any]:
    """Return the document of `station list`: the installed stations, then the declared ones."""
    found = [create_station(name).description for name in station_names()]
    fields = ("name", "version", "description", "simulated")
    return {"stations": [{f: getattr(d, f) for f in fields} for d in [*found, *declared.values()]]}


def named_station_document(
    name: str, declared: Mapping[str, StationDescription] = NONE
) -> dict[str, Any]:
    """Return the document of `station show`.

    Raises:
        NotFoundError: no such station.
    """
    if name in declared:
        return station_document(declared[name])
    try:
        return station_document(create_station(name).description)
    except InstrumentError as error:
        raise NotFoundError(str(error)) from error


def agents_document() -> dict[str, Any]:
    """Return the document of `agent list`."""
    found = [create_agent(name) for name in agent_names()]
    return {"agents": [{"name": a.name, "version": a.version} for a in found]}


def agent_document(name: str) -> dict[str, Any]:
    """Return the document of `agent show`.

    Raises:
        NotFoundError: no such agent.
    """
    try:
        agent = create_agent(name)
    except AgentError as error:
        raise NotFoundError(str(error)) from error
    return {
        "name": agent.name,
        "version": agent.version,
        "description": (type(agent).__doc__ or "").strip().splitlines()[0],
        "options": agent.configuration,
        "libraries": agent.libraries,
    }


def objectives_text(campaign: Campaign) -> str:
    """Say the objectives in one line, for people."""
    words = []
    for o in campaign.objectives:
        unit = f" {o.unit}" if o.unit else ""
        if o.goal == "target":
            words.append(f"{o.observable} {o.value:g} ± {o.tolerance:g}{unit}")
            continue
        bounds = [f"≥ {o.min:g}{unit}"] if o.min is not None else []
        bounds += [f"≤ {o.max:g}{unit}"] if o.max is not None else []
        goal = [] if o.goal == "constraint" else [o.goal]
        words.append(" ".join([*goal, o.observable, *bounds]))
    return "; ".join(words)
