"""The station file: which station a process owns, where it stands, and what it simulates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from instruments import InstrumentError, create_station
from instruments.around import Around
from instruments.place import Calibration, Override, Place, Role, place_problems, stale
from instruments.stores import StockLot, Stores, declared_stocks, stores_problems
from orchestrator.campaign import read_document
from orchestrator.errors import InputRefusedError
from orchestrator.events import LotRecord, StoresDeclared
from orchestrator.worker._quantities import Bin, Lot, Tubing

SAFE_WITHIN = 60.0  # s; assumed, because a pump or a heater is stopped well within a minute
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Item(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Simulated(_Item):
    """Which laboratory a simulated station is, where the place and not the campaign says so."""

    hidden: Annotated[int, Field(ge=0, lt=2**63, strict=True)] | None = None
    model: str | None = None


class StationFile(_Item):
    """What a station file says.

    Attributes:
        station: A name of `dotpilot station list`.
        lab: Name of the place; a token may be bound to it.
        simulated: The laboratory to be; what the campaign states, if left out.
        safe_within: From a lost contact to the station's safe state at most [s].
        lease_s: Length of the leases to ask for [s]; the server's own, if left out.
        instruments: Which driver plays which part of the station, and where it is.
        stocks: The lot that stands for each of the station's stocks.
        waste: Where everything goes.
        transcript: Folder in which what goes over its wires is kept, beside this file unless it
            is absolute; nothing is kept, if left out.
        tubing: Tubes as built, by the station's names of them.
        fluids: The carrier's liquid, and the one that washes.
        calibrations: When each was made, and for how long it holds.
        demand: Calibrations without which nothing may move.
        overrides: Rules that a named person has set aside here.
        procedures: What is done between and around trials.
    """

    station: Name
    lab: Name
    simulated: Simulated | None = None
    safe_within: Seconds = SAFE_WITHIN
    lease_s: Seconds | None = None
    instruments: dict[str, Any] | None = None
    stocks: dict[str, Lot] = {}
    waste: Bin | None = None
    tubing: dict[str, Tubing] = {}
    fluids: dict[Role, str] = {}
    calibrations: dict[str, Calibration] = {}
    demand: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()
    procedures: Around | None = None
    transcript: Annotated[str, Field(min_length=1)] | None = None

    @property
    def stores(self) -> Stores:
        """What stands beside the station."""
        return Stores(stocks=dict(self.stocks), waste=self.waste)

    @property
    def place(self) -> Place:
        """What surrounds the station."""
        lots = self.stocks.items()
        return Place(
            tubing=dict(self.tubing),
            fluids=dict(self.fluids),
            hazards={name: lot.hazards for name, lot in lots if lot.hazards},
            one_waste=tuple(self.stocks) if self.waste is not None else (),
            calibrations=dict(self.calibrations),
            demand=self.demand,
            expires={name: lot.expires for name, lot in lots if lot.expires is not None},
            overrides=self.overrides,
            procedures=self.procedures,
        )

    @property
    def surroundings(self) -> dict[str, Any]:
        """What it says of its place, as a station is told; {} for nothing."""
        said = self.place.document()
        return {"place": said} if said else {}

    @property
    def laboratory(self) -> dict[str, Any]:
        """What it says of the simulated laboratory; {} for nothing."""
        return {} if self.simulated is None else self.simulated.model_dump(exclude_none=True)

    @property
    def wiring(self) -> dict[str, Any]:
        """What it says of drivers, as a station is told; {} for nothing."""
        return {"instruments": self.instruments} if self.instruments else {}


def transcript_of(path: Path) -> Path | None:
    """Return the folder of transcripts that a station file names; None where it names none."""
    document = read_document(path)
    if is_declared(document):
        return None
    named = read_station_file(path).transcript
    return None if named is None else path.parent / named


def is_declared(document: Mapping[str, Any]) -> bool:
    """Whether a document is that of a declared station instead of a station file."""
    return "declared" in document


def read_station_file(path: Path) -> StationFile:
    """Read and check a station file.

    Raises:
        NotFoundError: no such file.
        InputRefusedError: unknown keys, a station that is not installed, a laboratory that the
            station cannot be, or stocks that it does not draw from; all of them.
    """
    document = read_document(path)
    if is_declared(document):
        raise InputRefusedError(
            f"{path} declares a station that no code drives, so no worker can run it; use "
            "`dotpilot ask` and `dotpilot tell`"
        )
    try:
        found = StationFile.model_validate(document)
    except ValidationError as error:
        raise InputRefusedError(
            [
                f"{path}: {'.'.join(map(str, e['loc']))}: {e['msg']}"
                for e in error.errors(include_url=False)
            ]
        ) from error
    try:
        laboratory = found.laboratory | found.wiring | _tubes(found)
        station = create_station(found.station, laboratory or None)
    except InstrumentError as error:
        raise InputRefusedError(f"{path}: station: {error}") from error
    problems = stores_problems(found.stores, declared_stocks(station))
    if found.simulated is not None and not station.description.simulated:
        problems.append(f"simulated: {found.station} is not simulated; remove the key")
    problems += place_problems(found.place, station)
    problems += [
        f"calibrations.{name}.file: there is no file {given.file}"
        for name, given in found.calibrations.items()
        if given.file is not None and not (path.parent / given.file).is_file()
    ]
    if problems:
        raise InputRefusedError([f"{path}: {problem}" for problem in problems])
    return found


def with_station_file(document: Mapping[str, Any], station: StationFile) -> dict[str, Any]:
    """Return a campaign document as this very station runs it.

    A hidden seed of the station joins a campaign that states none, as the server decides which
    worker may take which campaign.

    Raises:
        InputRefusedError: another station, or another hidden seed.
    """
    if document.get("station") != station.station:
        raise InputRefusedError(
            f"--station: the campaign is for {document.get('station')!r}, but the station file "
            f"owns {station.station!r}; name the file of that station"
        )
    stated = document.get("lab") or {}
    if not isinstance(stated, Mapping):  # the check of the campaign says what is wrong with it
        return dict(document)
    for key, value in station.laboratory.items():
        if stated.get(key, value) != value:
            raise InputRefusedError(
                f"--station: the campaign states {key} {stated[key]!r}, but this station is "
                f"{value!r}; take another station, or leave {key} out of the campaign's lab"
            )
    lab = {**stated, **station.laboratory, **station.wiring, **_place(stated, station)}
    return {**document, "lab": lab} if lab else dict(document)


def stores_event(station: StationFile) -> StoresDeclared:
    """Return the bottles of a station file as the record takes them."""
    lots = {name: _lot_record(lot) for name, lot in station.stores.stocks.items()}
    waste = station.stores.waste
    return StoresDeclared(
        lab=station.lab,
        station=station.station,
        stocks=lots,
        waste_capacity=None if waste is None else waste.capacity,
    )


def _lot_record(lot: StockLot) -> LotRecord:
    told = lot.model_dump(mode="json", exclude_none=True)
    details = {k: v for k, v in told.items() if k not in ("lot", "volume", "expires")}
    expires = None if lot.expires is None else lot.expires.isoformat()
    return LotRecord(lot=lot.lot, volume=lot.volume, expires=expires, details=details)


def _tubes(file: StationFile) -> dict[str, Any]:
    """Tubes as the station's constructor takes them; {} where the file has none."""
    return {"tubing": file.tubing} if file.tubing else {}


def _place(stated: Mapping[str, Any], station: StationFile) -> dict[str, Any]:
    """The station's place, with the overrides that the campaign brings along."""
    brought = (stated.get("place") or {}).get("overrides") or []
    said = dict(station.surroundings.get("place") or {})
    if brought:
        said["overrides"] = [*said.get("overrides", []), *brought]
    return {"place": said} if said else {}


def refuse_stale(place: Place, today: date) -> None:
    """Refuse a place whose demanded calibrations or whose lots are too old.

    Raises:
        InputRefusedError: each of them, with its age and limit.
    """
    if problems := stale(place, today):
        raise InputRefusedError(problems)
