"""Routes of trials: what was tried, why, and what came of it."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
from fastapi import Query, Request, Response
from numpy.typing import NDArray

from orchestrator.api._service import (
    At,
    Campaign,
    Limit,
    Next,
    Number,
    Service,
    answer,
    cursor,
    not_modified,
    read_cursor,
)
from orchestrator.documents import (
    parameter_units,
    recipe_document,
    trial_document,
    trials_document,
)
from orchestrator.ledger import CampaignRow, TrialRow, trial_page


def tag_of(trial: TrialRow) -> str:
    """Return the version of a trial: its latest event."""
    return str(trial.last_seq)


def shown(at: Service, row: CampaignRow, number: int) -> dict[str, Any]:
    """Return the document of a trial."""
    trial = at.ledger.trial(row.id, number)
    return trial_document(trial, parameter_units(row))


def list_trials(at: At, c: Campaign, limit: Limit = 100, next: Next = None) -> Response:
    """List the trials of a campaign by number."""
    row = at.ledger.campaign(c)
    key = read_cursor(next, int)
    found = trial_page(at.ledger, row.id, key[0] if key else 0, limit + 1)
    page = found[:limit]
    following = cursor(page[-1].number) if len(found) > limit else None
    return answer(trials_document(row, page) | {"next": following})


def show_trial(request: Request, at: At, c: Campaign, n: Number) -> Response:
    """Show a trial; its `ETag` goes into the If-Match of an edit."""
    row = at.ledger.campaign(c)
    tag = tag_of(at.ledger.trial(row.id, n))
    return not_modified(request, tag) or answer(shown(at, row, n), etag=tag)


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
