"""Experiment planners: pure functions of a campaign's record.

An agent sees a space, objectives and a history, and proposes recipes. It knows nothing of
instruments, databases or the physics of the laboratory that it plans for.
"""

from agents.history import Observation, PastTrial, TrialState, history_hash
from agents.objective import Goal, Objective
from agents.protocol import Agent, Proposal
from agents.registry import agent_names, create_agent
from agents.space import (
    Categorical,
    Condition,
    Continuous,
    Feature,
    Fixed,
    LinearConstraint,
    Parameter,
    Recipe,
    Space,
    Value,
)

__all__ = [
    "Agent",
    "Categorical",
    "Condition",
    "Continuous",
    "Feature",
    "Fixed",
    "Goal",
    "LinearConstraint",
    "Objective",
    "Observation",
    "Parameter",
    "PastTrial",
    "Proposal",
    "Recipe",
    "Space",
    "TrialState",
    "Value",
    "agent_names",
    "create_agent",
    "history_hash",
]
