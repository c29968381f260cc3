"""One run of one planner, and its trace on disk: finished seeds are not run again."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents import PastTrial
from benchmarks.planners.planners import Planner
from benchmarks.planners.problems import Problem

RESULTS = Path(__file__).resolve().parents[1] / "results" / "planners"
Trace = dict[str, Any]


def trace_path(problem: str, planner: str, seed: int, kind: str = "live") -> Path:
    """Return where a trace lies: `live` ones are made here, `stored` ones come with the code."""
    return RESULTS / kind / problem / planner / f"seed-{seed}.json"


def finished(problem: Problem, planner: Planner, seed: int) -> Trace | None:
    """Return the trace of a seed where it is finished and still says what a run would say.

    A trace of another problem, version, configuration or library is passed over, and said so.
    """
    path = trace_path(problem.name, planner.name, seed)
    if not path.exists():
        return None
    trace: Trace = json.loads(path.read_text(encoding="utf-8"))
    if trace["digest"] == digest(problem, planner, seed):
        return trace
    print(f"{path.name} of {planner.name} on {problem.name} is of other versions: run again",
          file=sys.stderr)  # fmt: skip
    return None


def digest(problem: Problem, planner: Planner, seed: int) -> str:
    """Return the SHA-256 of all that a run depends on."""
    document = {
        "problem": problem.digest,
        "planner": planner.name,
        "seed": seed,
        **planner.identity(problem, seed),
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def run(problem: Problem, planner: Planner, seed: int) -> Trace:
    """Run a planner to the end of the budget, keep the trace and return it."""
    history: list[PastTrial] = []
    entries: list[dict[str, Any]] = []
    for recipe in problem.design(seed):
        entries.append(_tried(problem, history, recipe, seed, None))
    with planner.start(problem, seed) as session:
        while len(history) < problem.budget:
            made = session.propose(history)
            entries.append(_tried(problem, history, made.recipe, seed, made.seconds))
    trace = {
        "digest": digest(problem, planner, seed),
        "problem": problem.name,
        "planner": planner.name,
        "seed": seed,
        **planner.identity(problem, seed),
        "problem_versions": dict(problem.versions),
        "trials": entries,
    }
    keep(trace_path(problem.name, planner.name, seed), trace)
    return trace


def _tried(
    problem: Problem,
    history: list[PastTrial],
    recipe: dict[str, Any],
    seed: int,
    seconds: float | None,
) -> dict[str, Any]:
    """Measure a recipe, append it to the history and return its entry in the trace."""
    number = len(history) + 1
    violations = problem.space.violations(recipe)
    observables = {} if violations else dict(problem.measure(recipe, number, seed))
    state = "completed" if observables else "failed"
    history.append(
        PastTrial(number, "completed" if observables else "failed", recipe, {}, observables)
    )
    return {
        "recipe": recipe,
        "state": state,
        "violations": violations,
        "observables": {n: [o.value, o.se] for n, o in observables.items()},
        "truth": {} if violations else problem.truths([recipe])[0],
        "seconds": seconds,
    }


def keep(path: Path, trace: Trace) -> None:
    """Write a trace whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(json.dumps(trace, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)


def stored(problem: str, planner: str, seeds: Sequence[int]) -> list[Trace]:
    """Return the stored traces of a planner that does not run here, or none if any is missing."""
    paths = [trace_path(problem, planner, seed, "stored") for seed in seeds]
    if not all(p.exists() for p in paths):
        return []
    return [json.loads(p.read_text(encoding="utf-8")) for p in paths]
