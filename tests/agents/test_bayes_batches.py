"""A plate is not one recipe many times, and a value that did not come is a lesson."""

from __future__ import annotations

import itertools

import numpy as np

from agents import Continuous, Objective, Observation, PastTrial, Space, create_agent

SPACE = Space((Continuous("x", 0.0, 1.0, "mm"), Continuous("y", 0.0, 1.0, "mm")))
BRIGHT = (Objective("intensity", "maximise"),)


def bright(number: int, x: float, y: float) -> PastTrial:
    """A trial of a broad hill that scatters as wells do."""
    height = np.exp(-2.0 * ((x - 0.6) ** 2 + (y - 0.4) ** 2)) * (
        1.0 + 0.05 * np.sin(37.0 * number)
    )
    seen = {"intensity": Observation(100.0 * float(height), 5.0)}
    return PastTrial(number, "completed", {"x": x, "y": y}, {}, seen)


def test_a_batch_does_not_pile_up_at_one_recipe() -> None:
    places = itertools.product((0.1, 0.4, 0.8), (0.2, 0.5, 0.9))
    history = [bright(n, x, y) for n, (x, y) in enumerate(places, 1)]
    made = create_agent("bayes", {"initial": 2}).propose(SPACE, BRIGHT, history, 8, seed=3)
    points = np.array([[float(p.recipe["x"]), float(p.recipe["y"])] for p in made])
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)[np.triu_indices(8, 1)]
    # each proposal has to beat those before it, or the best place would fill the plate
    assert np.median(apart) > 0.1
    assert np.ptp(points, axis=0).max() > 0.2


def test_a_place_that_gives_no_value_is_left() -> None:
    goal = (Objective("mean_size", "target", 8.0, 0.2, unit="nm"),)
    space = Space((Continuous("x", 0.0, 1.0, "mm"),))
    seen = [
        PastTrial(n, "completed", {"x": x}, {}, {"mean_size": Observation(6.0 + 4.0 * x, 0.02)})
        for n, x in enumerate((0.05, 0.2, 0.35), 1)
    ]
    blind = [PastTrial(n, "completed", {"x": 0.5}, {}, {}) for n in (4, 5, 6)]
    agent = create_agent("bayes", {"initial": 2})
    (first,) = agent.propose(space, goal, seen, 1, seed=1)
    assert abs(float(first.recipe["x"]) - 0.5) < 0.05, "the goal is met there, as far as is known"
    (after,) = agent.propose(space, goal, seen + blind, 1, seed=1)
    assert abs(float(after.recipe["x"]) - 0.5) > 0.01
