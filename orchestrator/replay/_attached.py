"""Every attached value again, from its file of evidence or the number that a person stated."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from orchestrator.campaign import attachable, attached_values
from orchestrator.events import Event, TrialObserved
from orchestrator.ledger import FoldedCampaign, Ledger, refuse_unreachable
from orchestrator.replay._verification import Verification, relative


def check_attached(
    ledger: Ledger, events: Sequence[Event], folded: FoldedCampaign, result: Verification
) -> None:
    """Check the later measurements of a whole chain.

    Raises:
        StorageError: the database cannot be reached, which says nothing about the record.
    """
    for event in events:
        if event.type != TrialObserved.TYPE:
            continue
        payload = event.read()
        if not isinstance(payload, TrialObserved):
            continue
        try:
            _check(ledger, event.seq, payload, folded, result)
        except Exception as error:  # a damaged attachment must become a finding
            refuse_unreachable(error)
            what = f"attached values cannot be derived: {type(error).__name__}: {error}"
            result.find(_where(payload), what, event.seq)


def _check(
    ledger: Ledger, seq: int, payload: TrialObserved, folded: FoldedCampaign, result: Verification
) -> None:
    where, row = _where(payload), folded.campaign
    data = ledger.array(payload.evidence.array_sha256).tobytes()
    said = payload.evidence.sha256, payload.evidence.size
    if (hashlib.sha256(data).hexdigest(), len(data)) != said:
        what = f"file {payload.evidence.name} has other bytes than the SHA-256 and size recorded"
        result.find(where, what, seq)
    measured = {o["name"] for o in row.station_description["observables"]}
    if measured & set(payload.observables) != set(payload.corrects):
        what = "replaces what the station measured, but does not say which: corrects differs"
        result.find(where, what, seq)
    known = attachable(row.station_description, row.resolved)
    again, read = attached_values(
        [known[name] for name in payload.observables], data, payload.technique, payload.stated
    )
    if read != payload.read:
        result.find(where, f"is recorded as read from {payload.read}, but follows as {read}", seq)
    for name, old in payload.observables.items():
        new = again[name]
        result.observables_checked += 1
        apart = max(relative(old.value, new.value), relative(old.se or 0.0, new.se or 0.0))
        result.max_difference = max(result.max_difference, apart)
        if old == new:
            result.observables_ok += 1
        else:
            result.find(where, f"{name} is recorded as {old}, but follows as {new}", seq)


def _where(payload: TrialObserved) -> str:
    return f"trial {payload.trial} attempt {payload.attempt} attached"
