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


def read_back(size, asked=0.5):
    """The record whose fourth trial's amine was read back as `size` [mol/L]."""
    trials = list(record())
    trials[3] = PastTrial(
        4, "completed", {"amine": asked}, {"amine": size}, {"peak": Observation(510.0, 0.1)}
    )
    return tuple(trials)


@pytest.mark.parametrize("size", [1e160, 1e300, -1e300])
def test_an_impossible_achieved_value_counts_as_what_was_asked_for(size):
    """Records from before such results were refused may hold one; it ended the campaign."""
    agent = create_agent("bayes")
    (proposal,) = agent.propose(SPACE, GOAL, read_back(size), 1, 1)
    (without,) = agent.propose(SPACE, GOAL, read_back(0.5), 1, 1)
    assert proposal.recipe == without.recipe and "warnings" not in without.details
    assert proposal.details["warnings"] == [
        f"trial 4: amine cannot have been {size:g}, so what was asked for is taken: 0.5"
    ]


def test_what_was_achieved_beyond_the_space_is_still_learned_from():
    (told,) = create_agent("bayes").propose(SPACE, GOAL, read_back(1.5), 1, 1)
    (asked,) = create_agent("bayes").propose(SPACE, GOAL, read_back(0.5), 1, 1)
    assert told.predicted != asked.predicted and "warnings" not in told.details
