"""Leases, workers, digests and failure events from rows and models. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.errors import InputRefusedError
from orchestrator.events import (
    Doses,
    Payload,
    TrialAbandoned,
    TrialFailed,
    TrialInDoubt,
    canonical,
)
from orchestrator.fleet._models import Failure, Lease, Member, Result, WorkerRow
from orchestrator.fleet._statements import COLUMNS, Row

MAX_LEASE_S = 60.0 * 86_400.0


def lease_of(
    row: Row, recipes: Mapping[int, str], lab_seed: int, restore: Mapping[str, Any]
) -> Lease:
    """Return a lease from its row, with recipes as text by trial."""
    columns = dict(zip(COLUMNS, row, strict=False))
    expires_in = row[len(COLUMNS)]
    return Lease(
        lease=columns["id"],
        fence=int(columns["fence"]),
        campaign=columns["campaign"],
        station=columns["station"],
        state=columns["state"],
        worker=columns["worker"],
        lab=columns["lab"],
        expires_in=None if expires_in is None else float(expires_in),
        members=[Member(t, a, json.loads(recipes[t])) for t, a in json.loads(columns["members"])],
        simulated=json.loads(columns["hidden"]) if columns["hidden"] else None,
        lab_seed=lab_seed,
        restore=restore,
        progress=columns["progress"],
        cancel=bool(columns["cancel"]),
    )


def results_digest(results: Sequence[Result]) -> str:
    """Return the SHA-256 of results, whatever their order."""
    ordered = sorted(results, key=lambda r: (r.trial, r.attempt))
    text = canonical([r.model_dump(mode="json") for r in ordered])
    return hashlib.sha256(text.encode()).hexdigest()


def failure_event(failure: Failure, member: Member, state: str, planned: Doses) -> Payload:
    """Return what a failure says of one attempt, which is dispatched or running.

    Args:
        failure: What the worker said.
        member: The attempt.
        state: Of its trial.
        planned: What it may have drawn, where the worker does not know.
    """
    doses = failure.doses.get(member.trial, {})
    if failure.kind == "refused" and state == "dispatched":
        return TrialAbandoned(trial=member.trial, reason=failure.message or failure.reason)
    if failure.kind in ("failed", "refused"):
        return TrialFailed(
            trial=member.trial,
            attempt=member.attempt,
            reason=failure.reason,
            message=failure.message or failure.reason,
            lab_time=failure.lab_time,
            station_state=failure.station_state,
            doses=doses,
        )
    reason = f"{failure.reason}: {failure.message}" if failure.message else failure.reason
    return TrialInDoubt(
        trial=member.trial,
        attempt=member.attempt,
        found=state,
        reason=reason,
        doses=doses or planned,
    )


def duration(lease_s: float | None, otherwise: float) -> float:
    """Return how long a lease is to last [s].

    Raises:
        InputRefusedError: no time, or an endless one.
    """
    wanted = otherwise if lease_s is None else float(lease_s)
    if not 0.0 < wanted <= MAX_LEASE_S:
        raise InputRefusedError(
            f"a lease lasts more than 0 and at most {MAX_LEASE_S:g} s, but got {wanted:g} s"
        )
    return wanted


def worker_of(row: Row) -> WorkerRow:
    """Return a worker from its row."""
    simulated: Mapping[str, Any] | None = json.loads(row[3]) if row[3] else None
    return WorkerRow(
        worker=row[0],
        lab=row[1],
        station=row[2],
        simulated=simulated,
        version=row[4],
        safe_within=float(row[5]),
        details=json.loads(row[6]),
        state=row[7],
        registered_at=row[8],
        seen_ago=float(row[9]),
    )
