import pytest

from agents import Agent
from agents.baselines import RandomAgent, SobolAgent
from agents.bayes import BayesAgent
from agents.maria import MariaAgent
from agents.sampling import sample_space
from agents.testing import OBJECTIVES, AgentConformance, awkward_space, trials
from agents.turbo import TurboAgent


class Seeded(AgentConformance):
    def test_seeds_differ(self, agent: Agent) -> None:
        space = awkward_space()
        past = trials(sample_space(space, 12, 3))
        one, two = (agent.propose(space, OBJECTIVES, past, 1, s)[0].recipe for s in (1, 2))
        assert one != two


class TestRandom(Seeded):
    @pytest.fixture
    def agent(self) -> Agent:
        return RandomAgent()


class TestSobol(AgentConformance):
    @pytest.fixture
    def agent(self) -> Agent:
        return SobolAgent(design_seed=3)

    def test_design_seeds_differ(self) -> None:
        space = awkward_space()
        one, two = (
            SobolAgent(design_seed=s).propose(space, OBJECTIVES, [], 1, 0)[0].recipe
            for s in (1, 2)
        )
        assert one != two


class TestBayes(Seeded):
    @pytest.fixture
    def agent(self) -> Agent:
        return BayesAgent(initial=4, design_seed=3)


class TestMaria(Seeded):
    @pytest.fixture
    def agent(self) -> Agent:
        return MariaAgent(initial=4, design_seed=3)


class TestTurbo(Seeded):
    @pytest.fixture
    def agent(self) -> Agent:
        return TurboAgent(initial=4, design_seed=3)
