"""TuRBO: Bayesian optimisation in one trust region, with constraints as in SCBO.

Eriksson, Pearce, Gardner, Turner and Poloczek, "Scalable global optimization via local Bayesian
optimization", NeurIPS 2019; constraints after Eriksson and Poloczek, "Scalable constrained
Bayesian optimization", AISTATS 2021: Thompson samples of all observables inside the region, the
one taken that violates nothing and is best, or else violates least.

The region's state (length, successes, failures, restarts) is recomputed from the record at each
step: `region` walks through the trials in order, and nothing is kept between steps.

Assumed, because the publications have continuous spaces and one objective: in a perturbed
candidate a category is drawn anew with a probability that shrinks with the region; several driven
observables are added in units of their spread; bands alone are driven to their centre.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from agents._modelled import ModelledAgent, Pick, Step, measured
from agents.baselines import DESIGN_SEED
from agents.bayes._goals import Goals
from agents.bayes._model import FEASIBILITY
from agents.bayes._process import Process, similarity
from agents.encoding import Array, Encoding
from agents.errors import ProposalError
from agents.history import PastTrial
from agents.options import Option
from agents.sampling import recipe_key, remaining_candidates, sample_space, unit_blocks
from agents.space import Categorical, Recipe, Space

# The publication's hyperparameters (section 3 and appendix), in the unit cube.
LENGTH, LENGTH_MIN, LENGTH_MAX = 0.8, 0.5**7, 1.6
SUCCESSES, LEAST_FAILURES = 3, 4
IMPROVEMENT = 1e-3  # share of the best value that counts as a success
PERTURBED = 20.0  # parameters that a candidate changes on average
CANDIDATES = 1024
"""Thompson candidates; the publication has min(100 d, 5000): assumed, as the joint sample's cost
grows with its cube and a proposal has a second."""
JITTER = 1e-6


@dataclass(frozen=True, slots=True)
class Worth:
    """What a trial was worth: excess over all bounds first, then the value that is driven."""

    excess: float
    value: float

    def beats(self, other: Worth | None) -> bool:
        """Tell whether this is a success beside the best so far."""
        if other is None:
            return True
        if self.excess > 0.0 or other.excess > 0.0:
            return self.excess < other.excess * (1.0 - IMPROVEMENT)
        return self.value > other.value + IMPROVEMENT * abs(other.value)


@dataclass(frozen=True, slots=True)
class Region:
    """The trust region as the record leaves it.

    Attributes:
        start: Index in the history of the first trial since the last restart.
        length: Side in the unit cube.
        successes: In a row.
        failures: In a row.
        best: Worth of the centre, None before the first value.
        centre: Index in the history of the best trial since the restart.
        restarts: How often the region has shrunk away.
    """

    start: int = 0
    length: float = LENGTH
    successes: int = 0
    failures: int = 0
    best: Worth | None = None
    centre: int | None = None
    restarts: int = 0


def region(goals: Goals, history: Sequence[PastTrial], initial: int, dimension: int) -> Region:
    """Return the state of the region after all trials that have an outcome.

    Args:
        goals: What is wanted.
        history: The record, in order.
        initial: Trials of each design; they move the centre and count neither way.
        dimension: Free parameters, which set how many failures shrink the region.
    """
    state, seen = Region(), 0
    spreads = _spreads(goals, history)
    for index, trial in enumerate(history):
        if trial.state not in ("completed", "failed", "rejected"):
            continue
        seen += 1
        values = measured(goals, trial)
        whole = all(n in values for n in goals.observables if n not in goals.later)
        worth = worth_of(goals, values, spreads) if values and whole else None
        better = worth is not None and worth.beats(state.best)
        if better:
            state = replace(state, best=worth, centre=index)
        if seen > initial:
            state = _counted(state, better, max(LEAST_FAILURES, dimension))
        if state.length < LENGTH_MIN:
            state, seen = Region(start=index + 1, restarts=state.restarts + 1), 0
    return state


def _counted(state: Region, better: bool, limit: int) -> Region:
    """Return the state with one more success or failure, the region resized where due."""
    successes, failures = (state.successes + 1, 0) if better else (0, state.failures + 1)
    length = state.length
    if successes == SUCCESSES:
        successes, length = 0, min(2.0 * length, LENGTH_MAX)
    if failures == limit:
        failures, length = 0, 0.5 * length
    return replace(state, length=length, successes=successes, failures=failures)


def worth_of(goals: Goals, values: Mapping[str, float], spreads: Mapping[str, float]) -> Worth:
    """Return the worth of values, each in units of its spread."""
    excess, margins = 0.0, []
    for name, (low, high) in goals.bands.items():
        if name in values:
            beyond = max(low - values[name], values[name] - high) / spreads[name]
            excess += max(0.0, beyond)
            margins.append(-beyond)
    driven = [s * values[n] / spreads[n] for n, s in goals.drivers.items() if n in values]
    return Worth(excess, sum(driven) if goals.drivers else min(margins, default=0.0))


def _spreads(goals: Goals, history: Sequence[PastTrial]) -> dict[str, float]:
    found = {}
    for name in goals.observables:
        values = [v[name] for v in (measured(goals, t) for t in history) if name in v]
        spread = float(np.std(values)) if values else 1.0
        found[name] = spread if math.isfinite(spread) and spread > 0.0 else 1.0
    return found


class TurboAgent(ModelledAgent):
    """Thompson sampling inside a trust region around the best trial."""

    name = "turbo"
    version = "1"
    LIBRARIES = ("numpy", "scipy", "torch", "botorch", "gpytorch")
    OPTIONS: ClassVar[tuple[Option, ...]] = (
        Option("initial", 8, "trials of each space-filling design, at every restart", low=1),
        DESIGN_SEED,
    )

    def _region(self, goals: Goals, history: Sequence[PastTrial], dimension: int) -> Region:
        return region(goals, history, int(self._values["initial"]), dimension)

    def _start(self, space: Space, goals: Goals, history: Sequence[PastTrial]) -> int:
        return self._region(goals, history, Encoding(space).dimension).start

    def _pick(self, step: Step) -> Pick:
        state = self._region(step.goals, step.history, step.encoding.dimension)
        candidates = _candidates(step, state)
        inputs = step.encoding.columns(step.encoding.rows(candidates))
        excess, value = _sampled(step, inputs)
        order = np.lexsort((-value, excess))
        best = int(order[0])
        details = {
            "phase": "trust_region",
            "length": state.length,
            "successes": state.successes,
            "failures": state.failures,
            "restarts": state.restarts,
        }
        chosen = float(value[best]) if excess[best] <= 0.0 else -float(excess[best])
        return Pick(dict(candidates[best]), inputs[best], "thompson", chosen, details)


def _candidates(step: Step, state: Region) -> list[Recipe]:
    """Return feasible recipes inside the region; of given candidates, all that are left."""
    if step.space.candidates is not None:
        left = remaining_candidates(step.space, step.history)
        if not left:
            raise ProposalError(
                f"all {len(step.space.candidates)} candidates have been picked or lie outside "
                "the space; end the campaign"
            )
        return list(left)
    found: dict[object, Recipe] = {}
    if state.centre is not None:
        rows = _perturbed(step, state)
        rows = rows[(step.encoding.constraint_excess(rows) <= 0.0).all(axis=1)]
        for row in rows:
            recipe = step.encoding.recipe(row)
            key = recipe_key(recipe)
            if key not in step.exclude and key not in found and not step.space.violations(recipe):
                found[key] = recipe
    if found:
        return list(found.values())
    return list(sample_space(step.space, 1, step.seed, method="uniform", exclude=step.exclude))


def _perturbed(step: Step, state: Region) -> Array:
    """Return rows (k, d): the centre with some parameters moved inside the region."""
    encoding, d = step.encoding, step.encoding.dimension
    assert state.centre is not None  # noqa: S101 the caller has asked
    centre = encoding.rows([step.history[state.centre].made])[0]
    half = 0.5 * state.length * _weights(step)
    blocks = unit_blocks(d, step.seed, "sobol")
    unit = np.concatenate([next(blocks) for _ in range(CANDIDATES.bit_length() - 6)])
    generator = np.random.default_rng(step.seed)
    moved = generator.random(unit.shape) < min(1.0, PERTURBED / max(1, d))
    moved[np.arange(len(unit)), generator.integers(max(1, d), size=len(unit))] = True
    changed = generator.random(unit.shape) < state.length / LENGTH_MAX
    anew = encoding.rows_from_unit(unit)
    rows = np.tile(centre, (len(unit), 1))
    for j, parameter in enumerate(encoding.free):
        lost = np.isnan(rows[:, j])
        if isinstance(parameter, Categorical):
            other = np.floor(unit[:, j] * len(parameter.choices))
            rows[:, j] = np.where(lost | (moved[:, j] & changed[:, j]), other, rows[:, j])
        else:
            low, high = max(0.0, centre[j] - half[j]), min(1.0, centre[j] + half[j])
            inside = low + (high - low) * unit[:, j]
            rows[:, j] = np.where(moved[:, j], inside, rows[:, j])
            rows[lost, j] = np.where(np.isnan(anew[lost, j]), unit[lost, j], anew[lost, j])
    return encoding.snapped(rows)


def _weights(step: Step) -> Array:
    """Return (d,): sides of the region by lengthscale, of geometric mean one."""
    logs = np.zeros(step.encoding.dimension)
    processes = [p for n, p in step.model.processes.items() if n != FEASIBILITY]
    for process in processes:
        for j in range(len(logs)):
            column = int(np.flatnonzero(step.encoding.groups == j)[0])
            logs[j] += float(process.lengthscales[column].log()) / len(processes)
    return np.asarray(np.exp(logs - logs.mean()))


def _sampled(step: Step, inputs: Array) -> tuple[Array, Array]:
    """Return (k,) excess and value of one joint sample of every observable at the candidates."""
    points = torch.as_tensor(inputs, dtype=torch.float64)
    generator = torch.Generator().manual_seed(step.seed % 2**63)
    draws = {n: _draw(p, points, generator) for n, p in step.believed.processes.items()}
    spreads = _spreads(step.goals, step.history)
    excess, value = np.zeros(len(inputs)), np.zeros(len(inputs))
    for k in range(len(inputs)):
        worth = worth_of(step.goals, {n: float(v[k]) for n, v in draws.items()}, spreads)
        excess[k], value[k] = worth.excess, worth.value
    if FEASIBILITY in draws:
        excess += np.maximum(0.0, -draws[FEASIBILITY].numpy())
    return excess, value


def _draw(process: Process, points: Tensor, generator: torch.Generator) -> Tensor:
    """Return one sample (k,) of a process at points (k, D), jointly, in natural units."""
    count = len(points)
    scaled = torch.cat([process.inputs(points), process.seen]) / process.lengthscales
    kernel = process.signal * similarity(scaled)
    cross = kernel[:count, count:]
    half = torch.linalg.solve_triangular(process.factor, cross.mT, upper=False)
    eye = torch.eye(count, dtype=torch.float64)
    covariance = kernel[:count, :count] - half.mT @ half + JITTER * process.signal * eye
    normal = torch.randn(count, generator=generator, dtype=torch.float64)
    deviation = torch.linalg.cholesky(covariance) @ normal
    level = process.level + cross @ process.weights
    natural: Tensor = process.shift + process.spread * (level + deviation)
    return natural.exp() if process.log else natural
