"""The planners that are compared: our agents here, peers in environments of their own.

A planner is given the same design as every other, as finished trials, and then proposes one recipe
at a time. Each runs at its documented defaults; only the length of the design is told to those of
ours that ask for it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from agents import Categorical, Fixed, PastTrial, agent_names, create_agent
from benchmarks._peer import Peer
from benchmarks.planners.problems import Problem

PEERS = Path(__file__).resolve().parents[1] / "peers"
OURS = ("bayes", "maria", "turbo", "random", "sobol")
OPTUNA = {"optuna_tpe": "TPESampler", "optuna_gp": "GPSampler"}
STORED = ("ax", "baybe", "bofire")
"""Too slow to run beside the others: their traces are read where they have been stored."""
ENVIRONMENT, SCRIPT = "optuna-planners", "optuna_planner.py"


@dataclass(frozen=True)
class Suggestion:
    """A recipe and the seconds that it took."""

    recipe: dict[str, Any]
    seconds: float


class Session(Protocol):
    """One planner on one problem with one seed."""

    def propose(self, history: Sequence[PastTrial]) -> Suggestion:
        """Return the next recipe."""
        ...


class Planner(Protocol):
    """A planner of this comparison."""

    name: str

    def identity(self, problem: Problem, seed: int) -> dict[str, Any]:
        """Return version, configuration and libraries: what two equal runs share."""
        ...

    def start(self, problem: Problem, seed: int) -> AbstractContextManager[Session]:
        """Begin a run."""
        ...


class Ours:
    """An agent of dotpilot."""

    def __init__(self, name: str) -> None:
        self.name = name

    def _agent(self, problem: Problem, seed: int) -> Any:
        known = create_agent(self.name).configuration
        given = {"initial": problem.initial, "design_seed": seed}
        return create_agent(self.name, {k: v for k, v in given.items() if k in known})

    def identity(self, problem: Problem, seed: int) -> dict[str, Any]:
        """Return the agent's version, options and libraries."""
        agent = self._agent(problem, seed)
        return {
            "version": agent.version,
            "configuration": agent.configuration,
            "libraries": agent.libraries,
        }

    def start(self, problem: Problem, seed: int) -> AbstractContextManager[Session]:
        """Begin a run; nothing is kept between proposals."""
        return nullcontext(_OurSession(self._agent(problem, seed), problem, seed))


class _OurSession:
    def __init__(self, agent: Any, problem: Problem, seed: int) -> None:
        self.agent, self.problem, self.seed = agent, problem, seed

    def propose(self, history: Sequence[PastTrial]) -> Suggestion:
        step = _step_seed(self.seed, len(history))
        start = time.perf_counter()
        (proposal,) = self.agent.propose(
            self.problem.space, self.problem.objectives, history, 1, step
        )
        return Suggestion(dict(proposal.recipe), time.perf_counter() - start)


def _step_seed(seed: int, step: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}:{step}".encode()).digest()[:6], "big")


class Optuna:
    """A sampler of Optuna at its defaults, in an environment of its own.

    The driven observable is the objective and every band a pair of Optuna's constraints. With
    bands alone, what Optuna minimises is the distance to the targets, in tolerances. A recipe
    that the station refuses is told as a failed trial, the state that Optuna has for it.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def identity(self, problem: Problem, seed: int) -> dict[str, Any]:
        """Return the sampler and the versions that its environment is pinned to."""
        pins = (PEERS.parent / f"{ENVIRONMENT}-requirements.txt").read_text().splitlines()
        libraries = dict(p.split("==") for p in pins if "==" in p and not p.startswith("#"))
        script = hashlib.sha256((PEERS / SCRIPT).read_bytes()).hexdigest()
        configuration = {"sampler": OPTUNA[self.name], "script": script}
        version = libraries["optuna"]
        return {"version": version, "configuration": configuration, "libraries": libraries}

    def start(self, problem: Problem, seed: int) -> AbstractContextManager[Session]:
        """Begin a run in a process of its own."""
        return _OptunaSession(OPTUNA[self.name], problem, seed)


class _OptunaSession:
    def __init__(self, sampler: str, problem: Problem, seed: int) -> None:
        self.problem, self.told = problem, 0
        self.peer = Peer(ENVIRONMENT, SCRIPT)
        self.peer.ask(begin={"sampler": sampler, "seed": seed, "parameters": _parameters(problem)})

    def __enter__(self) -> _OptunaSession:
        return self

    def __exit__(self, *error: Any) -> None:
        self.peer.__exit__(*error)

    def propose(self, history: Sequence[PastTrial]) -> Suggestion:
        told = [self._told(t) for t in history[self.told :]]
        self.told = len(history)
        answer = self.peer.ask(propose={"told": told})
        return Suggestion(self.problem.space.active(answer["recipe"]), answer["seconds"])

    def _told(self, trial: PastTrial) -> dict[str, Any]:
        values = {n: o.value for n, o in trial.observables.items()}
        wanted = {o.observable for o in self.problem.objectives}
        if not wanted <= set(values):
            return {"recipe": dict(trial.recipe), "value": None, "constraints": []}
        value, constraints = scalar(self.problem, values)
        return {"recipe": dict(trial.recipe), "value": value, "constraints": constraints}


def scalar(problem: Problem, values: dict[str, float]) -> tuple[float, list[float]]:
    """Return what is minimised and the constraints (at most zero where they hold)."""
    driver = problem.driver
    bands = [o for o in problem.objectives if driver is not None or o.goal != "target"]
    constraints = []
    for o in bands:
        low, high = o.bounds()
        value = values[o.observable]
        constraints += [low - value] if low is not None else []
        constraints += [value - high] if high is not None else []
    if driver is not None:
        sign = -1.0 if driver.goal == "maximise" else 1.0
        return sign * values[driver.observable], constraints
    distances = [
        abs(values[o.observable] - (o.value or 0.0)) / (o.tolerance or 1.0)
        for o in problem.objectives
        if o.goal == "target"
    ]
    return sum(distances), constraints


def _parameters(problem: Problem) -> list[dict[str, Any]]:
    """Return the free parameters as numbers and words, conditions included."""
    found = []
    for parameter in problem.space.parameters:
        if not isinstance(parameter, Fixed):
            kind = "categorical" if isinstance(parameter, Categorical) else "number"
            found.append({**asdict(parameter), "kind": kind})
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


def live_planners() -> list[Planner]:
    """Return the planners that run here: our installed agents, then the fast peers."""
    ours: list[Planner] = [Ours(name) for name in OURS if name in agent_names()]
    return ours + [Optuna(name) for name in OPTUNA]
