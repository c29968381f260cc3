"""What the Bayesian planner does with archives: representatives, scales, remembered fits."""

import numpy as np
import pytest
import torch

from agents import Continuous, Objective, PastTrial, Space
from agents.bayes import BayesAgent, _process
from agents.bayes._goals import read_goals
from agents.bayes._inputs import Inputs
from agents.bayes._representatives import representatives
from agents.bayes._warp import Warp, fit_warped, in_model_units
from agents.encoding import Encoding
from agents.errors import ProposalError
from agents.history import Observation

PLANE = (Continuous("x", 0.0, 1.0), Continuous("y", 0.0, 1.0))


def crowd(centre: tuple[float, float], count: int, seed: int) -> list[dict[str, float]]:
    """Candidates scattered about a centre."""
    offsets = np.random.default_rng(seed).normal(0.0, 0.02, (count, 2))
    return [{"x": centre[0] + float(a), "y": centre[1] + float(b)} for a, b in offsets]


def test_representatives_stand_for_every_crowd_and_not_for_stragglers():
    crowds = [crowd(c, 20, s) for s, c in enumerate([(0.2, 0.2), (0.8, 0.2), (0.5, 0.8)])]
    space = Space(PLANE, candidates=(*crowds[0], *crowds[1], *crowds[2], {"x": 0.99, "y": 0.99}))
    for seed in range(5):
        picked = [p.recipe for p in representatives(space, [], 3, seed)]
        assert sorted(next(k for k, c in enumerate(crowds) if p in c) for p in picked) == [0, 1, 2]


def test_representatives_go_on_from_what_was_made():
    crowds = [crowd((0.2, 0.2), 10, 0), crowd((0.8, 0.8), 10, 1)]
    space = Space(PLANE, candidates=(*crowds[0], *crowds[1]))
    made = [PastTrial(1, "completed", crowds[0][0])]
    (pick,) = representatives(space, made, 1, 0)
    assert pick.recipe in crowds[1]
    assert representatives(space, made, 1, 0) == [pick]


def test_representatives_refuse_more_than_are_left():
    space = Space(PLANE, candidates=tuple(crowd((0.5, 0.5), 3, 0)))
    with pytest.raises(ProposalError, match="only 3 of the candidates"):
        representatives(space, [], 4, 0)


def _fitted(values):
    space = Space(PLANE)
    columns = np.random.default_rng(0).random((len(values), 2))
    return fit_warped(columns, values, np.zeros(len(values)), Inputs(Encoding(space)))


def test_skewed_positive_values_are_modelled_by_their_logarithm_and_others_are_not():
    draws = np.random.default_rng(1).normal(0.0, 0.6, 40)
    assert _fitted(np.exp(draws) * 20.0).log
    assert not _fitted(20.0 + draws).log
    assert not _fitted(np.exp(draws) - 0.5).log


def test_moments_of_a_logarithm_are_those_of_its_exponential():
    sample = np.exp(np.random.default_rng(2).normal(1.0, 0.3, 400_000))
    mean, sd = Warp(log=True).moments(1.0, 0.09)
    assert (mean, sd) == pytest.approx((sample.mean(), sample.std()), rel=0.01)
    assert Warp().moments(1.0, 0.09) == pytest.approx((1.0, 0.3))


def test_bounds_follow_the_scale_of_the_model():
    goals = read_goals([Objective("width", "constraint", min=0.0, max=20.0)])
    model = {"width": _fitted(np.exp(np.random.default_rng(1).normal(3.0, 0.6, 40)))}
    low, high = in_model_units(goals, model).bands["width"]
    assert low == -np.inf and high == pytest.approx(np.log(20.0))


def test_predictions_come_in_natural_units_whatever_the_model():
    generator = np.random.default_rng(3)
    past = [
        PastTrial(k, "completed", r, observables={"width": Observation(float(w), 0.0)})
        for k, (r, w) in enumerate(
            zip(crowd((0.5, 0.5), 20, 4), np.exp(generator.normal(3.0, 0.6, 20)), strict=True), 1
        )
    ]
    objectives = [Objective("width", "minimise")]
    (proposal,) = BayesAgent(initial=4).propose(Space(PLANE), objectives, past, 1, 0)
    assert 5.0 < proposal.predicted["width"].value < 80.0


def test_what_was_learnt_before_changes_no_number():
    generator = np.random.default_rng(5)
    x = torch.as_tensor(generator.random((30, 2)))
    values, errors = generator.normal(size=30), np.zeros(30)
    groups = np.arange(2)
    fits = [_process.fit_process(x.numpy(), values, errors, groups) for _ in range(2)]
    _process._KNOWN.clear()
    fits.append(_process.fit_process(x.numpy(), values, errors, groups))
    assert len({f.noise for f in fits}) == 1
    assert all(torch.equal(f.weights, fits[0].weights) for f in fits)


def test_the_latest_observations_count_even_between_two_fits():
    x = np.linspace(0.0, 1.0, 29)[:, None]
    values, errors = np.sin(6.0 * x[:, 0]), np.zeros(29)
    groups = np.zeros(1, dtype=np.int64)
    moved = np.append(values[:-1], 3.0)
    at = torch.ones(1, 1, dtype=torch.float64)
    before, after = (
        float(_process.fit_process(x, v, errors, groups).predict(at)[0]) for v in (values, moved)
    )
    assert after > before + 0.1
