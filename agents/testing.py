"""Conformance suite of agents: inherit `AgentConformance` and give one fixture.

    class TestMine(AgentConformance):
        @pytest.fixture
        def agent(self) -> Agent:
            return MyAgent(initial=3)

Every promise of `agents.protocol.Agent` has a test here. The agent given should leave its
start-up design within six trials, so that its model is tried as well.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from agents.encoding import Encoding
from agents.errors import AgentOptionError, ProposalError
from agents.explain import Explainable
from agents.history import Observation, PastTrial, TrialState
from agents.objective import Objective
from agents.protocol import Agent, Proposal
from agents.sampling import recipe_key, sample_space
from agents.space import (
    Categorical,
    Condition,
    Continuous,
    Fixed,
    LinearConstraint,
    Recipe,
    Space,
    Value,
)

OBJECTIVES = (
    Objective("peak", "target", value=520.0, tolerance=3.0, unit="nm"),
    Objective("width", "minimise", max=30.0, unit="nm"),
    Objective("brightness", "maximise", min=0.3),
)


def awkward_space() -> Space:
    """Return a space with every kind of parameter, a constraint and a condition."""
    salted = Condition("salt", ("ZnCl2", "ZnI2"))
    return Space(
        parameters=(
            Continuous("lead", 0.001, 0.1, "mol/L", log=True),
            Continuous("ratio", 0.1, 1.0),
            Continuous("acid", 0.0, 1.0),
            Continuous("speed", 10.0, 100.0, "mm/s", step=7.0),
            Continuous("cycles", 1, 9, integer=True),
            Categorical("format", ("single", "gas", "oil")),
            Categorical("salt", ("none", "ZnCl2", "ZnI2")),
            Continuous("salt_amount", 0.01, 1.0, "mol/L", log=True, when=salted),
            Categorical("ligand", ("short", "long"), when=salted),
            Fixed("temperature", 25.0, "degC"),
        ),
        constraints=(LinearConstraint((("ratio", 1.0), ("acid", 1.0)), 1.2, "ratio + acid"),),
    )


def tight_space() -> Space:
    """Return a space of which a known nonlinear limit leaves some two hundredths."""

    def infeasible(recipe: Recipe) -> Sequence[str]:
        x, y = float(recipe["x"]), float(recipe["y"])
        distance = abs(x * y - 0.25)
        return () if distance <= 0.005 else (f"product is off by {distance}",)

    return Space((Continuous("x", 0.0, 1.0), Continuous("y", 0.0, 1.0)), infeasible=infeasible)


def candidate_space(count: int = 12) -> Space:
    """Return the awkward space restricted to `count` recipes."""
    space = awkward_space()
    recipes = tuple(sample_space(space, count, 11))
    return Space(space.parameters, space.constraints, candidates=recipes)


def respond(recipe: Recipe) -> dict[str, Observation]:
    """Return smooth made-up observables of any recipe."""
    numbers = [float(v) for _, v in sorted(recipe.items()) if not isinstance(v, str)]
    words = [len(v) for _, v in sorted(recipe.items()) if isinstance(v, str)]
    total = sum(math.atan(x) for x in numbers) + 0.1 * sum(words)
    return {
        "peak": Observation(505.0 + 3.0 * total, 0.2),
        "width": Observation(24.0 + math.sin(total), 0.1),
        "brightness": Observation(0.5 + 0.3 * math.cos(total), 0.01),
    }


def trials(
    recipes: Sequence[Mapping[str, Value]], state: TrialState = "completed", first: int = 1
) -> list[PastTrial]:
    """Return trials of `recipes`, numbered from `first`, with observables where completed."""
    return [
        PastTrial(
            first + i, state, dict(r), observables=respond(r) if state == "completed" else {}
        )
        for i, r in enumerate(recipes)
    ]


class AgentConformance:
    """What every agent keeps; inherit and give the fixture `agent`."""

    @pytest.fixture
    def agent(self) -> Agent:
        """Return the agent under test, with options that end its start-up within six trials."""
        raise NotImplementedError

    @pytest.fixture
    def space(self) -> Space:
        """Return the space that most tests use."""
        return awkward_space()

    @pytest.fixture
    def past(self, space: Space) -> list[PastTrial]:
        """Return twelve completed trials."""
        return trials(sample_space(space, 12, 3))

    def test_equal_inputs_give_equal_proposals(
        self, agent: Agent, space: Space, past: list[PastTrial]
    ) -> None:
        """Purity: another call in between and another instance change nothing."""
        twin = type(agent)(**agent.configuration)
        before = agent.propose(space, OBJECTIVES, past, 2, 7)
        agent.propose(space, OBJECTIVES, past[:7], 1, 8)
        assert agent.propose(space, OBJECTIVES, past, 2, 7) == before  # noqa: S101
        assert twin.propose(space, OBJECTIVES, past, 2, 7) == before  # noqa: S101

    def test_global_random_state_is_neither_read_nor_changed(
        self, agent: Agent, space: Space, past: list[PastTrial]
    ) -> None:
        """Numpy's global generator is as it was, and its state does not matter."""
        np.random.seed(1)
        first = agent.propose(space, OBJECTIVES, past, 1, 7)
        mark = np.random.random()
        np.random.seed(1)
        assert np.random.random() == mark  # noqa: S101
        assert agent.propose(space, OBJECTIVES, past, 1, 7) == first  # noqa: S101

    def test_inputs_are_left_alone(
        self, agent: Agent, space: Space, past: list[PastTrial]
    ) -> None:
        """The history is read only."""
        copy = [
            PastTrial(t.number, t.state, dict(t.recipe), {}, dict(t.observables)) for t in past
        ]
        agent.propose(space, OBJECTIVES, past, 2, 7)
        assert past == copy  # noqa: S101

    @pytest.mark.parametrize("count", [0, 3, 12])
    def test_proposals_are_inside_and_distinct(
        self, agent: Agent, space: Space, past: list[PastTrial], count: int
    ) -> None:
        """A batch of four from nothing, from a start and from a history."""
        _assert_sound(space, agent.propose(space, OBJECTIVES, past[:count], 4, 5), 4)

    def test_tight_feasibility_is_kept(self, agent: Agent) -> None:
        """Two hundredths of the box are feasible; every proposal is among them."""
        space = tight_space()
        past = trials(sample_space(space, 8, 2))
        _assert_sound(space, agent.propose(space, OBJECTIVES, past, 2, 5), 2)

    def test_an_empty_space_is_refused_by_name(self, agent: Agent) -> None:
        """Nothing is feasible: the message says what refuses."""
        space = Space(
            (Continuous("x", 0.0, 1.0),), infeasible=lambda _: ("the pump is too small",)
        )
        with pytest.raises(ProposalError, match="the pump is too small"):
            agent.propose(space, OBJECTIVES, [], 1, 0)

    @pytest.mark.parametrize("state", ["pending", "in_doubt"])
    def test_what_is_under_way_is_not_proposed_again(
        self, agent: Agent, past: list[PastTrial], state: TrialState
    ) -> None:
        """Four recipes in all, three under way: only the fourth is left."""
        space = Space((Categorical("a", ("p", "q")), Categorical("b", ("r", "s"))))
        every: list[dict[str, Value]] = [{"a": a, "b": b} for a in "pq" for b in "rs"]
        history = trials(every) + trials(every[:3], state, first=5)
        (proposal,) = agent.propose(space, OBJECTIVES, history, 1, 4)
        assert proposal.recipe == every[3]  # noqa: S101

    def test_failures_alone_are_a_history(self, agent: Agent, space: Space) -> None:
        """No value has come yet."""
        history = trials(sample_space(space, 8, 3), "failed")
        _assert_sound(space, agent.propose(space, OBJECTIVES, history, 2, 5), 2)

    def test_every_state_may_occur(
        self, agent: Agent, space: Space, past: list[PastTrial]
    ) -> None:
        """A history with one trial of each state."""
        states: list[TrialState] = ["failed", "rejected", "abandoned", "pending", "in_doubt"]
        recipes = sample_space(space, 5, 9)
        odd = [
            trials([r], s, 13 + i)[0] for i, (r, s) in enumerate(zip(recipes, states, strict=True))
        ]
        _assert_sound(space, agent.propose(space, OBJECTIVES, past + odd, 2, 5), 2)

    def test_observables_may_be_missing(
        self, agent: Agent, space: Space, past: list[PastTrial]
    ) -> None:
        """Brightness was measured only now and then, and once nothing was."""
        thinned = [
            PastTrial(
                t.number, t.state, t.recipe,
                observables={} if i == 5 else {
                    k: o for k, o in t.observables.items() if k != "brightness" or i % 3 == 0
                },
            )
            for i, t in enumerate(past)
        ]  # fmt: skip
        _assert_sound(space, agent.propose(space, OBJECTIVES, thinned, 2, 5), 2)

    @pytest.mark.parametrize("known", [0, 1, 4])
    def test_values_may_come_later(
        self, agent: Agent, space: Space, past: list[PastTrial], known: int
    ) -> None:
        """Of an objective whose values come days later, only some trials have one yet."""
        later = (*OBJECTIVES[:2], replace(OBJECTIVES[2], later=True))
        history = [
            replace(t, observables={k: o for k, o in t.observables.items() if k != "brightness"})
            if i >= known
            else t
            for i, t in enumerate(past)
        ]
        _assert_sound(space, agent.propose(space, later, history, 2, 5), 2)

    def test_replicates_are_a_history(self, agent: Agent, space: Space) -> None:
        """The same recipe with the same values over and over."""
        history = trials(sample_space(space, 1, 3) * 8)
        _assert_sound(space, agent.propose(space, OBJECTIVES, history, 2, 5), 2)

    def test_achieved_values_may_leave_the_bounds(
        self, agent: Agent, space: Space, past: list[PastTrial]
    ) -> None:
        """A read-back a little outside is no reason to fail."""
        history = [
            PastTrial(t.number, t.state, t.recipe, {"acid": 1.03, "lead": 0.0}, t.observables)
            for t in past
        ]
        _assert_sound(space, agent.propose(space, OBJECTIVES, history, 1, 5), 1)

    def test_candidates_are_picked_once_each_until_none_is_left(self, agent: Agent) -> None:
        """Twelve steps pick the twelve candidates; a thirteenth is refused."""
        space = candidate_space()
        history: list[PastTrial] = []
        for step in range(12):
            (proposal,) = agent.propose(space, OBJECTIVES, history, 1, step)
            history += trials([proposal.recipe], first=step + 1)
        picked = {recipe_key(t.recipe) for t in history}
        assert picked == {recipe_key(c) for c in space.candidates or ()}  # noqa: S101
        with pytest.raises(ProposalError, match="candidates"):
            agent.propose(space, OBJECTIVES, history, 1, 13)

    def test_configuration_and_reasons_are_json(
        self, agent: Agent, space: Space, past: list[PastTrial]
    ) -> None:
        """What the ledger stores can be stored, without NaN."""
        json.dumps(agent.configuration, allow_nan=False)
        assert agent.libraries  # noqa: S101
        for proposal in agent.propose(space, OBJECTIVES, past, 2, 5):
            numbers = [
                proposal.policy_value,
                [[o.value, o.se] for o in proposal.predicted.values()],
            ]
            document = [dict(proposal.recipe), proposal.policy, dict(proposal.details), numbers]
            json.dumps(document, allow_nan=False)

    def test_models_that_are_shown_are_those_that_predicted(
        self, agent: Agent, space: Space, past: list[PastTrial]
    ) -> None:
        """What `dotpilot explain` asks of an agent with a model, where it shows one."""
        if not isinstance(agent, Explainable):
            pytest.skip(f"agent {agent.name} shows no model")
        (proposal,) = agent.propose(space, OBJECTIVES, past, 1, 7)
        names = [o.observable for o in OBJECTIVES]
        found = agent.surrogate(space, OBJECTIVES, past, names, 7)
        encoding = Encoding(space)
        columns = encoding.columns(encoding.rows([proposal.recipe]))
        for name, expected in proposal.predicted.items():
            again = found[name].predict(columns, measured=True)
            assert again.mean[0] == pytest.approx(expected.value, rel=1e-6)  # noqa: S101
            assert again.sd[0] == pytest.approx(expected.se, rel=1e-6)  # noqa: S101
            assert found[name].distances(columns[0], columns)[0] == 0.0  # noqa: S101
            taught = found[name].after_measuring(columns)
            assert taught.variance(columns)[0] <= found[name].variance(columns)[0]  # noqa: S101

    def test_an_unknown_option_is_refused(self, agent: Agent) -> None:
        """The message names what came, and the nearest option where there is one."""
        with pytest.raises(AgentOptionError, match="unheard_of"):
            type(agent)(**{"unheard_of": 1})
        for name in agent.configuration:
            with pytest.raises(AgentOptionError, match=f"did you mean '{name}'"):
                type(agent)(**{name + "x": 1})


def _assert_sound(space: Space, proposals: Sequence[Proposal], count: int) -> None:
    assert len(proposals) == count  # noqa: S101
    for proposal in proposals:
        assert space.violations(proposal.recipe) == []  # noqa: S101
    assert len({recipe_key(p.recipe) for p in proposals}) == count  # noqa: S101
