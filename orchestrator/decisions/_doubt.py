"""Decisions that end a doubt: adopt what is known, repeat, or abandon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from numpy.typing import NDArray

from orchestrator.campaign import reported_observables
from orchestrator.decisions._permission import ACTOR, permission
from orchestrator.errors import InputRefusedError, NotFoundError
from orchestrator.events import ObservableRecord, TrialInDoubt, TrialResolved
from orchestrator.fleet import Fleet, read_result
from orchestrator.ledger import CampaignRow, Ledger, TrialRow
from orchestrator.loop import analysis_records, measured_event, recorded_campaign, station_of
from orchestrator.trial import IN_FLIGHT

Decision = Literal["adopt", "repeat", "abandon"]


@dataclass(frozen=True)
class _Evidence:
    """What a doubt is ended with."""

    observables: Mapping[str, ObservableRecord] = field(default_factory=dict)
    achieved: Mapping[str, Any] = field(default_factory=dict)
    document: dict[str, Any] | None = None
    arrays: tuple[NDArray[Any], ...] = ()


def resolve_doubt(
    ledger: Ledger,
    campaign: str,
    number: int,
    decision: str,
    note: str,
    evidence: Mapping[str, Any] | None = None,
    *,
    late_result: str | None = None,
    actor: str = ACTOR,
) -> None:
    """Record the decision that ends the doubt about a trial.

    `adopt` takes the observables of `evidence`, or derives them from a result that came late;
    `repeat` allows a new attempt; `abandon` leaves the trial without a result. An interrupted
    trial that no process owns is in doubt by now.

    Raises:
        InputRefusedError: unknown decision, empty note, evidence missing or malformed, or a
            trial that is not in doubt.
        NotFoundError: no such late result.
        ConflictError: another process runs the campaign.
    """
    row = ledger.campaign(campaign)
    problems = _mistakes(decision, note, evidence, late_result)
    observables = _observables(row, evidence, problems) if evidence is not None else {}
    if problems:
        raise InputRefusedError(problems)
    found = _Evidence(observables, document=None if evidence is None else dict(evidence))
    with permission(ledger, row) as token:
        trial = _doubtful(ledger, row, number)
        if late_result is not None:
            found = _late(ledger, row, trial, late_result)
        attempt = trial.attempt
        if trial.state in IN_FLIGHT:
            reason = "no process owns the campaign"
            doubt = TrialInDoubt(trial=number, attempt=attempt, found=trial.state, reason=reason)
            ledger.append(row.id, doubt, actor=actor, token=token)
        event = TrialResolved(
            trial=number,
            attempt=attempt + 1 if decision == "repeat" else attempt,
            decision=decision,  # checked above
            by="person",
            note=note,
            achieved=dict(found.achieved),
            observables=dict(found.observables),
            evidence=found.document,
        )
        ledger.append(row.id, event, actor=actor, token=token, arrays=found.arrays)


def _mistakes(
    decision: str, note: str, evidence: Mapping[str, Any] | None, late_result: str | None
) -> list[str]:
    problems = []
    if decision not in get_args(Decision):
        problems.append(f"decision: must be adopt, repeat or abandon, but is {decision!r}")
    if not note.strip():
        problems.append("note: must say why, but is empty")
    given = (evidence is not None) + (late_result is not None)
    if decision == "adopt" and given != 1:
        problems.append(
            "evidence: adopt needs either evidence with the observables to adopt, or the late "
            f"result to derive them from, but got {'both' if given else 'neither'}"
        )
    if decision != "adopt" and given:
        problems.append("evidence: belongs to the decision adopt; leave it out")
    return problems


def _doubtful(ledger: Ledger, row: CampaignRow, number: int) -> TrialRow:
    """Return a trial that may be decided on.

    Raises:
        InputRefusedError: it is not in doubt; what is leased in a served campaign is not yet.
    """
    trial = ledger.trial(row.id, number)
    interrupted = IN_FLIGHT if row.dispatch == "local" else frozenset[str]()
    if trial.state not in {"in_doubt", *interrupted}:
        raise InputRefusedError(
            f"only a trial in doubt can be resolved, but trial {number} is {trial.state}"
        )
    return trial


def _observables(
    row: CampaignRow, evidence: Mapping[str, Any], problems: list[str]
) -> dict[str, ObservableRecord]:
    """Read `observables: {name: {value, unit, se}}` in the station's units."""
    declared = row.station_description["observables"]
    read = reported_observables(
        declared, evidence.get("observables"), lambda text: problems.append(f"evidence: {text}")
    )
    return {n: ObservableRecord(**o, method="adopted@person") for n, o in read.items()}


def _late(ledger: Ledger, row: CampaignRow, trial: TrialRow, identifier: str) -> _Evidence:
    """Derive observables from a result that came too late.

    Raises:
        NotFoundError: the trial has no such late result.
        InputRefusedError: it cannot be analysed, or the quality gate does not accept it.
    """
    known = {r.id: r for r in Fleet(ledger).late_results(row.id, trial.number)}
    if identifier not in known:
        raise NotFoundError(
            f"trial {trial.number} has no late result {identifier!r}; it has "
            f"{', '.join(known) or 'none'}"
        )
    found = known[identifier]
    if found.attempt > trial.attempt:
        raise InputRefusedError(
            f"late_result: {identifier} says it is of attempt {found.attempt}, but trial "
            f"{trial.number} had {trial.attempt}"
        )
    result = read_result(row.station_description, found.result)
    measurement = result.measurement(trial.recipe)
    station = station_of(recorded_campaign(row), row.station_description)
    try:
        analysis = station.analyse(measurement)
    except Exception as error:  # whatever a worker sent must become a refusal
        raise InputRefusedError(
            f"late_result: {identifier} cannot be analysed: {type(error).__name__}: {error}"
        ) from error
    observables, verdict = analysis_records(analysis)
    if analysis.verdict.failure or verdict.kind not in ("accept", "accept_wide"):
        reasons = "; ".join(verdict.reasons) or analysis.verdict.failure or verdict.kind
        raise InputRefusedError(
            f"late_result: {identifier} gives no observables to adopt: {reasons}"
        )
    raw, arrays = measured_event(measurement, trial.number, found.attempt, result.lab_time)
    document = {
        "late_result": found.id,
        "lease": found.lease,
        "worker": found.worker,
        "received_at": found.at,
        "verdict": verdict.model_dump(mode="json"),
        "measurement": raw.model_dump(mode="json"),
    }
    return _Evidence(observables, measurement.achieved, document, arrays)
