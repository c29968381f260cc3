"""Would this agent have found the good recipes of a measured campaign sooner than chance?

The agent may choose only among measured points: a choice that nobody measured has no outcome.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agents import Objective, PastTrial, create_agent
from agents.errors import AgentError
from orchestrator.campaign import Number, UnitError, attachable, convert, convert_width
from orchestrator.errors import InputRefusedError
from orchestrator.executor import open_executor
from orchestrator.ledger import CampaignRow, Ledger
from orchestrator.loop import history, recorded_campaign
from orchestrator.replay._pool_run import Pool, agent_picks, random_picks


class Within(BaseModel):
    """A recipe counts when its mean observable lies within `tolerance` of `value`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    observable: str
    value: Number
    tolerance: Number = Field(gt=0)
    unit: str = ""


class BestShare(BaseModel):
    """The best `share` of the recipes that count, by the mean of this observable."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    observable: str
    goal: Literal["minimise", "maximise"]
    share: Number = Field(gt=0, le=1)


class Goal(BaseModel):
    """The goal file: which measured recipes are to be found, and how agents are set up."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    description: str = ""
    within: list[Within] = []
    best: BestShare | None = None
    agent_options: dict[str, dict[str, Any]] = {}

    @model_validator(mode="after")
    def _something(self) -> Goal:
        if not self.within and self.best is None:
            raise ValueError("a goal needs within, best or both")
        return self


def read_goal(document: Mapping[str, Any]) -> Goal:
    """Check a goal document.

    Raises:
        InputRefusedError: `problems` names every mistake.
    """
    try:
        return Goal.model_validate(document)
    except ValidationError as error:
        raise InputRefusedError(
            [
                f"goal {'.'.join(str(p) for p in e['loc'])}: {e['msg']}"
                for e in error.errors(include_url=False)
            ]
        ) from error


def make_pool(row: CampaignRow, past: Sequence[PastTrial], goal: Goal) -> Pool:
    """Build the pool and its goal set.

    Raises:
        InputRefusedError: an observable that the campaign lacks, or an empty goal set.
    """
    known = attachable(row.station_description, row.resolved)
    declared = {name: o.document() for name, o in known.items()}
    names = [w.observable for w in goal.within] + ([goal.best.observable] if goal.best else [])
    unknown = [n for n in names if n not in declared]
    if unknown:
        raise InputRefusedError(
            f"goal: the campaign has no observable {', '.join(unknown)}; it has "
            f"{', '.join(sorted(declared))}"
        )
    groups: dict[tuple[Any, ...], list[PastTrial]] = {}
    for trial in past:
        if trial.state == "completed":
            groups.setdefault(tuple(sorted(trial.recipe.items())), []).append(trial)
    replicates = tuple(tuple(g) for g in groups.values())
    objectives = _objectives(goal, declared)
    chosen = _goal_set(replicates, objectives, goal)
    space = recorded_campaign(row).space
    return Pool(space, objectives, tuple(g[0].recipe for g in replicates), replicates, chosen)


def _objectives(goal: Goal, declared: Mapping[str, Mapping[str, Any]]) -> tuple[Objective, ...]:
    found = []
    try:
        for w in goal.within:
            unit, spectral = (
                declared[w.observable]["unit"],
                bool(declared[w.observable]["spectral"]),
            )
            value = convert(w.value, w.unit, unit, spectral=spectral)
            width = convert_width(w.tolerance, w.value, w.unit, unit, spectral=spectral)
            found.append(Objective(w.observable, "target", value, width, unit=unit))
    except UnitError as error:
        raise InputRefusedError(f"goal: {error}") from error
    if goal.best is not None:
        name = goal.best.observable
        found.append(Objective(name, goal.best.goal, unit=declared[name]["unit"]))
    return tuple(found)


def _mean(trials: Sequence[PastTrial], name: str) -> float | None:
    seen = [t.observables[name] for t in trials if name in t.observables]
    return float(np.mean([o.value for o in seen])) if seen else None


def _goal_set(
    replicates: Sequence[Sequence[PastTrial]], objectives: Sequence[Objective], goal: Goal
) -> frozenset[int]:
    inside = []
    for index, trials in enumerate(replicates):
        for objective in objectives:
            mean = _mean(trials, objective.observable)
            low, high = objective.bounds()
            if (
                mean is None
                or (low is not None and mean < low)
                or (high is not None and mean > high)
            ):
                break
        else:
            inside.append(index)
    if goal.best is not None:
        name, sign = goal.best.observable, 1.0 if goal.best.goal == "minimise" else -1.0
        inside.sort(key=lambda i: (sign * (_mean(replicates[i], name) or 0.0), i))
        inside = inside[: int(np.ceil(goal.best.share * len(inside)))]
    if not inside:
        raise InputRefusedError("goal: no measured recipe meets it; widen the tolerance")
    return frozenset(inside)


def replay_pool(
    ledger: Ledger,
    campaign: str,
    agent: str,
    document: Mapping[str, Any],
    seeds: int,
    *,
    jobs: int | None = None,
    ray: str | None = None,
) -> dict[str, Any]:
    """Replay a measured campaign with an agent over many seeds, beside random choice.

    Args:
        ledger: Holds the campaign.
        campaign: The measured one.
        agent: Chooses among its recipes.
        document: The goal file.
        seeds: How many runs.
        jobs: In how many processes; see `open_executor`.
        ray: On this Ray cluster instead.

    Raises:
        InputRefusedError: a bad goal, an unknown agent or option.
    """
    goal = read_goal(document)
    options = goal.agent_options.get(agent, {})
    try:
        create_agent(agent, options)
    except AgentError as error:
        raise InputRefusedError(f"--agent: {error}") from error
    row = ledger.campaign(campaign)
    past = history(ledger.trials(row.id))
    pool = make_pool(row, past, goal)
    chance = [random_picks(pool, seed) for seed in range(seeds)]
    if agent == "random":
        picks = chance
    else:
        each = [pool], [agent], [options]
        with open_executor(jobs, ray, tasks=seeds) as executor:
            picks = list(executor.map(agent_picks, *(c * seeds for c in each), range(seeds)))
    agents = {agent: summary(picks), "random": summary(chance)}
    return {
        "rows": len(past),
        "recipes": len(pool.recipes),
        "goal_size": len(pool.goal),
        "criterion": "all_found",
        "agents": agents,
        "ratio": agents[agent]["median"] / summary(chance)["median"],
    }


def summary(picks: Sequence[int]) -> dict[str, Any]:
    """Return the median with its 95 % bootstrap interval, and every seed's picks."""
    values = np.asarray(picks, dtype=float)
    draws = np.random.default_rng(0).choice(values, (2000, len(values)))
    low, high = np.quantile(np.median(draws, axis=1), [0.025, 0.975])
    return {
        "median": float(np.median(values)),
        "interval": [float(low), float(high)],
        "picks": [int(p) for p in picks],
    }


__all__ = ["Pool", "make_pool", "read_goal", "replay_pool", "summary"]
