"""A value that cannot be true is set aside: it may not end a campaign, nor hide the others."""

import numpy as np
import pytest
import torch

from agents import Objective, create_agent
from agents.bayes._model import learn
from agents.encoding import Encoding
from agents.history import Observation, PastTrial
from agents.space import Continuous, Space

SPACE = Space((Continuous("amine", 0.0, 1.0, "mol/L"),))
GOAL = (Objective("peak", "target", 515.0, 3.0),)


def record(*odd):
    values = [500.0 + 20.0 * x for x in np.linspace(0.0, 1.0, 8)]
    return tuple(
        PastTrial(n, "completed", {"amine": (n - 1) / 8}, {}, {"peak": Observation(v, 0.1)})
        for n, v in enumerate([*values, *odd], start=1)
    )


@pytest.mark.parametrize("odd", [-1e18, -1e30, 1e200, 1e308])
def test_an_impossible_value_ends_no_campaign(odd):
    (proposal,) = create_agent("bayes").propose(SPACE, GOAL, record(odd), 1, 1)
    assert 0.0 <= proposal.recipe["amine"] <= 1.0


def test_the_others_are_learned_as_if_it_were_not_there():
    encoding = Encoding(SPACE)
    points = torch.linspace(0.0, 1.0, 5)[:, None].double()
    with_it = learn(encoding, record(-1e30), ["peak"]).marginals(points)[0]
    without = learn(encoding, record(), ["peak"]).marginals(points)[0]
    assert torch.equal(with_it, without)
