"""The agent and the station of the how-to pages work, and not only parse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from _markdown import Block, blocks

from agents import Agent, Categorical, Continuous, Objective, Observation, PastTrial, Space
from agents.testing import AgentConformance
from instruments import AttemptKey, RecipeRefusedError


def _defined(page: str, name: str) -> Any:
    found: list[Block] = [
        b for b in blocks("python") if page in b.place and f"class {name}" in b.text
    ]
    assert len(found) == 1, f"{page} must define {name} once"
    scope: dict[str, Any] = {"__name__": "documented"}
    exec(compile(found[0].text, found[0].place, "exec"), scope)
    return scope[name]


SPACE = Space((Continuous("x", 0.0, 1.0, "mm"), Categorical("salt", ("none", "ZnCl2"))))
GOAL = (Objective("peak_emission", "target", 515.0, 2.0, unit="nm"),)


def _past(number: int, x: float, seen: float) -> PastTrial:
    observables = {"peak_emission": Observation(seen, 0.1)}
    return PastTrial(number, "completed", {"x": x, "salt": "none"}, {}, observables)


def test_documented_agent_proposes_near_the_best_trial() -> None:
    agent = _defined("add-an-agent", "NeighbourAgent")(width=0.01)
    history = [_past(1, 0.2, 480.0), _past(2, 0.7, 514.0), _past(3, 0.9, 540.0)]
    made = agent.propose(SPACE, GOAL, history, 5, seed=3)
    assert made == agent.propose(SPACE, GOAL, history, 5, seed=3)
    assert all(SPACE.violations(p.recipe) == [] for p in made) and len(made) == 5
    assert all(abs(float(p.recipe["x"]) - 0.7) < 0.1 for p in made)
    assert len(agent.propose(SPACE, GOAL, [], 2, seed=3)) == 2


class TestDocumentedAgent(AgentConformance):
    """The example keeps every promise of an agent."""

    @pytest.fixture
    def agent(self) -> Agent:
        agent: Agent = _defined("add-an-agent", "NeighbourAgent")(width=0.2)
        return agent


def test_documented_station_keeps_the_contract() -> None:
    station = _defined("add-a-station", "LampBench")(lab={"hidden": 4}, seed=0)
    station.open()
    station.restore({})
    first = station.run({"filter": 515.0}, AttemptKey(1, 1))
    again = _defined("add-a-station", "LampBench")(lab={"hidden": 4}, seed=9)
    again.restore({})
    same = again.run({"filter": 515.0}, AttemptKey(1, 1))
    assert np.array_equal(first.spectra[0].values, same.spectra[0].values)
    other = again.run({"filter": 515.0}, AttemptKey(1, 2))
    assert not np.array_equal(first.spectra[0].values, other.spectra[0].values)
    assert again.lab_time == 60.0 and other.station_state == {"clock": 60.0}
    peak = station.analyse(first).observables["peak_emission"]
    assert abs(peak.value - 515.0) < 5.0 * peak.se < 1.0
    with pytest.raises(RecipeRefusedError, match="400 to 700"):
        station.run({"filter": 900.0}, AttemptKey(2, 1))
    station.close()
