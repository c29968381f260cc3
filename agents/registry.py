"""Agents by name, from the entry point group `dotpilot.agents`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from agents.errors import UnknownAgentError
from agents.protocol import Agent

GROUP = "dotpilot.agents"


def agent_names() -> list[str]:
    """Return the names of all installed agents, sorted."""
    return sorted({e.name for e in entry_points(group=GROUP)})


def create_agent(name: str, options: Mapping[str, Any] | None = None) -> Agent:
    """Build the agent `name` with `options`.

    Raises:
        UnknownAgentError: no such agent; the message names the nearest one.
        AgentOptionError: an option is unknown or out of range.
    """
    found = [e for e in entry_points(group=GROUP) if e.name == name]
    if not found:
        near = difflib.get_close_matches(name, agent_names(), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UnknownAgentError(
            f"an agent must be one of {', '.join(agent_names())}, but got {name!r}{hint}"
        )
    agent: Agent = found[0].load()(**dict(options or {}))
    return agent
