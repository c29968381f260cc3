"""One step of a campaign: ask the agent, as a pure function of the record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agents import Agent, PastTrial, Proposal, Recipe, create_agent, history_hash
from instruments import Station
from orchestrator.campaign import Campaign
from orchestrator.errors import DotpilotError
from orchestrator.events import AgentRecord, PredictedValue, ProposedTrial, StepProposed
from orchestrator.loop._history import step_seed


def make_agent(campaign: Campaign) -> Agent:
    """Build the campaign's agent; its design follows the campaign's seed unless the file says."""
    agent = create_agent(campaign.agent, campaign.agent_options)
    if "design_seed" in agent.configuration and "design_seed" not in campaign.agent_options:
        options = {**campaign.agent_options, "design_seed": campaign.seed}
        agent = create_agent(campaign.agent, options)
    return agent


def feasibility(station: Station) -> Callable[[Recipe], Sequence[str]]:
    """Return the station's own check as the plain function that a space carries."""

    def infeasible(recipe: Recipe) -> Sequence[str]:
        return [v.message for v in station.check(recipe)]

    return infeasible


@dataclass(frozen=True, slots=True)
class Planner:
    """An agent with the campaign and the feasibility that it plans within."""

    agent: Agent
    campaign: Campaign
    infeasible: Callable[[Recipe], Sequence[str]]

    def propose(self, past: Sequence[PastTrial], step: int, first: int, n: int) -> StepProposed:
        """Return the event that proposes trials `first` .. `first + n - 1` as step `step`.

        Raises:
            DotpilotError: the agent broke its contract (wrong number, or outside the space).
        """
        space = replace(self.campaign.space, infeasible=self.infeasible)
        seed = step_seed(self.campaign.seed, step)
        made = self.agent.propose(space, self.campaign.objectives, past, n, seed)
        if len(made) != n:
            raise DotpilotError(
                f"agent {self.agent.name} must return {n} proposals, but returned {len(made)}"
            )
        for proposal in made:
            if wrong := space.violations(proposal.recipe):
                raise DotpilotError(
                    f"agent {self.agent.name} proposed a recipe outside the space: "
                    f"{'; '.join(wrong)}; nothing was moved"
                )
        return StepProposed(
            step=step,
            seed=seed,
            history_hash=history_hash(past),
            agent=agent_record(self.agent),
            proposals=tuple(_proposed(p, first + i) for i, p in enumerate(made)),
        )


def agent_record(agent: Agent) -> AgentRecord:
    """Return which agent this is, exactly."""
    return AgentRecord(
        name=agent.name,
        version=agent.version,
        configuration=agent.configuration,
        libraries=agent.libraries,
    )


def _proposed(proposal: Proposal, number: int) -> ProposedTrial:
    predicted = {
        name: PredictedValue(mean=float(o.value), sd=float(o.se))
        for name, o in proposal.predicted.items()
    }
    recipe: dict[str, Any] = dict(proposal.recipe)
    value = proposal.policy_value
    return ProposedTrial(
        trial=number,
        recipe=recipe,
        policy=proposal.policy,
        predicted=predicted,
        policy_value=None if value is None else float(value),
        details=dict(proposal.details),
    )
