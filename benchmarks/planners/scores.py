"""From traces to the figures of the report."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.planners.problems import Problem, Reference, loss
from benchmarks.planners.runs import Trace

OURS = "bayes"
RESAMPLES = 2000
COVERAGE = 0.9
"""Share of the intervals, assumed: five pairs cannot carry 95 per cent (their extremes leave out
one in sixteen)."""
BOOTSTRAP_SEED = 0


def regret(problem: Problem, against: Reference, trace: Trace) -> float:
    """Return the noise-free simple regret after the budget, in the driven observable's unit."""
    least = min((_loss(problem, t) for t in trace["trials"]), default=math.inf)
    return (least if math.isfinite(least) else against.worst) - against.best


def trials_to_target(problem: Problem, against: Reference, trace: Trace) -> int:
    """Return the number of the first trial that truly reaches the target, else budget + 1."""
    for number, trial in enumerate(trace["trials"], start=1):
        if _loss(problem, trial) <= against.target:
            return number
    return problem.budget + 1


def _loss(problem: Problem, trial: Mapping[str, Any]) -> float:
    return math.inf if trial["state"] == "failed" else loss(problem, trial["truth"])


def summary(
    problem: Problem, against: Reference, traces: Sequence[Trace], kind: str
) -> dict[str, Any]:
    """Return one planner's figures on one problem over its seeds."""
    regrets = [regret(problem, against, t) for t in traces]
    seconds = [t["seconds"] for trace in traces for t in trace["trials"]
               if t["seconds"] is not None]  # fmt: skip
    low, high = np.quantile(regrets, [0.25, 0.75])
    return {
        "median_regret": statistics.median(regrets),
        "iqr": [float(low), float(high)],
        "trials_to_target": statistics.median(
            trials_to_target(problem, against, t) for t in traces
        ),
        "violations": sum(bool(t["violations"]) for trace in traces for t in trace["trials"]),
        "seconds_per_proposal": statistics.median(seconds),
        "traces": kind,
    }


def paired(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """Return the median of theirs - ours over seeds, with its bootstrap interval.

    Seeds are pairs: both had the same design and met the same noise in it. Above zero is a gain.
    """
    gains = np.array(theirs, dtype=float) - np.array(ours, dtype=float)
    generator = np.random.default_rng(BOOTSTRAP_SEED)
    picks = generator.integers(len(gains), size=(RESAMPLES, len(gains)))
    medians = np.median(gains[picks], axis=1)
    tail = 0.5 * (1.0 - COVERAGE)
    low, high = np.quantile(medians, [tail, 1.0 - tail])
    return {"median": float(np.median(gains)), "low": float(low), "high": float(high)}


def wins(problems: Mapping[str, Any], to_target: Mapping[str, Mapping[str, list[int]]]) -> Any:
    """Return our agent beside the best other planner on each problem, and over all.

    Args:
        problems: The report's problems.
        to_target: Problem -> planner -> trials to target by seed.
    """
    rows = {}
    for name, entry in problems.items():
        planners = entry["planners"]
        others = [p for p in planners if p != OURS]
        if OURS not in planners or not others:
            continue
        best = min(others, key=lambda p: (planners[p]["trials_to_target"],
                                          planners[p]["median_regret"]))  # fmt: skip
        ours, peer = planners[OURS]["trials_to_target"], planners[best]["trials_to_target"]
        rows[name] = {
            "best_peer": best,
            "ratio": peer / ours,
            "trials_gained": {
                p: paired(to_target[name][OURS], to_target[name][p]) for p in others
            },
        }
    if not rows:
        return {}
    ratios = [r["ratio"] for r in rows.values()]
    return {
        "planner": OURS,
        "problems": rows,
        "median_ratio": statistics.median(ratios),
        "least_ratio": min(ratios),
        "violations": sum(e["planners"][OURS]["violations"] for e in problems.values()),
    }
