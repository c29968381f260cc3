"""Decisions about recipes: approve, veto, change, or add one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from agents import Fixed, Value
from orchestrator.access import KEPT
from orchestrator.campaign import UnitError, convert
from orchestrator.decisions._permission import ACTOR, permission
from orchestrator.errors import ConflictError, InputRefusedError, TransitionError
from orchestrator.events import Payload, TrialAbandoned, TrialAdded, TrialApproved, TrialEdited
from orchestrator.ledger import CampaignRow, Ledger
from orchestrator.loop import feasibility, recorded_campaign, station_of

# Others may add trials at the same moment; each refusal means that somebody else succeeded.
_TRIES = 20
_BUSY = "campaign {} changes too often at the moment, or another process took it over; try again"


class MovedOnError(ConflictError):
    """What was decided on is another thing by now."""


def approve_trials(
    ledger: Ledger, campaign: str, numbers: Sequence[int], note: str, *, actor: str = ACTOR
) -> list[int]:
    """Approve these proposed trials (all that wait, where none is named); return their numbers.

    Raises:
        TransitionError: a trial that is not proposed.
        ConflictError: another process runs the campaign.
    """
    with permission(ledger, ledger.campaign(campaign)) as token:
        waiting = [t.number for t in ledger.trials(campaign) if t.state == "proposed"]
        chosen = list(numbers) or waiting
        for number in chosen:
            trial = ledger.trial(campaign, number)
            if trial.state != "proposed":  # "approved" also follows a doubt: not by this door
                raise TransitionError(
                    f"only a proposed trial can be approved, but trial {number} is {trial.state}"
                )
            event = TrialApproved(trial=number, attempt=trial.attempt, reason=note or "approved")
            ledger.append(campaign, event, actor=actor, token=token)
    return chosen


def veto_trial(
    ledger: Ledger, campaign: str, number: int, note: str, *, actor: str = ACTOR
) -> None:
    """Abandon a trial that nobody took up yet.

    Raises:
        TransitionError: it is under way, or has ended.
        MovedOnError: somebody took the trial up just now.
        ConflictError: another process runs the campaign.
    """
    row = ledger.campaign(campaign)
    with permission(ledger, row) as token:
        trial = ledger.trial(row.id, number)
        if trial.state not in ("proposed", "approved"):  # what is dispatched, a worker gives back
            raise TransitionError(
                f"only a trial that is proposed or approved can be vetoed, but trial {number} is "
                f"{trial.state}"
            )
        event = TrialAbandoned(trial=number, reason=note or "vetoed by a person")
        _append(ledger, row, event, actor, token, (number, trial.last_seq))


def add_trial(
    ledger: Ledger,
    campaign: str,
    recipe: Mapping[str, Any],
    note: str,
    *,
    actor: str = ACTOR,
    request: str | None = None,
) -> int:
    """Add a recipe of one's own to the present step; return the trial's number.

    Args:
        ledger: The record.
        campaign: Which campaign.
        recipe: The whole recipe.
        note: Why.
        actor: Who.
        request: Hash of the caller's key; the trial that it added already is returned.

    Raises:
        InputRefusedError: the recipe leaves the space or the station's limits, the campaign is
            over, it holds imported records, or `request` added another recipe.
        ConflictError: another process runs the campaign.
    """
    row = ledger.campaign(campaign)
    complete = read_recipe(row, recipe)
    if (known := _added_before(ledger, row, complete, request)) is not None:
        return known
    if row.source == "imported" or row.state == "finished":
        raise InputRefusedError(
            f"a recipe can be added while a campaign may go on, but {row.id} is {row.state}; "
            "fork it instead"
        )
    with permission(ledger, row) as token:
        for _ in range(_TRIES):
            count = ledger.event_count(row.id)
            if (known := _added_before(ledger, row, complete, request)) is not None:
                return known
            rows = ledger.trials(row.id)
            number = max((t.number for t in rows), default=0) + 1
            step = max((t.step for t in rows), default=0)
            event = TrialAdded(
                trial=number, step=step, recipe=complete, note=note, request=request
            )
            try:
                ledger.append(row.id, event, actor=actor, token=token, after=count)
            except ConflictError:
                continue
            return number
    raise ConflictError(_BUSY.format(row.id))


def _added_before(
    ledger: Ledger, row: CampaignRow, recipe: Mapping[str, Value], request: str | None
) -> int | None:
    """Return the trial that a request added already, while its key is kept.

    Raises:
        InputRefusedError: it added another recipe.
    """
    if request is None:
        return None
    for event in ledger.events_of(row.id, ("trial.added",)):
        added = event.read()
        if not isinstance(added, TrialAdded) or added.request != request:
            continue
        if ledger.time() - datetime.fromisoformat(event.at) > KEPT:
            continue
        if added.recipe != recipe:
            raise InputRefusedError(
                f"a key stands for one request, but added another recipe as trial {added.trial}; "
                "take a new key"
            )
        return added.trial
    return None


def edit_trial(
    ledger: Ledger,
    campaign: str,
    number: int,
    recipe: Mapping[str, Any],
    note: str,
    *,
    actor: str = ACTOR,
    seen: int | None = None,
) -> None:
    """Change a proposed recipe before anybody approves it or takes it up.

    Args:
        ledger: The record.
        campaign: Which campaign.
        number: Which trial.
        recipe: The whole recipe.
        note: Why.
        actor: Who.
        seen: `last_seq` of the trial as the person saw it; a later one is a conflict.

    Raises:
        InputRefusedError: the recipe leaves the space or the station's limits.
        TransitionError: the trial is not proposed.
        MovedOnError: the trial moved on since it was seen.
        ConflictError: another process runs the campaign.
    """
    row = ledger.campaign(campaign)
    with permission(ledger, row) as token:
        trial = ledger.trial(row.id, number)
        event = TrialEdited(trial=number, recipe=read_recipe(row, recipe), note=note)
        known = trial.last_seq if seen is None else seen
        _append(ledger, row, event, actor, token, (number, known))


def _append(
    ledger: Ledger,
    row: CampaignRow,
    event: Payload,
    actor: str,
    token: int | None,
    seen: tuple[int, int],
) -> None:
    """Append unless the trial has moved on; what happens to other trials does not matter."""
    number, last_seq = seen
    for _ in range(_TRIES):
        count = ledger.event_count(row.id)
        if ledger.trial(row.id, number).last_seq != last_seq:
            raise MovedOnError(f"trial {number} moved on since it was read; read it again")
        try:
            ledger.append(row.id, event, actor=actor, token=token, after=count)
        except ConflictError:
            continue
        return
    raise ConflictError(_BUSY.format(row.id))


def read_recipe(row: CampaignRow, given: Mapping[str, Any]) -> dict[str, Value]:
    """Return a person's recipe in the station's units, completed with what the campaign fixes.

    Args:
        row: The campaign.
        given: Each value plain, in the station's unit, or `{"value", "unit"}`.

    Raises:
        InputRefusedError: every way in which it leaves the space or the station's limits.
    """
    campaign = recorded_campaign(row)
    declared = {p["name"]: p for p in row.station_description["parameters"]}
    problems: list[str] = []
    recipe: dict[str, Value] = {}
    for name, entry in given.items():
        try:
            recipe[name] = _value(entry, declared.get(name, {}))
        except (UnitError, ValueError) as error:
            problems.append(f"recipe.{name}: {error}")
    if problems:
        raise InputRefusedError(problems)
    station = station_of(campaign, row.station_description)
    space = replace(campaign.space, infeasible=feasibility(station))
    held = {p.name for p in space.parameters if isinstance(p, Fixed)}
    recipe = {**{k: v for k, v in space.active(recipe).items() if k in held}, **recipe}
    if wrong := space.violations(recipe):
        raise InputRefusedError([f"recipe: {text}" for text in wrong])
    return recipe


def _value(entry: Any, declared: Mapping[str, Any]) -> Value:
    unit = str(declared.get("unit", ""))
    if isinstance(entry, Mapping):
        if set(entry) - {"value", "unit"} or "value" not in entry:
            raise ValueError("must be a value, or {value, unit}")
        value = entry["value"]
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value = convert(float(value), str(entry.get("unit", "")), unit)
    else:
        value = entry
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"must be a number or a choice, but got {value!r}")
    whole = declared.get("kind") == "integer" and float(value).is_integer()
    return int(value) if whole else float(value)
