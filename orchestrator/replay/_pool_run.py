"""One seed of a pool replay: pick recipes until the goal set is found. Runs in any process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from agents import Objective, PastTrial, Recipe, Space, create_agent
from orchestrator.loop import step_seed


@dataclass(frozen=True, slots=True)
class Pool:
    """A measured campaign as a set of distinct recipes.

    Attributes:
        space: Of the campaign, without candidates.
        objectives: What the agent is told to want.
        recipes: Distinct recipes.
        replicates: The measured trials of each recipe.
        goal: Indices of the recipes that are to be found.
    """

    space: Space
    objectives: tuple[Objective, ...]
    recipes: tuple[Recipe, ...]
    replicates: tuple[tuple[PastTrial, ...], ...]
    goal: frozenset[int]


def random_picks(pool: Pool, seed: int) -> int:
    """Count picks in random order until the whole goal set is found."""
    order = np.random.default_rng(seed).permutation(len(pool.recipes))
    positions = [i for i, recipe in enumerate(order, start=1) if int(recipe) in pool.goal]
    return positions[-1]


def agent_picks(pool: Pool, agent: str, options: dict[str, Any], seed: int) -> int:
    """Count distinct recipes that the agent picks until the whole goal set is found.

    The agent chooses among the recipes not picked yet and then sees their replicates.
    """
    planner = create_agent(agent, options)
    if "design_seed" in planner.configuration and "design_seed" not in options:
        planner = create_agent(agent, {**options, "design_seed": seed})
    remaining = list(range(len(pool.recipes)))
    past: list[PastTrial] = []
    wanted = set(pool.goal)
    picks = 0
    while wanted:
        picks += 1
        candidates = tuple(pool.recipes[i] for i in remaining)
        space = replace(pool.space, candidates=candidates)
        proposal = planner.propose(space, pool.objectives, past, 1, step_seed(seed, picks))[0]
        index = _index(pool, remaining, proposal.recipe)
        remaining.remove(index)
        wanted.discard(index)
        past += _numbered(pool.replicates[index], len(past))
    return picks


def _index(pool: Pool, remaining: Sequence[int], recipe: Recipe) -> int:
    for index in remaining:
        if dict(pool.recipes[index]) == dict(recipe):
            return index
    raise ValueError(
        f"the agent must pick one of the remaining recipes, but picked {dict(recipe)}"
    )


def _numbered(trials: Sequence[PastTrial], after: int) -> list[PastTrial]:
    return [replace(t, number=after + i) for i, t in enumerate(trials, start=1)]
