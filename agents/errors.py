"""Refusals of this package.

AgentError
├── UnknownAgentError
├── AgentOptionError
└── ProposalError
"""


class AgentError(Exception):
    """Base of every refusal that an agent raises: rule, what came, remedy."""


class UnknownAgentError(AgentError):
    """No agent of that name is installed."""


class AgentOptionError(AgentError):
    """An option that the agent does not have, or a value that it does not take."""


class ProposalError(AgentError):
    """No proposal can be made: the space is empty or the problem is malformed."""
