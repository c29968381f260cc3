"""The comparison of planners: equal designs, finished seeds, what counts as reached."""

import json
import math
import sys
from pathlib import Path

import pytest

from agents import Continuous, Objective, Observation, Space

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.planners import runs
from benchmarks.planners.planners import Ours, scalar
from benchmarks.planners.problems import Problem, loss, reference
from benchmarks.planners.runs import digest, finished, run, stored, trace_path
from benchmarks.planners.scores import paired, summary, trials_to_target, wins

KEYS = ["median_regret", "iqr", "trials_to_target", "violations", "seconds_per_proposal", "traces"]


def line(budget: int = 6, infeasible_above: float = 2.0) -> Problem:
    """Return a problem with its best at one end: height is x, from 0 to 1."""

    def infeasible(recipe):
        x = float(recipe["x"])
        return [f"x={x} is above {infeasible_above}"] if x > infeasible_above else []

    def truths(recipes):
        return [{"height": float(r["x"])} for r in recipes]

    return Problem(
        name="line",
        space=Space((Continuous("x", 0.0, 1.0),), infeasible=infeasible),
        objectives=(Objective("height", "minimise", max=0.9),),
        truths=truths,
        measure=lambda recipe, number, seed: {"height": Observation(float(recipe["x"]), 0.0)},
        budget=budget,
        initial=3,
        versions={},
        figures={},
    )


class Stubborn:
    """A planner that proposes one x for ever."""

    name = "stubborn"

    def __init__(self, x: float) -> None:
        self.x = x

    def identity(self, problem, seed):
        return {"version": "1", "configuration": {"x": self.x}, "libraries": {}}

    def start(self, problem, seed):
        from contextlib import nullcontext

        return nullcontext(self)

    def propose(self, history):
        from benchmarks.planners.planners import Suggestion

        return Suggestion({"x": self.x}, 0.5)


@pytest.fixture(autouse=True)
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "RESULTS", tmp_path)
    return tmp_path


def test_every_planner_gets_the_same_design():
    problem = line()
    made = [run(problem, planner, 3) for planner in (Ours("random"), Ours("sobol"), Stubborn(0.5))]
    designs = [[t["recipe"] for t in trace["trials"][:3]] for trace in made]
    assert designs[0] == designs[1] == designs[2]
    assert [len(trace["trials"]) for trace in made] == [6, 6, 6]


def test_a_finished_seed_is_read_and_one_of_other_versions_is_not(capsys):
    problem, planner = line(), Stubborn(0.5)
    assert finished(problem, planner, 1) is None
    made = run(problem, planner, 1)
    assert finished(problem, planner, 1) == made
    assert finished(problem, Stubborn(0.4), 1) is None
    assert "of other versions" in capsys.readouterr().err
    assert digest(line(budget=7), planner, 1) != digest(problem, planner, 1)


def test_stored_traces_count_only_when_all_seeds_are_there(results):
    problem = line()
    trace = run(problem, Stubborn(0.5), 1)
    runs.keep(trace_path("line", "ax", 1, "stored"), trace)
    assert stored("line", "ax", [1]) == [json.loads(json.dumps(trace))]
    assert stored("line", "ax", [1, 2]) == []


def test_violations_cost_a_trial_and_teach_nothing():
    problem = line(infeasible_above=0.5)
    trace = run(problem, Stubborn(0.8), 1)
    assert [t["state"] for t in trace["trials"][3:]] == ["failed"] * 3
    row = summary(problem, reference(problem), [trace], "live")
    assert row["violations"] == 3
    assert list(row) == KEYS


def test_a_target_never_reached_counts_as_one_more_than_the_budget():
    problem = line()
    against = reference(problem)
    assert trials_to_target(problem, against, run(problem, Stubborn(0.5), 1)) == 7
    assert trials_to_target(problem, against, run(problem, Stubborn(0.0), 2)) == 4


def test_the_target_is_as_rare_as_stated():
    assert reference(line()).target == pytest.approx(1 / 300, rel=0.5)


def test_outside_a_band_nothing_counts():
    assert math.isinf(loss(line(), {"height": 0.95}))
    bands = Problem(**{**{f: getattr(line(), f) for f in Problem.__dataclass_fields__},
                       "objectives": (Objective("height", "target", 0.5, 0.1),)})  # fmt: skip
    assert loss(bands, {"height": 0.55}) == 0.0
    assert loss(bands, {"height": 0.8}) == pytest.approx(2.0)
    assert scalar(bands, {"height": 0.8}) == (pytest.approx(3.0), [])
    assert scalar(line(), {"height": 0.95}) == (0.95, [pytest.approx(0.05)])


def test_a_gain_is_paired_by_seed():
    gain = paired([10, 20, 30, 40, 41], [15, 25, 35, 41, 41])
    assert gain["median"] == 5.0
    assert 0.0 <= gain["low"] <= 5.0 <= gain["high"] <= 5.0


def test_ratio_above_one_means_that_ours_needs_fewer_trials():
    def row(trials: float) -> dict:
        return dict(zip(KEYS, (0.1, [0, 1], trials, 0, 0.1, "live"), strict=True))

    problems = {"line": {"planners": {"bayes": row(10), "random": row(20), "sobol": row(15)}}}
    counts = {"line": {"bayes": [10], "random": [20], "sobol": [15]}}
    found = wins(problems, counts)
    assert found["problems"]["line"]["best_peer"] == "sobol"
    assert found["median_ratio"] == pytest.approx(1.5)
