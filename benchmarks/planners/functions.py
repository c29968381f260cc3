"""BoTorch's test functions as problems: one mixed, one constrained on a grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version

import numpy as np
import torch
from botorch.test_functions.synthetic import AckleyMixed, PressureVessel
from botorch.utils.sampling import manual_seed

from agents import Categorical, Continuous, Objective, Observation, Recipe, Space
from benchmarks.planners.problems import Problem, Truths

BINARY, NUMBERS = 5, 3
"""Of AckleyMixed; its own default of 50 binary parameters is out of reach for 40 trials."""
OPTIMUM_SEED = 1
VERSIONS = {"botorch": version("botorch"), "torch": version("torch")}


def ackley_mixed() -> Problem:
    """Ackley's function of five switches and three numbers, its optimum at a drawn point."""
    with manual_seed(OPTIMUM_SEED):
        function = AckleyMixed(dim=BINARY + NUMBERS, randomize_optimum=True)
    switches = tuple(Categorical(f"switch_{i}", ("off", "on")) for i in range(BINARY))
    numbers = tuple(Continuous(f"x{i}", 0.0, 1.0) for i in range(NUMBERS))

    def truths(recipes: Sequence[Recipe]) -> list[dict[str, float]]:
        rows = [
            [float(r[s.name] == "on") for s in switches] + [float(r[x.name]) for x in numbers]
            for r in recipes
        ]
        found = function.evaluate_true(torch.tensor(rows, dtype=torch.float64))
        return [{"height": float(v)} for v in found]

    return Problem(
        name="ackley_mixed",
        space=Space((*switches, *numbers)),
        objectives=(Objective("height", "minimise"),),
        truths=truths,
        measure=noisy(truths, {}),
        budget=40,
        initial=10,
        versions=VERSIONS,
        figures={},
        optimum=0.0,
    )


def pressure_vessel() -> Problem:
    """Cheapest pressure vessel: two plate thicknesses in sixteenths, three bounds to keep.

    The fourth bound of the publication, on the length, holds everywhere in BoTorch's box.
    """
    function = PressureVessel()
    (shell, head, radius, length) = function._bounds  # noqa: SLF001 the only place they stand
    step = 0.0625  # thickness of rolled plate [inch], as in the function itself
    parameters = (
        Continuous("shell", *shell, "inch", step=step),
        Continuous("head", *head, "inch", step=step),
        Continuous("radius", *radius, "inch"),
        Continuous("length", *length, "inch"),
    )
    slacks = ("shell_slack", "head_slack", "volume_slack")

    def truths(recipes: Sequence[Recipe]) -> list[dict[str, float]]:
        rows = [[float(r[p.name]) for p in parameters] for r in recipes]
        points = torch.tensor(rows, dtype=torch.float64)
        costs, slack = function.evaluate_true(points), function.evaluate_slack_true(points)
        return [
            {"cost": float(c), **{n: float(v) for n, v in zip(slacks, row[:3], strict=True)}}
            for c, row in zip(costs, slack, strict=True)
        ]

    return Problem(
        name="pressure_vessel",
        space=Space(parameters),
        objectives=(
            Objective("cost", "minimise"),
            *(Objective(name, "constraint", min=0.0) for name in slacks),
        ),
        truths=truths,
        measure=noisy(truths, {}),
        budget=40,
        initial=10,
        versions=VERSIONS,
        figures={},
        optimum=float(function.optimal_value),
    )


def noisy(
    truths: Truths, deviations: Mapping[str, float]
) -> Callable[[Recipe, int, int], Mapping[str, Observation]]:
    """Return measurements of `truths` with normal noise, keyed by (seed, trial number)."""

    def measure(recipe: Recipe, number: int, seed: int) -> Mapping[str, Observation]:
        generator = np.random.default_rng((seed, number))
        (truth,) = truths([recipe])
        found = {}
        for name, value in sorted(truth.items()):
            deviation = deviations.get(name, 0.0)
            found[name] = Observation(value + deviation * float(generator.normal()), deviation)
        return found

    return measure
