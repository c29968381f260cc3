"""A value that has not come yet is no failure, and no invitation to make the same once more."""

from __future__ import annotations

import numpy as np
import pytest

from agents import Continuous, Objective, Observation, PastTrial, Space, create_agent
from agents.bayes._model import FEASIBILITY, learn
from agents.encoding import Encoding

SPACE = Space((Continuous("x", 0.0, 1.0, "mm"),))


def goal(later: bool) -> tuple[Objective, ...]:
    return (
        Objective("peak", "constraint", min=500.0, max=530.0, unit="nm"),
        Objective("tem_size", "minimise", unit="nm", later=later),
    )


def past(number: int, x: float, sized: bool) -> PastTrial:
    seen = {"peak": Observation(510.0 + 5.0 * x, 0.2)}
    if sized:
        seen["tem_size"] = Observation(8.0 + 4.0 * (x - 0.6) ** 2, 0.05)
    return PastTrial(number, "completed", {"x": x}, {}, seen)


HISTORY = [past(n, x, x < 0.55) for n, x in enumerate(np.linspace(0.05, 0.95, 8), start=1)]


def test_what_comes_later_teaches_no_infeasibility() -> None:
    names = ("peak", "tem_size")
    model = learn(Encoding(SPACE), HISTORY, names, {"tem_size"})
    assert FEASIBILITY not in model.processes, "a trial that waits for its size has not failed"
    assert model.names == names
    assert FEASIBILITY in learn(Encoding(SPACE), HISTORY, names).processes


def test_the_agent_learns_from_those_trials_whose_value_came() -> None:
    """The smallest size is at 0.6, and every other trial says so."""
    agent = create_agent("bayes", {"initial": 2})
    history = [past(n, x, n % 2 == 1) for n, x in enumerate(np.linspace(0.05, 0.95, 9), start=1)]
    (made,) = agent.propose(SPACE, goal(True), history, 1, seed=4)
    assert abs(float(made.recipe["x"]) - 0.6) < 0.1
    assert made.predicted["tem_size"].value < 8.5 and "peak" in made.predicted


def test_a_trial_that_waits_is_not_made_again_and_again() -> None:
    """Ten steps without an answer from the microscope spread out instead of piling up."""
    agent = create_agent("bayes", {"initial": 2})
    history = list(HISTORY[:5])
    for number in range(6, 16):
        (made,) = agent.propose(SPACE, goal(True), history, 1, seed=number)
        history.append(past(number, float(made.recipe["x"]), sized=False))
    places = np.sort([float(t.recipe["x"]) for t in history[5:]])
    assert np.ptp(places) > 0.15
    assert np.median(np.diff(places)) > 0.005


@pytest.mark.parametrize("known", [0, 1, 2])
def test_few_or_no_later_values_are_enough_to_go_on(known: int) -> None:
    agent = create_agent("bayes", {"initial": 2})
    history = [past(n, 0.1 * n, n <= known) for n in range(1, 7)]
    (made,) = agent.propose(SPACE, goal(True), history, 1, seed=2)
    assert ("tem_size" in made.predicted) == (known >= 2)
