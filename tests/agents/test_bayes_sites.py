"""Labs that run the same station differ by an offset, which is learnt and not averaged."""

import math

import numpy as np
import pytest
import torch

from agents.bayes._model import learn, sites
from agents.bayes._process import NOWHERE, _Posterior
from agents.encoding import Encoding
from agents.history import Observation, PastTrial
from agents.space import Continuous, Space

SPACE = Space((Continuous("amine", 0.0, 1.0, "mol/L"), Continuous("acid", 0.0, 1.0, "mol/L")))


def outcome(amine, acid):
    return 500.0 + 20.0 * math.sin(3.0 * amine) - 12.0 * acid


def record(count, offset, *, told=True, seed=3):
    """Trials of two labs in which the second one, which tries acid-rich recipes, reads high."""
    draw = np.random.default_rng(seed)
    found = []
    for number in range(count):
        second = number % 2 == 1
        recipe = {
            "amine": float(draw.uniform()),
            "acid": float(draw.uniform(0.3, 1.0) if second else draw.uniform(0.0, 0.7)),
        }
        value = outcome(**recipe) + offset * second + float(draw.normal(0.0, 0.3))
        context = {"lab": "berlin" if second else "austin"} if told else {}
        found.append(
            PastTrial(number, "completed", recipe, {}, {"peak": Observation(value, 0.3)}, context)
        )
    return found


def slope_error(history):
    """Root mean square error of differences between recipes [nm]: what a choice rests on."""
    encoding = Encoding(SPACE)
    model = learn(encoding, history, ["peak"])
    grid = [{"amine": a, "acid": b} for a in np.linspace(0, 1, 6) for b in np.linspace(0, 1, 6)]
    mean, _ = model.marginals(torch.as_tensor(encoding.columns(encoding.rows(grid))))
    wrong = mean[:, 0].numpy() - np.array([outcome(**r) for r in grid])
    return float(np.std(wrong))


def test_an_offset_between_labs_is_learnt_and_not_taken_for_chemistry():
    equal = slope_error(record(24, 0.0, told=False))  # what can be learnt without any offset
    for offset in (2.0, 8.0, 30.0):
        assert slope_error(record(24, offset)) < 1.2 * equal
    assert slope_error(record(24, 8.0, told=False)) > 4.0 * equal


def test_labs_that_agree_are_no_worse_for_being_told_apart():
    assert slope_error(record(24, 0.0)) < 1.2 * slope_error(record(24, 0.0, told=False))


def test_one_lab_has_no_offset_to_learn():
    history = [t for t in record(12, 8.0) if t.context["lab"] == "austin"]
    assert sites(history) is None
    assert learn(Encoding(SPACE), history, ["peak"]).processes["peak"].sites is None


def test_what_is_believed_belongs_to_no_lab():
    model = learn(Encoding(SPACE), record(12, 8.0), ["peak"])
    believed = model.believing(torch.tensor([[0.5, 0.5]], dtype=torch.float64))
    assert int(believed.processes["peak"].sites[-1]) == NOWHERE


def test_the_posterior_of_several_labs_has_the_gradient_of_its_differences():
    draw = np.random.default_rng(1)
    x = torch.as_tensor(draw.uniform(size=(9, 2)))
    y = torch.as_tensor(draw.normal(size=9))
    labs = torch.as_tensor([0, 1, 0, 1, 2, 2, NOWHERE, NOWHERE, 1])
    objective = _Posterior(x, y, torch.full_like(y, 0.01), np.array([0, 1]), labs)
    theta = objective.start + 0.3
    _, gradient = objective(theta)
    for i in range(len(theta)):
        step = np.zeros_like(theta)
        step[i] = 1e-6
        up, down = objective(theta + step)[0], objective(theta - step)[0]
        assert gradient[i] == pytest.approx((up - down) / 2e-6, rel=1e-4, abs=1e-6)
