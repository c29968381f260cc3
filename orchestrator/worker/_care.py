"""A procedure of a station, carried out by hand on its own devices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from instruments import InstrumentError, create_station
from instruments.around import CaredStation
from instruments.stores import declared_stocks
from orchestrator.errors import InputRefusedError, RemoteError
from orchestrator.worker._station_file import StationFile


def care_for(
    file: StationFile, name: str, stocks: Sequence[str], progress: Callable[[str], None]
) -> dict[str, Any]:
    """Carry a procedure out and return what it found, as a document.

    Args:
        file: The station.
        name: Of the procedure.
        stocks: What to prime.
        progress: Told in words what is being done.

    Raises:
        InputRefusedError: the station has no such procedure; nothing moved.
        RemoteError: a device cannot be reached, or did not do what it was asked to.
    """
    laboratory = file.laboratory | file.wiring | file.surroundings
    station = create_station(file.station, laboratory or None)
    known = station.procedures() if isinstance(station, CaredStation) else ()
    if not isinstance(station, CaredStation) or name not in known:
        raise InputRefusedError(
            f"a procedure of {file.station} must be one of {', '.join(known) or 'none'}, but got "
            f"{name!r}"
        )
    if (name == "prime") != bool(stocks):
        raise InputRefusedError(
            "prime takes the stocks to prime, and the others take none; give --stock NAME for each"
        )
    strangers = sorted(set(stocks) - {s.name for s in declared_stocks(station)})
    if strangers:
        raise InputRefusedError(f"--stock: {file.station} has no {', '.join(strangers)}")
    try:
        station.open()
        began = station.lab_time
        record = station.care(name, progress, stocks)
        seconds = station.lab_time - began
    except InstrumentError as error:
        raise RemoteError(f"{name} broke off: {error}") from error
    finally:
        station.close()
    return {
        "station": file.station,
        "lab": file.lab,
        "procedure": name,
        "duration": {"value": seconds, "unit": "s"},
        "values": {n: {"value": v, "unit": unit} for n, (v, unit) in record.values.items()},
        "warnings": list(record.warnings),
    }
