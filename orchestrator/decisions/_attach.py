"""Later measurements: values that a person attaches to a trial, with the file they rest on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

import numpy as np

from orchestrator.access import KEPT
from orchestrator.campaign import (
    LARGEST_EVIDENCE,
    attachable,
    attached_values,
)
from orchestrator.decisions._permission import ACTOR
from orchestrator.errors import ConflictError, InputRefusedError, SupersededError, TransitionError
from orchestrator.events import EvidenceRecord, TrialObserved
from orchestrator.ledger import CampaignRow, Ledger, TrialRow, array_digest
from orchestrator.trial import ATTACHABLE

MIB = 2**20
LONGEST_NAME = 200
# The loop and others may write at the same moment; each refusal means that one of them did.
_TRIES = 20


@dataclass(frozen=True)
class Attachment:
    """What is attached to a trial.

    Attributes:
        observables: Names; several where one file gives several values.
        file: Name of the file of evidence, for people.
        data: Its bytes.
        note: Why, or what is to be known of it.
        stated: `{value, unit, se}` of the one observable; None where the file is read.
        technique: How it was measured; the campaign file's own word where it is empty.
        measured_at: When, ISO 8601 with its offset from UTC.
        sample: Which sample, as the label on it says.
        correct: Values of the station itself are replaced.
    """

    observables: tuple[str, ...]
    file: str
    data: bytes
    note: str
    stated: Mapping[str, Any] | None = None
    technique: str = ""
    measured_at: str | None = None
    sample: str = ""
    correct: bool = False


def attach_measurement(
    ledger: Ledger,
    campaign: str,
    number: int,
    given: Attachment,
    *,
    actor: str = ACTOR,
    request: str | None = None,
) -> None:
    """Record a later measurement of a trial; the agent sees it from its next proposal on.

    It may be recorded beside whichever process runs the campaign, in every state of it. What is
    recorded already, by this request or as the latest of its kind, is not recorded again.

    Args:
        ledger: The record.
        campaign: Which campaign.
        number: Which trial; it is completed, rejected or failed.
        given: The values and their evidence.
        actor: Who.
        request: Hash of the caller's key.

    Raises:
        InputRefusedError: every mistake of what is given, or a file that cannot be read.
        TransitionError: a trial of which nothing was made, or nobody knows.
        NotFoundError: no such campaign or trial.
        ConflictError: the campaign changes too often at the moment.
    """
    row = ledger.campaign(campaign)
    measured = {str(o["name"]) for o in row.station_description["observables"]}
    problems = _mistakes(row, given, measured)
    if problems:
        raise InputRefusedError(problems)
    data = np.frombuffer(given.data, dtype=np.uint8)
    for _ in range(_TRIES):
        count = ledger.event_count(row.id)
        event = _event(row, ledger.trial(row.id, number), given, measured, request)
        if _is_recorded(ledger, row, event):
            return
        try:
            ledger.append(row.id, event, actor=actor, arrays=(data,), after=count)
        except SupersededError:
            continue
        return
    raise ConflictError(f"campaign {row.id} changes too often at the moment; try again")


def _mistakes(row: CampaignRow, given: Attachment, measured: set[str]) -> list[str]:
    known = attachable(row.station_description, row.resolved)
    words = {
        "note": given.note,
        "sample": given.sample,
        "technique": given.technique,
        "file": given.file,
    }
    for key, text in words.items():
        if not all(c.isprintable() or c in "\n\t" for c in text):
            return [f"{key}: must be printable text, but is {text!r}; type it again"]
    problems = [
        f"observable: {row.id} has no {name!r}; it has {', '.join(sorted(known))}. What the "
        "station does not measure is declared in the campaign file, under observables"
        for name in given.observables
        if name not in known
    ]
    if len(set(given.observables)) != len(given.observables) or not given.observables:
        problems.append("observable: must be named, and once each")
    if given.stated is not None and len(given.observables) > 1:
        problems.append("value: is of one observable, but several are named; attach them in turn")
    if not given.note.strip():
        problems.append("note: must say why, but is empty")
    own = [n for n in given.observables if n in measured]
    if own and not given.correct:
        problems.append(
            f"observable: {', '.join(own)} was measured by the station; say --correct to replace "
            "its value, or declare an observable of another name to keep both"
        )
    if given.correct and not own:
        problems.append(
            "correct: belongs to what the station measured; of others the newest value holds "
            "anyway, so leave it out"
        )
    return problems + _file_mistakes(given)


def _file_mistakes(given: Attachment) -> list[str]:
    problems = []
    if not 0 < len(given.data) <= LARGEST_EVIDENCE:
        problems.append(
            f"file: must hold 1 byte to {LARGEST_EVIDENCE // MIB} MiB, but holds "
            f"{len(given.data)} bytes; attach a part, an image or a table of it"
        )
    name = PurePath(given.file).name
    if not (0 < len(name) <= LONGEST_NAME and name.isprintable()):
        problems.append(f"file: must have a printable name of at most {LONGEST_NAME} characters")
    try:
        _utc(given.measured_at)
    except (ValueError, OverflowError) as error:
        problems.append(
            f"measured_at: must be ISO 8601 with its offset, such as 2026-11-25T09:30:00+01:00, "
            f"but is {given.measured_at!r}: {error}"
        )
    return problems


def _utc(text: str | None) -> str | None:
    """Return a time in UTC; None stays so.

    Raises:
        ValueError: no time, or one without its offset.
    """
    if text is None:
        return None
    read = datetime.fromisoformat(text)
    if read.tzinfo is None:
        raise ValueError("it has no offset")
    return read.astimezone(UTC).isoformat()


def _event(
    row: CampaignRow, trial: TrialRow, given: Attachment, measured: set[str], request: str | None
) -> TrialObserved:
    if trial.state not in ATTACHABLE:
        raise TransitionError(
            f"a later measurement belongs to a trial that is {', '.join(sorted(ATTACHABLE))}, but "
            f"trial {trial.number} is {trial.state}"
        )
    known = attachable(row.station_description, row.resolved)
    chosen = [known[name] for name in given.observables]
    technique = given.technique.strip() or next((o.method for o in chosen if o.method), "")
    stated = None if given.stated is None else dict(given.stated)
    values, read = attached_values(chosen, given.data, technique, stated)
    digest = hashlib.sha256(given.data).hexdigest()
    return TrialObserved(
        trial=trial.number,
        attempt=trial.attempt,
        observables=values,
        technique=technique,
        stated=stated,
        read=read,
        evidence=EvidenceRecord(
            name=PurePath(given.file).name,
            size=len(given.data),
            sha256=digest,
            array_sha256=array_digest(np.frombuffer(given.data, dtype=np.uint8)),
        ),
        corrects=tuple(sorted(measured & set(given.observables))),
        measured_at=_utc(given.measured_at),
        sample=given.sample,
        note=given.note,
        request=request,
    )


def _is_recorded(ledger: Ledger, row: CampaignRow, event: TrialObserved) -> bool:
    """Whether a request was carried out already, or its values hold with the same evidence.

    Raises:
        InputRefusedError: the request's key stands for another attachment.
    """
    latest: dict[str, TrialObserved] = {}
    for found in ledger.events_of(row.id, (TrialObserved.TYPE,), event.trial):
        known = found.read()
        if not isinstance(known, TrialObserved) or known.trial != event.trial:
            continue
        latest |= dict.fromkeys(known.observables, known)
        kept = ledger.time() - datetime.fromisoformat(found.at) <= KEPT
        if kept and event.request is not None and known.request == event.request:
            if _content(known) != _content(event):
                raise InputRefusedError(
                    f"a key stands for one request, but attached something else to trial "
                    f"{event.trial}; take a new key"
                )
            return True
    present = [latest.get(name) for name in event.observables]
    return all(p is not None and _content(p) == _content(event) for p in present)


def _content(event: TrialObserved) -> dict[str, Any]:
    """Return what an attachment says, whoever asked for it."""
    return event.model_dump(exclude={"request", "origin"})


__all__ = ["Attachment", "attach_measurement"]
