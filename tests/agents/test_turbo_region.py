"""The trust region is a function of the record: each rule of its publication, and restarts."""

import pytest

from agents import Continuous, Objective, Observation, PastTrial, Space
from agents.bayes._goals import read_goals
from agents.turbo import LENGTH, LENGTH_MIN, TurboAgent, Worth, region

OBJECTIVES = (Objective("height", "minimise"),)
GOALS = read_goals(OBJECTIVES)
DIMENSION = 2


def record(values: list[float]) -> list[PastTrial]:
    return [
        PastTrial(i, "completed", {"x": i / 1000, "y": 0.5}, {}, {"height": Observation(value)})
        for i, value in enumerate(values, start=1)
    ]


def test_three_successes_double_the_region_and_the_centre_follows():
    state = region(GOALS, record([10.0, 9.0, 8.0, 7.0, 6.0]), 2, DIMENSION)
    assert (state.length, state.successes, state.centre) == (2 * LENGTH, 0, 4)


def test_the_design_counts_neither_way():
    assert region(GOALS, record([10.0, 9.0, 8.0, 7.0]), 4, DIMENSION).successes == 0


def test_four_failures_halve_the_region_and_a_success_in_between_starts_the_count_anew():
    assert region(GOALS, record([5.0] * 2 + [6.0] * 4), 2, DIMENSION).length == LENGTH / 2
    mixed = region(GOALS, record([5.0] * 2 + [6.0] * 3 + [4.0] + [6.0] * 3), 2, DIMENSION)
    assert (mixed.length, mixed.failures) == (LENGTH, 3)


def test_more_parameters_allow_more_failures():
    assert region(GOALS, record([5.0] * 2 + [6.0] * 4), 2, 9).length == LENGTH


def test_a_failed_trial_is_a_failure_and_an_abandoned_one_is_nothing():
    past = record([5.0, 5.0])
    failed = [PastTrial(3, "failed", {"x": 0.1, "y": 0.1})]
    abandoned = [PastTrial(4, "abandoned", {"x": 0.2, "y": 0.1})]
    assert region(GOALS, past + failed + abandoned, 2, DIMENSION).failures == 1


def test_a_region_that_shrinks_away_starts_anew_with_a_design_of_its_own():
    halvings = 0
    while LENGTH / 2**halvings >= LENGTH_MIN:
        halvings += 1
    past = record([1.0, 2.0] + [3.0] * (4 * halvings))
    state = region(GOALS, past, 2, DIMENSION)
    assert (state.start, state.length, state.restarts) == (len(past), LENGTH, 1)
    agent = TurboAgent(initial=2)
    space = Space((Continuous("x", 0.0, 1.0), Continuous("y", 0.0, 1.0)))
    (proposal,) = agent.propose(space, OBJECTIVES, past, 1, 5)
    assert proposal.policy == "sobol"


@pytest.mark.parametrize(
    ("new", "old", "better"),
    [
        (Worth(0.0, -9.0), Worth(0.5, 9.0), True),  # inside beats outside, whatever the value
        (Worth(0.4, 0.0), Worth(0.5, 9.0), True),
        (Worth(0.5, 9.0), Worth(0.0, -9.0), False),
        (Worth(0.0, 1.0005), Worth(0.0, 1.0), False),  # less than a thousandth is no success
        (Worth(0.0, 1.002), Worth(0.0, 1.0), True),
    ],
)
def test_what_counts_as_a_success(new: Worth, old: Worth, better: bool):
    assert new.beats(old) is better


def test_proposals_stay_inside_the_region():
    past = record([5.0, 4.0] + [6.0] * 12)  # three halvings: a tenth of the cube
    space = Space((Continuous("x", 0.0, 1.0), Continuous("y", 0.0, 1.0)))
    (proposal,) = TurboAgent(initial=2).propose(space, OBJECTIVES, past, 1, 3)
    assert proposal.details["length"] == LENGTH / 8
    assert 0.2 < float(proposal.recipe["y"]) < 0.8  # lengthscales stretch sides, not eightfold
