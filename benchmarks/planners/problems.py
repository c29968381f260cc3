"""What a problem of the benchmark is, and what counts as good on it.

Every problem has a *truth* (noise-free observables of a recipe) beside its measurements: planners
see measurements, scores look at the truth.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import islice
from typing import Any

import numpy as np

from agents import Objective, Observation, Recipe, Space
from agents.sampling import feasible_sequence, sample_space

REFERENCE = 8192
"""Uniform recipes that say what is rare and what is best; assumed: enough to hold some 27 that
reach the target, whose count is then known to a fifth."""
RARITY = 300
"""One uniform recipe in so many reaches the target; assumed, so that random search reaches it
within 40 trials in one run of eight, and a planner has something to gain."""
REFERENCE_SEED = 20181

Truths = Callable[[Sequence[Recipe]], list[dict[str, float]]]


@dataclass(frozen=True)
class Problem:
    """One problem.

    Attributes:
        name: In the report.
        space: Where; its own feasibility check included.
        objectives: Bands, and at most one observable that is driven up or down.
        truths: Noise-free observables of recipes.
        measure: Measured observables by (recipe, trial number, seed); empty where it gives none.
        budget: Trials in all.
        initial: How many of them are the design that every planner is given.
        versions: Whatever the numbers depend on besides: libraries, digests of data.
        figures: What should be known of it (cross-validation of an emulator), for the log.
        optimum: Best value of the driven observable, where it is known from elsewhere.
    """

    name: str
    space: Space
    objectives: tuple[Objective, ...]
    truths: Truths
    measure: Callable[[Recipe, int, int], Mapping[str, Observation]]
    budget: int
    initial: int
    versions: Mapping[str, str]
    figures: Mapping[str, float]
    optimum: float | None = None

    @property
    def driver(self) -> Objective | None:
        """Return the objective that is driven, or None where there are bands alone."""
        driven = [o for o in self.objectives if o.goal in ("minimise", "maximise")]
        return driven[0] if driven else None

    @property
    def digest(self) -> str:
        """Return what makes two runs comparable: the problem's content as SHA-256."""
        document = {
            "name": self.name,
            "parameters": [asdict(p) for p in self.space.parameters],
            "constraints": [asdict(c) for c in self.space.constraints],
            "objectives": [asdict(o) for o in self.objectives],
            "budget": self.budget,
            "initial": self.initial,
            "versions": dict(self.versions),
        }
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()

    def design(self, seed: int) -> list[dict[str, Any]]:
        """Return the recipes that every planner is given first: a scrambled Sobol sequence."""
        return sample_space(self.space, self.initial, seed)


@dataclass(frozen=True)
class Reference:
    """What uniform recipes give.

    Attributes:
        best: Least loss known: of the sample, or of the published optimum.
        worst: Greatest loss of a recipe inside every band; what "nothing found" counts as.
        target: Loss at or below which the target counts as reached.
    """

    best: float
    worst: float
    target: float


def loss(problem: Problem, truth: Mapping[str, float]) -> float:
    """Return how bad a recipe is: less is better, infinite outside the bands.

    With a driven observable it is that one's value (negative where it is maximised), in its unit.
    With bands alone it is the worst excess over a bound, in half widths of the band (in the
    bound's size where one side is open), and zero inside.
    """
    excess = max((_excess(o, truth) for o in problem.objectives), default=0.0)
    driver = problem.driver
    if driver is None:
        return excess
    if excess > 0.0 or driver.observable not in truth:
        return float("inf")
    value = truth[driver.observable]
    return -value if driver.goal == "maximise" else value


def _excess(objective: Objective, truth: Mapping[str, float]) -> float:
    low, high = objective.bounds()
    if low is None and high is None:
        return 0.0
    value = truth.get(objective.observable)
    if value is None:
        return float("inf")
    if low is not None and high is not None:
        scale = 0.5 * (high - low) or 1.0
    else:
        scale = abs(high if low is None else low) or 1.0
    beyond = max(low - value if low is not None else 0.0, value - high if high is not None else 0)
    return max(0.0, beyond) / scale


def reference(problem: Problem) -> Reference:
    """Return the reference of a problem, from uniform recipes of its space.

    Raises:
        ValueError: none of them lies inside the bands.
    """
    if problem.driver is None:
        return Reference(0.0, float("inf"), 0.0)
    drawn = feasible_sequence(problem.space, REFERENCE_SEED, "uniform", Counter())
    recipes = list(islice(drawn, REFERENCE))
    losses = np.sort([loss(problem, t) for t in problem.truths(recipes)])
    inside = losses[np.isfinite(losses)]
    if not len(inside):
        raise ValueError(
            f"a problem needs recipes inside its bands, but none of {len(recipes)} uniform ones "
            f"of {problem.name} is; widen its bands"
        )
    target = float(losses[min(max(1, len(recipes) // RARITY), len(inside)) - 1])
    best = float(inside[0])
    if problem.optimum is not None:
        sign = -1.0 if problem.driver.goal == "maximise" else 1.0
        best = sign * problem.optimum
    return Reference(best, float(inside[-1]), target)


@cache
def build(name: str) -> Problem:
    """Build the problem of that name.

    Raises:
        ValueError: there is none; the message lists them.
    """
    from benchmarks.planners import emulators, functions, stations

    makers: dict[str, Callable[[], Problem]] = {
        "antisolvent_470": lambda: emulators.antisolvent(470.0, trees=False),
        "antisolvent_470_trees": lambda: emulators.antisolvent(470.0, trees=True),
        "flow_green": stations.flow_green,
        "ackley_mixed": functions.ackley_mixed,
        "pressure_vessel": functions.pressure_vessel,
    }
    if name not in makers:
        raise ValueError(f"a problem must be one of {', '.join(makers)}, but got {name!r}")
    return makers[name]()
