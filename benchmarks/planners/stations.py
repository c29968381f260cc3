"""Our own stations on hidden labs as problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path

from agents import Observation, Recipe
from benchmarks.planners.problems import Problem
from instruments import AttemptKey
from orchestrator.campaign import check_campaign, read_document
from orchestrator.loop import feasibility, station_of

ROOT = Path(__file__).resolve().parents[2]
TRUTH_ATTEMPT = 2


def flow_green() -> Problem:
    """Green, narrow and bright dots from the flow line: the goal of `examples/flow_green.yaml`.

    Every trial meets the laboratory as it is on its first day: planners are compared, not drift.
    The truth is a second measurement of the recipe, with noise that no planner has seen.
    """
    campaign = check_campaign(read_document(ROOT / "examples" / "flow_green.yaml"))
    station = station_of(campaign)
    station.open()

    @cache
    def measured(
        key: tuple[tuple[str, float | int | str], ...], number: int, attempt: int
    ) -> dict[str, Observation]:
        station.restore({})
        analysis = station.analyse(station.run(dict(key), AttemptKey(number, attempt)))
        if analysis.verdict.kind == "stop" or analysis.verdict.failure:
            return {}
        return {n: Observation(v.value, v.se) for n, v in analysis.observables.items()}

    def truths(recipes: Sequence[Recipe]) -> list[dict[str, float]]:
        return [
            {n: o.value for n, o in measured(tuple(r.items()), 1, TRUTH_ATTEMPT).items()}
            for r in recipes
        ]

    def measure(recipe: Recipe, number: int, seed: int) -> Mapping[str, Observation]:
        return measured(tuple(recipe.items()), 1000 * seed + number, 1)

    return Problem(
        name="flow_green",
        space=replace(campaign.space, infeasible=feasibility(station)),
        objectives=tuple(campaign.objectives),
        truths=truths,
        measure=measure,
        budget=30,
        initial=8,
        versions={"dotpilot": version("dotpilot"), "lab_seed": str(campaign.lab_seed)},
        figures={},
    )
