"""Stations by name, from the entry point group `dotpilot.stations`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from instruments.errors import UnknownStationError
from instruments.guarded import GuardedStation
from instruments.place import read_place
from instruments.station import Station

GROUP = "dotpilot.stations"


def station_names() -> list[str]:
    """Return the names of all installed stations, sorted."""
    return sorted({e.name for e in entry_points(group=GROUP)})


def create_station(name: str, lab: Mapping[str, Any] | None = None, *, seed: int = 0) -> Station:
    """Build the station `name`.

    Args:
        name: A name from `station_names()`.
        lab: For a simulated station: `{"hidden": SEED}` draws a laboratory that differs from
            the nominal one; None is the nominal laboratory. `{"place": PLACE}` surrounds any
            station with tubes, liquids and rules (`instruments.place`).
        seed: Lab seed that keys the noise; the hidden seed takes its place where one is given.

    Raises:
        UnknownStationError: no such station; the message names the nearest one.
        InstrumentError: a laboratory or a place that the station cannot be in.
    """
    found = [e for e in entry_points(group=GROUP) if e.name == name]
    if not found:
        near = difflib.get_close_matches(name, station_names(), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UnknownStationError(
            f"a station must be one of {', '.join(station_names())}, but got {name!r}{hint}"
        )
    given = dict(lab or {})
    surrounding = given.pop("place", None)
    place = read_place(surrounding) if surrounding else None
    if place is not None and place.tubing:
        given["tubing"] = place.tubing
    if place is not None and place.procedures is not None and place.procedures.flush is not None:
        given["flush_volumes"] = place.procedures.flush.volumes
    station: Station = found[0].load()(lab=given or None, seed=seed)
    return station if place is None else GuardedStation(station, place)
