"""The contract between the loop and a planner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from agents.history import Observation, PastTrial
from agents.objective import Objective
from agents.space import Recipe, Space


@dataclass(frozen=True, slots=True)
class Proposal:
    """One recipe and why it was chosen.

    Attributes:
        recipe: Inside the space; inactive parameters absent, fixed ones present.
        policy: What chose it, in words ("sobol", "log_ei", "log_ehvi", ...).
        predicted: Predicted mean and standard deviation per observable, where the agent has a
            model (the standard deviation sits in `Observation.se`).
        policy_value: The acquisition value, where there is one.
        details: Further reasons, JSON-able (phase, feasibility probability, hyperparameters).
    """

    recipe: Recipe
    policy: str
    predicted: Mapping[str, Observation] = field(default_factory=dict)
    policy_value: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


class Agent(Protocol):
    """A planner. Immutable after construction; equal configuration means equal proposals.

    `propose` is a pure function: no state is kept between calls, no global random generator is
    read or changed, no clock is consulted. It returns exactly `n` proposals, each inside the
    space (`space.violations(recipe) == []`), or raises `agents.errors.ProposalError`.
    """

    name: str
    version: str

    @property
    def configuration(self) -> dict[str, Any]:
        """Every option with its value, defaults included, JSON-able."""
        ...

    @property
    def libraries(self) -> dict[str, str]:
        """Versions of the libraries whose numbers a proposal depends on."""
        ...

    def propose(
        self,
        space: Space,
        objectives: Sequence[Objective],
        history: Sequence[PastTrial],
        n: int,
        seed: int,
    ) -> list[Proposal]:
        """Return `n` proposals for the next step."""
        ...
