"""Compare planners on the same problems, from the same designs, by their trials to a target.

    python -m benchmarks.planners --suite quick [--json] [--planners bayes,random] [--seeds 5]

Finished seeds are kept under benchmarks/results/planners/ and not run again unless `--fresh` says
so or a version has changed; an interrupted run continues where it stopped. Progress is on stderr.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

from benchmarks.planners.planners import STORED, Planner, live_planners
from benchmarks.planners.problems import Problem, Reference, build, reference
from benchmarks.planners.runs import Trace, finished, run, stored
from benchmarks.planners.scores import summary, trials_to_target, wins

SUITES = {
    "quick": {
        "problems": ("antisolvent_470", "flow_green", "ackley_mixed", "pressure_vessel"),
        "controls": ("antisolvent_470_trees",),
        "seeds": 5,
    },
}


def main() -> None:
    """Run a suite and print its figures."""
    options = _options()
    suite: dict[str, Any] = SUITES[options.suite]
    seeds = range(1, (options.seeds or suite["seeds"]) + 1)
    wanted = set(options.planners.split(",")) if options.planners else None
    planners = [p for p in live_planners() if wanted is None or p.name in wanted]
    planners = _available(planners)
    report: dict[str, Any] = {"problems": {}, "controls": {}}
    to_target: dict[str, dict[str, list[int]]] = {}
    for part in ("problems", "controls"):
        for name in suite[part]:
            if options.problems and name not in options.problems.split(","):
                continue
            entry, counts = _problem(build(name), planners, list(seeds), options.fresh, wanted)
            report[part][name] = {"planners": entry}
            to_target[name] = counts
    report["wins"] = wins(report["problems"], to_target)
    print(json.dumps(report, indent=2) if options.json else _table(report))


def _problem(
    problem: Problem,
    planners: list[Planner],
    seeds: list[int],
    fresh: bool,
    wanted: set[str] | None,
) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """Return the planners' figures on one problem, and their trials to target by seed."""
    for name, value in problem.figures.items():
        _say(f"{problem.name}: {name} {value:.3g}")
    against = reference(problem)
    found: dict[str, tuple[list[Trace], str]] = {}
    for planner in planners:
        found[planner.name] = [_seed(problem, planner, s, fresh) for s in seeds], "live"
    for name in STORED:
        traces = stored(problem.name, name, seeds) if wanted is None or name in wanted else []
        if traces:
            found[name] = traces, "stored"
        elif wanted is None or name in wanted:
            _say(f"{problem.name}: {name} has no stored traces and is left out")
    return (
        {n: summary(problem, against, traces, kind) for n, (traces, kind) in found.items()},
        {n: _counts(problem, against, traces) for n, (traces, _) in found.items()},
    )


def _counts(problem: Problem, against: Reference, traces: list[Trace]) -> list[int]:
    return [trials_to_target(problem, against, t) for t in traces]


def _seed(problem: Problem, planner: Planner, seed: int, fresh: bool) -> Trace:
    kept = None if fresh else finished(problem, planner, seed)
    _say(f"{problem.name}: {planner.name} seed {seed}: {'finished before' if kept else 'running'}")
    return kept or run(problem, planner, seed)


def _available(planners: list[Planner]) -> list[Planner]:
    """Return the planners whose environment is there or can be made; name the others."""
    from benchmarks._peer import peer_python

    found = []
    for planner in planners:
        if planner.name.startswith("optuna"):
            try:
                peer_python("optuna-planners")
            except (subprocess.CalledProcessError, OSError) as error:
                _say(f"{planner.name} is left out: its environment cannot be made ({error})")
                continue
        found.append(planner)
    return found


def _table(report: dict[str, Any]) -> str:
    lines = []
    for part in ("problems", "controls"):
        for name, entry in report[part].items():
            lines.append(f"{name}{' (control)' if part == 'controls' else ''}")
            for planner, row in entry["planners"].items():
                low, high = row["iqr"]
                lines.append(
                    f"  {planner:12} trials to target {row['trials_to_target']:5.1f}   regret "
                    f"{row['median_regret']:9.4g} [{low:.4g}, {high:.4g}]   violations "
                    f"{row['violations']:3}   {row['seconds_per_proposal']:.3f} s   "
                    f"{row['traces']}"
                )
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.planners", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--suite", choices=sorted(SUITES), default="quick")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--planners", help="only these, by name, separated by commas")
    parser.add_argument("--problems", help="only these, by name, separated by commas")
    parser.add_argument("--seeds", type=int, help="how many, from 1 on; default: the suite's")
    parser.add_argument("--fresh", action="store_true", help="run finished seeds again")
    return parser.parse_args()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
