"""One trial: what was expected, what came, its neighbours and limits, and what it taught."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

from agents import PastTrial, history_hash
from agents.explain import (
    Predictions,
    Surrogate,
    active_limits,
    mean_variance,
    nearest_trials,
    space_sample,
)
from orchestrator.errors import NotFoundError, RecordError
from orchestrator.events import StepProposed
from orchestrator.explain._subject import Subject, recipe_document, wanted_document
from orchestrator.ledger import TrialRow, fold
from orchestrator.loop import history, step_seed
from orchestrator.replay._verification import relative

NEAREST = 5
TOLERANCE = 1e-6  # relative, as of `replay verify`


@dataclass(frozen=True)
class Basis:
    """What was known when a trial was chosen.

    Attributes:
        past: The history then.
        mates: Recipes of the same step that were chosen before it, as pending trials.
        event: Number of the event that proposed it; None of a trial that no agent proposed here.
        seed: Of the step.
    """

    past: Sequence[PastTrial]
    mates: Sequence[PastTrial]
    event: int | None
    seed: int


def trial_document(subject: Subject, number: int) -> dict[str, Any]:
    """Explain a trial.

    Raises:
        NotFoundError: no such trial.
        RecordError: its proposal saw another history than is on record.
    """
    record = subject.record
    row = next((t for t in record.trials if t.number == number), None)
    if row is None:
        last = max((t.number for t in record.trials), default=0)
        raise NotFoundError(f"--trial must be a trial from 1 to {last}, but got {number}")
    basis = _basis(subject, row)
    names = list(dict.fromkeys([*record.observables, *row.predicted]))
    surrogate = subject.surrogate(basis.past, names, basis.seed)
    observables = {n: _observable(subject, row, surrogate, n) for n in names}
    return {
        "campaign": record.row.id,
        "name": record.row.name,
        "trial": number,
        "state": row.state,
        "recipe": recipe_document(record, row.recipe),
        "model": subject.model_document(),
        "basis": _basis_document(basis, row),
        "policy": {"name": row.policy, "value": row.policy_value, "details": row.details},
        "observables": observables,
        "nearest": _nearest(subject, surrogate, row, basis),
        "limits": [asdict(limit) for limit in active_limits(subject.space, row.recipe)],
        "learning": _learning(subject, surrogate, row, basis),
        "warnings": [*subject.warnings, *_warnings(row, observables, basis)],
    }


def _basis(subject: Subject, row: TrialRow) -> Basis:
    events = subject.record.events
    seed = subject.record.campaign.seed
    for index, (event, payload) in enumerate(events):
        if not isinstance(payload, StepProposed):
            continue
        if all(p.trial != row.number for p in payload.proposals):
            continue
        past = history(fold([e for e, _ in events[:index]]).trials)
        if (found := history_hash(past)) != payload.history_hash:
            raise RecordError(
                f"an explanation needs the history that was seen, but event {event.seq} says that "
                f"it saw {payload.history_hash[:12]} and the record before it is {found[:12]}; "
                f"see `dotpilot replay verify {subject.record.row.id}`"
            )
        mates = [
            PastTrial(p.trial, "pending", dict(p.recipe))
            for p in payload.proposals
            if p.trial < row.number
        ]
        return Basis(past, mates, event.seq, step_seed(seed, payload.step))
    earlier = [t for t in subject.past if t.number < row.number]
    return Basis(earlier, [], None, step_seed(seed, row.step))


def _basis_document(basis: Basis, row: TrialRow) -> dict[str, Any]:
    return {
        "event": basis.event,
        "trials": len(basis.past),
        "completed": sum(t.state == "completed" for t in basis.past),
        "history_hash": row.history_hash,
        "origin": row.origin or None,
    }


def _observable(
    subject: Subject, row: TrialRow, surrogate: Surrogate, name: str
) -> dict[str, Any]:
    recorded = row.predicted.get(name)
    refitted = None
    if name in surrogate:
        encoding = subject.encoding
        columns = encoding.columns(encoding.rows([row.recipe]))
        refitted = surrogate[name].predict(columns, measured=True)
    came = row.observables.get(name) if row.state == "completed" else None
    return {
        "unit": subject.record.unit(name),
        "wanted": wanted_document(subject.record, name),
        "predicted": None if recorded is None else _recorded(recorded["mean"], recorded["sd"]),
        "refitted": None if refitted is None else _predicted(refitted),
        "measured": None if came is None else {"value": came.value, "se": came.se},
        "standardised_error": None
        if came is None or recorded is None
        else _error(came.value - recorded["mean"], math.hypot(recorded["sd"], came.se or 0.0)),
    }


def _error(difference: float, spread: float) -> float | None:
    return difference / spread if spread > 0.0 else None


def _recorded(mean: float, sd: float) -> dict[str, Any]:
    """Return a recorded prediction; the record holds two moments, read as a normal's."""
    half = {level: NormalDist().inv_cdf(0.5 + level / 2.0) * sd for level in (0.68, 0.95)}
    return {
        "mean": mean,
        "sd": sd,
        "interval_68": [mean - half[0.68], mean + half[0.68]],
        "interval_95": [mean - half[0.95], mean + half[0.95]],
    }


def _predicted(found: Predictions) -> dict[str, Any]:
    return {
        "mean": float(found.mean[0]),
        "sd": float(found.sd[0]),
        "interval_68": [float(end[0]) for end in found.interval(0.68)],
        "interval_95": [float(end[0]) for end in found.interval(0.95)],
    }


def _nearest(
    subject: Subject, surrogate: Surrogate, row: TrialRow, basis: Basis
) -> list[dict[str, Any]]:
    record = subject.record
    found = nearest_trials(subject.encoding, surrogate, row.recipe, basis.past, NEAREST)
    by_number = {t.number: t for t in basis.past}
    return [
        {
            "trial": n.trial,
            "distance": n.distance,
            "alike": dict(n.alike),
            "state": by_number[n.trial].state,
            "recipe": recipe_document(record, by_number[n.trial].recipe),
            "observables": {
                name: {"value": o.value, "unit": record.unit(name), "se": o.se}
                for name, o in by_number[n.trial].observables.items()
                if name in record.observables
            },
        }
        for n in found
    ]


def _learning(
    subject: Subject, surrogate: Surrogate, row: TrialRow, basis: Basis
) -> dict[str, Any]:
    """Return the share of each model's variance that one measurement of the recipe removes.

    What was under way is taken as measured first, so that a plate's recipes share no credit.
    """
    encoding = subject.encoding
    sample = space_sample(encoding)
    waiting = [t for t in [*basis.past, *basis.mates] if t.state in ("pending", "in_doubt")]
    before = encoding.columns(encoding.rows([t.recipe for t in waiting]))
    here = encoding.columns(encoding.rows([row.recipe]))
    removed = {}
    for name, model in surrogate.items():
        known = model.after_measuring(before)
        first, then = (mean_variance(m, sample) for m in (known, known.after_measuring(here)))
        removed[name] = None if not first or then is None else 1.0 - then / first
    return {"averaged_over": len(sample), "variance_removed": removed}


def _warnings(row: TrialRow, observables: dict[str, Any], basis: Basis) -> list[str]:
    found = []
    if basis.event is None:
        whence = "was imported or copied from another campaign"
        found.append(f"trial {row.number} {whence}, so what came before it is its earlier trials")
    for name, entry in observables.items():
        old, new = entry["predicted"], entry["refitted"]
        if old is None or new is None:
            continue
        apart = max(relative(old[k], new[k]) for k in ("mean", "sd"))
        if apart > TOLERANCE:
            found.append(
                f"{name}: the model fitted again predicts otherwise by {apart:.2g} (relative); "
                f"it was recorded by {_versions(row)}"
            )
    return found


def _versions(row: TrialRow) -> str:
    agent = row.agent or {}
    libraries = ", ".join(f"{k} {v}" for k, v in sorted(agent.get("libraries", {}).items()))
    return f"{agent.get('name')} {agent.get('version')} ({libraries or 'no libraries named'})"
