"""From read tables to what an agent may know, and seeds that depend on the record alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from agents import Observation, PastTrial
from agents.history import TrialState as AgentState
from orchestrator.campaign import Outcome
from orchestrator.ledger import TrialRow

_STATES: dict[str, AgentState] = {
    "completed": "completed",
    "failed": "failed",
    "rejected": "rejected",
    "abandoned": "abandoned",
    "in_doubt": "in_doubt",
}


def history(rows: Iterable[TrialRow]) -> tuple[PastTrial, ...]:
    """Return the history that the agent sees, in the order of trial numbers.

    A completed trial carries its observables; no other does. A standard error that nobody
    stated counts as zero: the agent infers the noise. Trials say which lab made them once
    several labs have taken part, so that one lab's record is the same wherever it was run.
    """
    ordered = sorted(rows, key=lambda r: r.number)
    several = len({r.lab for r in ordered if r.lab}) > 1
    return tuple(_past(row, several) for row in ordered)


def _past(row: TrialRow, several_labs: bool) -> PastTrial:
    state = _STATES.get(row.state, "pending")
    seen = observations(row) if state == "completed" else {}
    achieved = dict(row.achieved) if state in ("completed", "rejected", "failed") else {}
    known = {name: value for name, value in achieved.items() if name in row.recipe}
    context = {"lab": row.lab} if several_labs and row.lab else {}
    return PastTrial(row.number, state, dict(row.recipe), known, seen, context)


def observations(row: TrialRow) -> dict[str, Observation]:
    """Return a trial's observables as plain values with standard errors."""
    return {n: Observation(o.value, o.se or 0.0) for n, o in sorted(row.observables.items())}


def outcomes(rows: Sequence[TrialRow]) -> list[Outcome]:
    """Return the completed trials as the stop rules see them."""
    return [Outcome(r.number, observations(r)) for r in rows if r.state == "completed"]


def step_seed(campaign_seed: int, step: int) -> int:
    """Derive the seed of a step from (campaign seed, step), as a number below 2**31."""
    words = np.random.SeedSequence([campaign_seed, step]).generate_state(1)
    return int(words[0]) >> 1
