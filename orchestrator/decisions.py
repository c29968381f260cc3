"""Decisions of people about trials: approve a proposal, end a doubt. Each is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from orchestrator.campaign import reported_observables
from orchestrator.errors import InputRefusedError
from orchestrator.events import ObservableRecord, TrialApproved, TrialInDoubt, TrialResolved
from orchestrator.ledger import CampaignRow, Ledger
from orchestrator.trial import IN_FLIGHT

Decision = Literal["adopt", "repeat", "abandon"]
ACTOR = "person"


def approve_trials(ledger: Ledger, campaign: str, numbers: Sequence[int], note: str) -> list[int]:
    """Approve these proposed trials (all that wait, where none is named); return their numbers.

    Raises:
        TransitionError: a trial that is not proposed.
        ConflictError: another process runs the campaign.
    """
    with ledger.acquire(campaign) as ownership:
        waiting = [t.number for t in ledger.trials(campaign) if t.state == "proposed"]
        chosen = list(numbers) or waiting
        for number in chosen:
            attempt = ledger.trial(campaign, number).attempt
            event = TrialApproved(trial=number, attempt=attempt, reason=note or "approved")
            ledger.append(campaign, event, actor=ACTOR, token=ownership.token)
    return chosen


def resolve_doubt(
    ledger: Ledger,
    campaign: str,
    number: int,
    decision: str,
    note: str,
    evidence: Mapping[str, Any] | None = None,
) -> None:
    """Record the decision that ends the doubt about a trial.

    `adopt` takes the observables of `evidence`; `repeat` allows a new attempt; `abandon` leaves
    the trial without a result. An interrupted trial that no process owns is in doubt by now.

    Raises:
        InputRefusedError: unknown decision, empty note, evidence missing or malformed, or a
            trial that is not in doubt.
        ConflictError: another process runs the campaign.
    """
    problems = []
    if decision not in get_args(Decision):
        problems.append(f"--decision must be adopt, repeat or abandon, but got {decision!r}")
    if not note.strip():
        problems.append("--note must say why; it was empty")
    if decision == "adopt" and evidence is None:
        problems.append("--decision adopt needs --evidence FILE with the observables to adopt")
    if decision != "adopt" and evidence is not None:
        problems.append("--evidence belongs to --decision adopt")
    row = ledger.campaign(campaign)
    observables = _observables(row, evidence, problems) if evidence is not None else {}
    if problems:
        raise InputRefusedError(problems)
    with ledger.acquire(campaign) as ownership:
        trial = ledger.trial(campaign, number)
        if trial.state not in {"in_doubt", *IN_FLIGHT}:
            raise InputRefusedError(
                f"only a trial in doubt can be resolved, but trial {number} is {trial.state}"
            )
        attempt = trial.attempt
        if trial.state in IN_FLIGHT:
            reason = "no process owns the campaign"
            doubt = TrialInDoubt(trial=number, attempt=attempt, found=trial.state, reason=reason)
            ledger.append(campaign, doubt, actor=ACTOR, token=ownership.token)
        event = TrialResolved(
            trial=number,
            attempt=attempt + 1 if decision == "repeat" else attempt,
            decision=decision,  # checked above
            by="person",
            note=note,
            observables=observables,
            evidence=dict(evidence) if evidence is not None else None,
        )
        ledger.append(campaign, event, actor=ACTOR, token=ownership.token)


def _observables(
    row: CampaignRow, evidence: Mapping[str, Any], problems: list[str]
) -> dict[str, ObservableRecord]:
    """Read `observables: {name: {value, unit, se}}` in the station's units."""
    declared = row.station_description["observables"]
    read = reported_observables(
        declared, evidence.get("observables"), lambda text: problems.append(f"evidence: {text}")
    )
    return {n: ObservableRecord(**o, method="adopted@person") for n, o in read.items()}
