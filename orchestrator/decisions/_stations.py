"""Stations without code: what laboratories declared here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, select

from instruments import StationDescription, declared_description
from orchestrator.campaign import read_station
from orchestrator.decisions._permission import ACTOR
from orchestrator.errors import InputRefusedError
from orchestrator.events import canonical
from orchestrator.ledger import Ledger
from orchestrator.ledger._tables import station as table


def declare_station(
    ledger: Ledger, name: str, document: Mapping[str, Any], *, actor: str = ACTOR
) -> StationDescription:
    """Keep what a laboratory declares of a station; campaigns that run keep what they began with.

    Raises:
        InputRefusedError: a document with mistakes, or of another name.
    """
    description = read_station(document)
    if description.name != name:
        raise InputRefusedError(
            f"name: must be the {name!r} that it is kept under, but is {description.name!r}"
        )
    row = {"name": name, "description": canonical(dict(document)), "registered_by": actor}
    with ledger.engine.connect().execution_options(write=True) as connection, connection.begin():
        connection.execute(delete(table).where(table.c.name == name))
        connection.execute(insert(table).values(**row, registered_at=ledger.now()))
    return description


def declared_stations(ledger: Ledger) -> dict[str, StationDescription]:
    """Return the declared stations by name."""
    query = select(table.c.name, table.c.description).order_by(table.c.name)
    with ledger.engine.connect() as connection:
        rows = connection.execute(query).all()
    return {name: declared_description(json.loads(text)) for name, text in rows}
