"""The Bayesian planner: models of the record, an acquisition function, a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from botorch.utils.sampling import manual_seed

from agents.baselines import DESIGN_SEED, design, unavailable
from agents.bayes._explained import ExplainedProcess
from agents.bayes._goals import Goals, probability_met, read_goals
from agents.bayes._model import Processes, columns, gave_all, learn
from agents.bayes._policy import Policy, choose_picking, choose_policy
from agents.bayes._representatives import representatives
from agents.bayes._search import Choice, maximise, score
from agents.bayes._threads import single_thread
from agents.bayes._warp import Warp, in_model_units
from agents.encoding import Array, Encoding
from agents.errors import ProposalError
from agents.explain import Surrogate
from agents.history import Observation, PastTrial
from agents.objective import Objective
from agents.options import Option, OptionedAgent
from agents.protocol import Proposal
from agents.sampling import remaining_candidates
from agents.space import Recipe, Space

GOOD = 5


class BayesAgent(OptionedAgent):
    """Gaussian processes of the observables, and the log-EI family over them.

    The first `initial` trials are the Sobol design that `design_seed` names (`agents.baselines`);
    among given candidates they are representatives of these (`agents.bayes._representatives`).
    After them one process per observable is fitted to what was achieved, and what is maximised
    depends on the objectives: `agents.bayes._policy` states it case by case. A target is a band
    on the modelled observable itself, never a model of the distance to it.
    """

    name = "bayes"
    version = "2"
    LIBRARIES = ("numpy", "scipy", "torch", "botorch", "gpytorch")
    OPTIONS: ClassVar[tuple[Option, ...]] = (
        Option("initial", 8, "trials of the space-filling design before models are used", low=1),
        DESIGN_SEED,
        Option("iterations", 25, "limit of the gradient search per proposal; 0: none", low=0),
    )

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
        wanted = self._design_left(goals, history, n)
        start = design if space.candidates is None else representatives
        made = start(space, history, wanted, self._design_seed)
        if len(made) == n:
            return made
        with single_thread(), manual_seed(seed):
            model = learn(Encoding(space), history, goals.observables, goals.later)
            while len(made) < n:
                step = _Step(self, space, objectives, goals, model, history, made, seed)
                made.append(step.proposal())
        return made

    def surrogate(
        self,
        space: Space,
        objectives: Sequence[Objective],
        history: Sequence[PastTrial],
        observables: Sequence[str],
        seed: int,
    ) -> Surrogate:
        """Fit the processes by which `propose` chooses, for `agents.explain`.

        Without objectives, and of observables beyond theirs, the same processes are fitted.
        """
        later = {o.observable for o in objectives if o.later}
        with single_thread(), manual_seed(seed):
            found = learn(Encoding(space), history, observables, later).processes
        return {name: ExplainedProcess(found[name]) for name in observables if name in found}

    @property
    def _design_seed(self) -> int:
        return int(self._values["design_seed"])

    def _design_left(self, goals: Goals, history: Sequence[PastTrial], n: int) -> int:
        """Return how many of `n` proposals the design still provides."""
        counted = [t for t in history if t.state != "abandoned"]
        completed = [t for t in counted if t.state == "completed"]
        learnable = any(sum(o in t.observables for t in completed) >= 2 for o in goals.observables)
        if not learnable:
            return n
        return min(n, max(0, int(self._values["initial"]) - len(counted)))


class _Step:
    """One proposal in the making."""

    def __init__(
        self,
        agent: BayesAgent,
        space: Space,
        objectives: Sequence[Objective],
        goals: Goals,
        model: Processes,
        history: Sequence[PastTrial],
        before: Sequence[Proposal],
        seed: int,
    ) -> None:
        self.options = agent.configuration
        self.objectives, self.goals = objectives, goals
        self.history = list(history) + [
            PastTrial(0, "pending", proposal.recipe) for proposal in before
        ]
        self.space = space
        self.encoding = Encoding(space)
        self.seed = seed + len(before)
        self.model = model
        self.targets = in_model_units(goals, model.processes)
        self.waiting = [t for t in self.history if t.state in ("pending", "in_doubt")]
        self.completed = [t for t in history if t.state == "completed"]
        self.believed = self.model.believing(
            _tensor(columns(self.encoding, self.waiting)), self._awaited()
        )

    def proposal(self) -> Proposal:
        """Return the best recipe with what is predicted of it and why it was chosen."""
        learnt = [n for n in self.goals.observables if n in self.model.processes]
        names = [n for n in learnt if n not in self.goals.later]
        whole = [t for t in self.completed if gave_all(t, names)] or self.completed
        seen = _tensor(columns(self.encoding, [*whole, *self.waiting]))
        given = self.space.candidates is not None
        policy = (
            choose_picking(self.model, self.believed, self.targets, self._measured())
            if given
            else choose_policy(self.model, self.believed, self.targets, seen, self.seed)
        )
        choice = self._choice(policy)
        predicted, sds = self._predicted(choice)
        met = probability_met(self.objectives, {k: o.value for k, o in predicted.items()}, sds)
        details: dict[str, Any] = {
            "phase": policy.phase,
            "probability_met": met,
            "lengthscales": _lengthscales(self.encoding, self.model),
        }
        if odd := _set_aside(self.history):
            details["warnings"] = odd
        return Proposal(choice.recipe, policy.name, predicted, choice.value, details)

    def _awaited(self) -> dict[str, torch.Tensor]:
        """Return, by observable, the columns of completed trials whose value is to come."""
        found = {}
        for name in self.goals.later & self.model.processes.keys():
            waiting = [t for t in self.completed if name not in t.observables]
            if waiting:
                found[name] = _tensor(columns(self.encoding, waiting))
        return found

    def _measured(self) -> torch.Tensor:
        """Return (n, m): what the completed trials gave in model units, NaN where missing."""
        missing = Observation(np.nan)
        rows = [
            [
                Warp(process.log).to_model(t.observables.get(name, missing).value)
                for name, process in self.model.processes.items()
            ]
            for t in self.completed
        ]
        return _tensor(np.array(rows, dtype=np.float64).reshape(-1, len(self.model.names)))

    def _choice(self, policy: Policy) -> Choice:
        exclude = unavailable(self.space, self.history)
        if self.space.candidates is not None:
            return _best_candidate(self.encoding, policy, self.history)
        near = self.encoding.rows([t.made for t in self._good(policy)])
        return maximise(
            self.encoding, policy.function, near, exclude, self.seed,
            int(self.options["iterations"]),
        )  # fmt: skip

    def _good(self, policy: Policy) -> list[PastTrial]:
        """Return the completed trials near which the acquisition is highest."""
        if not self.completed:
            return []
        values = score(policy.function, columns(self.encoding, self.completed))
        return [self.completed[i] for i in np.argsort(-values, kind="stable")[:GOOD]]

    def _predicted(self, choice: Choice) -> tuple[dict[str, Observation], dict[str, float]]:
        """Return what a measurement should give (noise included), and sds without noise."""
        point = _tensor(choice.columns[None, :])
        predicted, sds = {}, {}
        for name in self.goals.observables:
            if name in self.model.processes:
                process = self.model.processes[name]
                mean, variance = (float(v[0]) for v in process.predict(point))
                warp = Warp(process.log)
                sds[name] = warp.moments(mean, variance)[1]
                noisy = variance + process.noise_variance
                predicted[name] = Observation(*warp.moments(mean, noisy))
        return predicted, sds


def _best_candidate(encoding: Encoding, policy: Policy, history: Sequence[PastTrial]) -> Choice:
    left: list[Recipe] = remaining_candidates(encoding.space, history)
    if not left:
        raise ProposalError(
            f"all {len(encoding.space.candidates or ())} candidates have been picked or lie "
            "outside the space; end the campaign"
        )
    inputs = encoding.columns(encoding.rows(left))
    values = score(policy.function, inputs)
    best = int(np.argmax(values))
    return Choice(dict(left[best]), inputs[best], float(values[best]))


def _set_aside(history: Sequence[PastTrial]) -> list[str]:
    """Say of every achieved value that was not believed what was taken in its place."""
    return [
        f"trial {t.number}: {name} cannot have been {t.achieved[name]:g}, so what was asked for "
        f"is taken: {t.recipe[name]:g}"
        for t in history
        for name in t.incredible
        if name in t.recipe
    ]


def _lengthscales(encoding: Encoding, model: Processes) -> Mapping[str, Mapping[str, float]]:
    first = [int(np.flatnonzero(encoding.groups == j)[0]) for j in range(encoding.dimension)]
    return {
        name: {
            p.name: float(process.lengthscales[k])
            for p, k in zip(encoding.free, first, strict=True)
        }
        for name, process in model.processes.items()
    }


def _tensor(values: Array) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.float64)
