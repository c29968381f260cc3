"""What planners with a start-up design and models share: the stages of one step."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from botorch.utils.sampling import manual_seed

from agents.baselines import design, unavailable
from agents.bayes._goals import Goals, read_goals
from agents.bayes._model import Processes, columns, learn
from agents.bayes._representatives import representatives
from agents.bayes._threads import single_thread
from agents.bayes._warp import Warp
from agents.encoding import Array, Encoding
from agents.history import Observation, PastTrial
from agents.objective import Objective
from agents.options import OptionedAgent
from agents.protocol import Proposal
from agents.sampling import Key
from agents.space import Space, Value


@dataclass(frozen=True)
class Step:
    """What one proposal is made from.

    Attributes:
        space: Where.
        encoding: Of the space.
        goals: What is wanted.
        model: What the record taught.
        believed: The same with what is under way believed to give what is predicted.
        history: The record, with the proposals before this one of the same batch as pending.
        exclude: Recipes that must not come again.
        seed: Of this proposal.
    """

    space: Space
    encoding: Encoding
    goals: Goals
    model: Processes
    believed: Processes
    history: Sequence[PastTrial]
    exclude: set[Key]
    seed: int


@dataclass(frozen=True)
class Pick:
    """A feasible recipe, its model columns (D,), and why it was taken."""

    recipe: dict[str, Value]
    columns: Array
    policy: str
    value: float
    details: dict[str, Any]


class ModelledAgent(OptionedAgent):
    """A design of `initial` trials, then one pick at a time from models of the observables.

    Needs the options `initial` and `design_seed`.
    """

    def propose(
        self,
        space: Space,
        objectives: Sequence[Objective],
        history: Sequence[PastTrial],
        n: int,
        seed: int,
    ) -> list[Proposal]:
        """Return `n` proposals, each believing those before it and every pending trial.

        Raises:
            ProposalError: no feasible recipe is left, or the objectives are malformed.
        """
        goals = read_goals(objectives)
        start = self._start(space, goals, history)
        wanted = self._design_left(goals, history[start:], n)
        given = design if space.candidates is None else representatives
        made = given(space, history, wanted, int(self._values["design_seed"]))
        if len(made) == n:
            return made
        with single_thread(), manual_seed(seed):
            encoding = Encoding(space)
            model = learn(encoding, history[start:], goals.observables, goals.later)
            while len(made) < n:
                step = _step(encoding, goals, model, history, made, seed)
                made.append(_proposal(step, self._pick(step)))
        return made

    def _start(self, space: Space, goals: Goals, history: Sequence[PastTrial]) -> int:
        """Return the index of the first trial that counts; earlier ones are only not repeated."""
        return 0

    @abstractmethod
    def _pick(self, step: Step) -> Pick:
        """Return the next recipe.

        Raises:
            ProposalError: none is left.
        """

    def _design_left(self, goals: Goals, history: Sequence[PastTrial], n: int) -> int:
        """Return how many of `n` proposals the design still provides."""
        counted = [t for t in history if t.state != "abandoned"]
        completed = [t for t in counted if t.state == "completed"]
        learnable = any(sum(o in t.observables for t in completed) >= 2 for o in goals.observables)
        if not learnable:
            return n
        return min(n, max(0, int(self._values["initial"]) - len(counted)))


def _step(
    encoding: Encoding,
    goals: Goals,
    model: Processes,
    history: Sequence[PastTrial],
    before: Sequence[Proposal],
    seed: int,
) -> Step:
    record = [*history, *(PastTrial(0, "pending", p.recipe) for p in before)]
    waiting = [t for t in record if t.state in ("pending", "in_doubt")]
    believed = model.believing(torch.as_tensor(columns(encoding, waiting), dtype=torch.float64))
    exclude = unavailable(encoding.space, record)
    return Step(
        encoding.space, encoding, goals, model, believed, record, exclude, seed + len(before)
    )


def _proposal(step: Step, pick: Pick) -> Proposal:
    """Return the proposal of a pick with what a measurement of it should give."""
    point = torch.as_tensor(pick.columns[None, :], dtype=torch.float64)
    predicted = {}
    for name in step.goals.observables:
        if name in step.model.processes:
            process = step.model.processes[name]
            mean, variance = (float(v[0]) for v in process.predict(point))
            noisy = variance + process.noise_variance
            predicted[name] = Observation(*Warp(process.log).moments(mean, noisy))
    return Proposal(pick.recipe, pick.policy, predicted, pick.value, pick.details)


def measured(goals: Goals, trial: PastTrial) -> dict[str, float]:
    """Return a completed trial's values of the goals' observables."""
    if trial.state != "completed":
        return {}
    names = [n for n in goals.observables if n in trial.observables]
    return {
        n: trial.observables[n].value for n in names if np.isfinite(trial.observables[n].value)
    }
