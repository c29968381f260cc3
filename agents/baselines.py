"""Agents without a model: what every planner has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from agents.history import PastTrial
from agents.objective import Objective
from agents.options import Option, OptionedAgent
from agents.protocol import Proposal
from agents.sampling import Key, recipe_key, sample_space, taken
from agents.space import Space

DESIGN_SEED = Option(
    "design_seed",
    0,
    "names the scrambled Sobol sequence; the loop fills in the campaign's seed",
    low=0,
)


class RandomAgent(OptionedAgent):
    """Uniform random recipes of the feasible space (of the candidates, where there are some)."""

    name = "random"
    version = "1"
    LIBRARIES = ("numpy",)

    def propose(
        self,
        space: Space,
        objectives: Sequence[Objective],
        history: Sequence[PastTrial],
        n: int,
        seed: int,
    ) -> list[Proposal]:
        """Return `n` recipes drawn by `seed` alone.

        Raises:
            ProposalError: no feasible recipe is left.
        """
        recipes = sample_space(
            space, n, seed, method="uniform", exclude=unavailable(space, history)
        )
        return [Proposal(r, "uniform") for r in recipes]


class SobolAgent(OptionedAgent):
    """Successive entries of one scrambled Sobol sequence.

    The sequence is fixed by `design_seed`; the position in it is the number of trials in the
    history, so that steps continue one another although every step has a seed of its own.
    """

    name = "sobol"
    version = "1"
    OPTIONS: ClassVar[tuple[Option, ...]] = (DESIGN_SEED,)

    def propose(
        self,
        space: Space,
        objectives: Sequence[Objective],
        history: Sequence[PastTrial],
        n: int,
        seed: int,
    ) -> list[Proposal]:
        """Return the next `n` entries of the sequence that are feasible and not pending.

        Raises:
            ProposalError: no feasible recipe is left.
        """
        design_seed = int(self._values["design_seed"])
        return design(space, history, n, design_seed)


def design(space: Space, history: Sequence[PastTrial], n: int, design_seed: int) -> list[Proposal]:
    """Return the next `n` proposals of the space-filling design that `design_seed` names."""
    recipes = sample_space(
        space, n, design_seed, skip=len(history), exclude=unavailable(space, history)
    )
    return [
        Proposal(r, "sobol", details={"phase": "design", "position": len(history) + i})
        for i, r in enumerate(recipes)
    ]


def unavailable(space: Space, history: Sequence[PastTrial]) -> set[Key]:
    """Return the recipes that must not come again: taken ones; any, among candidates."""
    if space.candidates is None:
        return taken(history)
    return {recipe_key(t.recipe) for t in history}
