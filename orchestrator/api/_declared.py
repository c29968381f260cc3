"""Routes of what agents and stations declare."""

from __future__ import annotations

from typing import Any

from fastapi import Response

from orchestrator.api._service import At, Name, Who, answer
from orchestrator.decisions import declare_station, declared_stations
from orchestrator.documents import (
    agent_document,
    agents_document,
    named_station_document,
    stations_document,
)


def list_agents() -> Response:
    """List the installed agents."""
    return answer(agents_document())


def show_agent(a: Name) -> Response:
    """Show an agent's options with their defaults."""
    return answer(agent_document(a))


def list_stations(at: At) -> Response:
    """List the stations: those with code here, and those that were declared."""
    return answer(stations_document(declared_stations(at.ledger)))


def show_station(at: At, s: Name) -> Response:
    """Show what a station declares."""
    return answer(named_station_document(s, declared_stations(at.ledger)))


def put_station(at: At, who: Who, s: Name, body: dict[str, Any]) -> Response:
    """Declare a station that has no code here, or change what was declared."""
    declare_station(at.ledger, s, body, actor=who.actor)
    return answer(named_station_document(s, declared_stations(at.ledger)))
