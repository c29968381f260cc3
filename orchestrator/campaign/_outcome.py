"""What a set of completed trials amounts to: the best one, the Pareto set, the target reached.

*Target reached* does not depend on the agent: the probability that a trial's true values lie
within every target's tolerance and every bound, from independent normal errors with the
observables' standard errors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents import Objective, Observation


@dataclass(frozen=True, slots=True)
class Outcome:
    """A completed trial as the stop rules see it."""

    trial: int
    observables: Mapping[str, Observation]


def probability_met(outcome: Outcome, objectives: Sequence[Objective]) -> float:
    """Return the probability that every target and bound holds (0 if one was not measured)."""
    product = 1.0
    for objective in objectives:
        low, high = objective.bounds()
        if low is None and high is None:
            continue
        seen = outcome.observables.get(objective.observable)
        product *= 0.0 if seen is None else _inside(seen, low, high)
    return product


def _inside(seen: Observation, low: float | None, high: float | None) -> float:
    if seen.se <= 0.0:
        return float((low is None or seen.value >= low) and (high is None or seen.value <= high))
    above = 1.0 if high is None else _normal((high - seen.value) / seen.se)
    below = 0.0 if low is None else _normal((low - seen.value) / seen.se)
    return max(0.0, above - below)


def _normal(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def violation(outcome: Outcome, objectives: Sequence[Objective]) -> float:
    """Return how far the trial is outside its bounds, in units of tolerance (or of the bound)."""
    total = 0.0
    for objective in objectives:
        low, high = objective.bounds()
        if low is None and high is None:
            continue
        seen = outcome.observables.get(objective.observable)
        if seen is None:
            return math.inf
        excess = max(
            0.0 if low is None else low - seen.value, 0.0 if high is None else seen.value - high
        )
        scale = objective.tolerance or max(abs(low or 0.0), abs(high or 0.0)) or 1.0
        total += max(0.0, excess) / scale
    return total


def _costs(outcome: Outcome, objectives: Sequence[Objective]) -> tuple[float, ...]:
    """Return what is to be made small, one number per driving objective."""
    costs = []
    for objective in objectives:
        seen = outcome.observables.get(objective.observable)
        if objective.goal == "constraint":
            continue
        if seen is None:
            costs.append(math.inf)
        elif objective.goal == "minimise":
            costs.append(seen.value)
        elif objective.goal == "maximise":
            costs.append(-seen.value)
        else:
            costs.append(abs(seen.value - (objective.value or 0.0)))
    return tuple(costs)


def _rank(
    outcome: Outcome, objectives: Sequence[Objective], confidence: float | None
) -> tuple[float, ...]:
    """Sort key, smallest first: sure of every bound, then inside, then the first objective."""
    probability = probability_met(outcome, objectives)
    sure = confidence is not None and probability >= confidence
    outside = violation(outcome, objectives)
    goals = [o for o in objectives if o.goal in ("minimise", "maximise")]
    costs = _costs(outcome, goals) if outside == 0.0 else ()
    return (-float(sure), outside, *costs, -probability, outcome.trial)


def best_trial(
    outcomes: Sequence[Outcome], objectives: Sequence[Objective], confidence: float | None = None
) -> int | None:
    """Return the number of the best trial, or None without any.

    First come trials that meet every bound with the stated confidence, then those inside every
    bound, then the least outside; among equals the first declared minimise or maximise objective
    decides, then the probability of meeting the bounds.
    """
    usable = [o for o in outcomes if _measured(o, objectives)]
    if not usable:
        return None
    return min(usable, key=lambda o: _rank(o, objectives, confidence)).trial


def _measured(outcome: Outcome, objectives: Sequence[Objective]) -> bool:
    return all(o.observable in outcome.observables for o in objectives)


def pareto_trials(outcomes: Sequence[Outcome], objectives: Sequence[Objective]) -> list[int]:
    """Return the trials that no other trial beats, among those inside every plain constraint.

    Dominance is over every minimise, maximise and target (distance) objective. Where no trial is
    inside the constraints, the set is empty.
    """
    limits = [o for o in objectives if o.goal != "target"]
    usable = [o for o in outcomes if _measured(o, objectives) and violation(o, limits) == 0.0]
    costs = {o.trial: _costs(o, objectives) for o in usable}
    return [
        a.trial for a in usable if not any(_beats(costs[b.trial], costs[a.trial]) for b in usable)
    ]


def _beats(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))


def target_reached(
    outcomes: Sequence[Outcome], objectives: Sequence[Objective], confidence: float
) -> bool:
    """Tell whether the best trial meets every target and bound with this probability."""
    return any(probability_met(o, objectives) >= confidence for o in outcomes)


def trials_without_improvement(
    outcomes: Sequence[Outcome], objectives: Sequence[Objective], ended: Sequence[int]
) -> int:
    """Count ended trials since the best trial (or, with several goals, the front) last changed.

    Args:
        outcomes: Completed trials, in the order in which they ended.
        objectives: The campaign's objectives.
        ended: Numbers of all ended trials in the order in which they ended.
    """
    several = sum(o.goal != "constraint" for o in objectives) > 1
    by_trial = {o.trial: o for o in outcomes}
    known: list[Outcome] = []
    last: tuple[int, ...] = ()
    count = 0
    for number in ended:
        if number in by_trial:
            known.append(by_trial[number])
        best = best_trial(known, objectives)
        front = tuple(pareto_trials(known, objectives)) if several else ()
        now = (best or 0, *front)
        improved = now != last and number in {best, *front}
        count = 0 if improved else count + 1
        last = now
    return count
