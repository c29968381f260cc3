"""Routes of trials: what was tried, why, and what came of it."""

from __future__ import annotations

import base64
import math
from typing import Annotated, Any

import numpy as np
from fastapi import Query, Request, Response
from numpy.typing import NDArray

from orchestrator.api._models import AttachRequest, NoteRequest, RecipeRequest, ResolveRequest
from orchestrator.api._problems import RequestError
from orchestrator.api._service import (
    At,
    Campaign,
    Limit,
    Next,
    Number,
    Service,
    Who,
    answer,
    cursor,
    hash_of_key,
    not_modified,
    read_cursor,
    wanted_version,
)
from orchestrator.decisions import (
    Attachment,
    MovedOnError,
    add_trial,
    approve_trials,
    attach_measurement,
    edit_trial,
    resolve_doubt,
    veto_trial,
)
from orchestrator.documents import (
    attachments,
    parameter_units,
    recipe_document,
    trial_document,
    trials_document,
)
from orchestrator.errors import InputRefusedError
from orchestrator.ledger import CampaignRow, TrialRow, trial_page


def tag_of(document: dict[str, Any], trial: TrialRow) -> str:
    """Return the version of a trial: its latest event, and how much came too late."""
    late = len(document["late_results"])
    return f"{trial.last_seq}-{late}" if late else str(trial.last_seq)


def _answer(at: Service, row: CampaignRow, number: int, status: int = 200) -> Response:
    trial = at.ledger.trial(row.id, number)
    document = shown(at, row, trial)
    location = f"/v1/campaigns/{row.id}/trials/{number}" if status == 201 else None
    return answer(document, status, tag_of(document, trial), location)


def shown(at: Service, row: CampaignRow, trial: TrialRow) -> dict[str, Any]:
    """Return the document of a trial, with its leases and what came too late for them."""
    leases = at.fleet.leases(campaign=row.id) if row.dispatch == "fleet" else []
    own = [x for x in leases if trial.number in {m.trial for m in x.members}]
    late = at.fleet.late_results(row.id, trial.number) if own else []
    attached = attachments(at.ledger, row.id, trial.number)
    return trial_document(trial, parameter_units(row), attached) | {
        "lab": trial.lab,
        "worker": trial.worker,
        "leases": [x.document() for x in own],
        "late_results": [x.document() for x in late],
    }


def list_trials(at: At, c: Campaign, limit: Limit = 100, next: Next = None) -> Response:
    """List the trials of a campaign by number."""
    row = at.ledger.campaign(c)
    key = read_cursor(next, int)
    found = trial_page(at.ledger, row.id, key[0] if key else 0, limit + 1)
    page = found[:limit]
    following = cursor(page[-1].number) if len(found) > limit else None
    attached = attachments(at.ledger, row.id)
    return answer(trials_document(row, page, attached) | {"next": following})


def show_trial(request: Request, at: At, c: Campaign, n: Number) -> Response:
    """Show a trial; its `ETag` goes into the If-Match of an edit."""
    row = at.ledger.campaign(c)
    trial = at.ledger.trial(row.id, n)
    document = shown(at, row, trial)
    tag = tag_of(document, trial)
    leased = any(x["state"] == "leased" for x in document["leases"])  # these change all the time
    known = None if leased else not_modified(request, tag)
    return known or answer(document, etag=tag)


def add(request: Request, at: At, who: Who, c: Campaign, body: RecipeRequest) -> Response:
    """Add a recipe of one's own."""
    row = at.ledger.campaign(c)
    made = add_trial(
        at.ledger,
        row.id,
        body.recipe,
        body.note,
        actor=who.actor,
        request=hash_of_key(request, who.actor),
    )
    return _answer(at, row, made, 201)


def edit(
    request: Request, at: At, who: Who, c: Campaign, n: Number, body: RecipeRequest
) -> Response:
    """Change a proposed recipe; `If-Match` says which version of it."""
    row = at.ledger.campaign(c)
    version, trial = wanted_version(request), at.ledger.trial(row.id, n)
    present, seen = tag_of(shown(at, row, trial), trial), trial.last_seq
    if version != present:
        raise RequestError(412, f"trial {n} is at version {present}, not {version!r}")
    try:
        edit_trial(at.ledger, row.id, n, body.recipe, body.note, actor=who.actor, seen=seen)
    except MovedOnError as error:
        raise RequestError(412, str(error)) from error
    return _answer(at, row, n)


def approve(at: At, who: Who, c: Campaign, n: Number, body: NoteRequest | None = None) -> Response:
    """Approve a proposed trial."""
    row = at.ledger.campaign(c)
    approve_trials(at.ledger, row.id, [n], body.note if body else "", actor=who.actor)
    return _answer(at, row, n)


def veto(at: At, who: Who, c: Campaign, n: Number, body: NoteRequest | None = None) -> Response:
    """Abandon a trial that nobody took up yet."""
    row = at.ledger.campaign(c)
    veto_trial(at.ledger, row.id, n, body.note if body else "", actor=who.actor)
    return _answer(at, row, n)


def resolve(at: At, who: Who, c: Campaign, n: Number, body: ResolveRequest) -> Response:
    """End the doubt about a trial."""
    row = at.ledger.campaign(c)
    resolve_doubt(
        at.ledger,
        row.id,
        n,
        body.decision,
        body.note,
        body.evidence,
        late_result=body.late_result,
        actor=who.actor,
    )
    return _answer(at, row, n)


def attach(
    request: Request, at: At, who: Who, c: Campaign, n: Number, body: AttachRequest
) -> Response:
    """Attach a later measurement to a trial, with its file."""
    row = at.ledger.campaign(c)
    given = Attachment(
        observables=tuple(body.observables),
        file=body.file.name,
        data=_bytes(body.file.base64),
        note=body.note,
        stated=None if body.stated is None else body.stated.model_dump(exclude_none=True),
        technique=body.technique,
        measured_at=body.measured_at,
        sample=body.sample,
        correct=body.correct,
    )
    key = hash_of_key(request, who.actor)
    attach_measurement(at.ledger, row.id, n, given, actor=who.actor, request=key)
    return _answer(at, row, n, 201)


def _bytes(text: str) -> bytes:
    """Return the bytes of base64.

    Raises:
        InputRefusedError: it is none.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise InputRefusedError(f"file.base64: must be base64: {error}") from error


def show_proposal(at: At, c: Campaign, n: Number) -> Response:
    """Show who made a recipe, and why."""
    row = at.ledger.campaign(c)
    trial = at.ledger.trial(row.id, n)
    by = "agent" if trial.agent else "person" if "note" in trial.origin else "record"
    return answer(
        {
            "trial": n,
            "step": trial.step,
            "by": by,
            "recipe": recipe_document(trial.recipe, parameter_units(row)),
            "agent": trial.agent,
            "seed": trial.proposal_seed,
            "history_hash": trial.history_hash,
            "policy": trial.policy,
            "policy_value": trial.policy_value,
            "predicted": trial.predicted,
            "details": trial.details,
            "origin": trial.origin,
        }
    )


def show_spectra(
    at: At,
    c: Campaign,
    n: Number,
    attempt: Annotated[int | None, Query(ge=1, lt=2**31, description="The present one.")] = None,
) -> Response:
    """Give the raw spectra of an attempt; what an instrument did not read is null."""
    row = at.ledger.campaign(c)
    number = at.ledger.trial(row.id, n).attempt if attempt is None else attempt
    found = [
        {
            "name": s.name,
            "axis": plain(s.axis),
            "values": plain(s.values),
            "axis_unit": s.axis_unit,
            "unit": s.unit,
            "settings": s.settings,
        }
        for s in at.ledger.spectra(row.id, n, number)
    ]
    return answer({"trial": n, "attempt": number, "spectra": found})


def plain(values: NDArray[Any]) -> list[Any]:
    """Return an array as JSON has it, with null for what is not finite."""
    listed: list[Any] = values.tolist()
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return _with_holes(listed)
    return listed


def _with_holes(values: list[Any]) -> list[Any]:
    return [
        _with_holes(v) if isinstance(v, list) else v if math.isfinite(v) else None for v in values
    ]
