"""Which driver plays which part of a station, from its station file; and the emulated ends.

A part whose address is `emulated` gets a wire of its own with an emulator at the far end, which
moves what the simulated instrument of that part would have moved. A station is emulated as a
whole or real as a whole: a real pump cannot feed a simulated tube.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from instruments.drivers.transcript import Transcript
from instruments.errors import InstrumentError

GROUP = "dotpilot.drivers"
EMULATED = "emulated"
_EXTRAS = {"grpc": "sila", "google": "sila", "ptufile": "files", "sila2": "sila"}
"""Extra that brings a library, where it is not `instruments`."""


class Part(BaseModel):
    """What a station file says of one part.

    Attributes:
        driver: A name of `dotpilot driver list`.
        address: Port, URL or host of the device, or `emulated`.
        settings: What the driver takes besides; checked by the driver.
        timeout: Longest wait for an answer [s]; the driver's own, if left out.
        faults: For an emulated part: `{seed, lost, mute, half, garbage, late}`, probabilities of
            what goes wrong with a telegram.
        absent: For an emulated part: names of its devices that never answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    driver: str
    address: str = Field(default=EMULATED, min_length=1)
    settings: dict[str, Any] = {}
    timeout: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    faults: dict[str, float] = {}
    absent: tuple[str, ...] = ()

    @property
    def wire_faults(self) -> dict[str, float]:
        """Faults of the wire of a part with one device: an absent one never hears."""
        return {"lost": 1.0} if self.absent else self.faults


class End(Protocol):
    """The emulated far end of a part's wire."""

    @property
    def address(self) -> str:
        """Where the driver finds it."""
        ...

    def attach(self, device: Any, now: Callable[[], float]) -> None:
        """Move this simulated instrument from now on; `now` is the plant's time [s]."""
        ...

    def close(self) -> None:
        """Take the wire away. May be called twice."""
        ...


@dataclass(frozen=True)
class Connection:
    """What a driver is made from.

    Attributes:
        part: Name of the part: `pumps`, `thermostat`, ...
        names: Names of the devices that it stands for, in order: stocks of `pumps`, else the
            part's own.
        said: What the station file says of it.
        settings: `said.settings`, checked.
        address: Where the device is; that of the emulated end where it is emulated.
        limits: What the station allows each device of it, by name.
        transcript: Keeps what goes over the wire.
    """

    part: str
    names: tuple[str, ...]
    said: Part
    settings: Any
    address: str
    limits: Mapping[str, Any]
    transcript: Transcript | None = None

    @property
    def emulated(self) -> bool:
        """Whether an emulator answers."""
        return self.said.address == EMULATED


@dataclass(frozen=True)
class DriverKind:
    """A driver that station files may name; an entry point of `dotpilot.drivers`.

    Attributes:
        parts: Parts of stations that it can play.
        describe: One line for people.
        settings: What it takes besides an address.
        connect: Opens the device or devices, by the names of the connection.
        emulate: Makes the far end of an emulated wire; None where there is no emulator.
    """

    parts: tuple[str, ...]
    describe: str
    settings: type[BaseModel]
    connect: Callable[[Connection], Mapping[str, Any]]
    emulate: Callable[[Part, Any, tuple[str, ...]], End] | None = None


def driver_names() -> list[str]:
    """Return the names of all installed drivers, sorted."""
    return sorted({e.name for e in entry_points(group=GROUP)})


def driver_kind(name: str) -> DriverKind:
    """Return the driver of a name.

    Raises:
        InstrumentError: no such driver (the message names the nearest one), or what it needs is
            not installed.
    """
    found = [e for e in entry_points(group=GROUP) if e.name == name]
    if not found:
        near = difflib.get_close_matches(name, driver_names(), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InstrumentError(
            f"a driver must be one of {', '.join(driver_names())}, but got {name!r}{hint}"
        )
    try:
        kind: DriverKind = found[0].load()
    except ImportError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0], "instruments")
        raise InstrumentError(
            f"driver {name!r} needs a library that is not here ({error}); install the extra "
            f"`{extra}`: pip install 'dotpilot[{extra}]'"
        ) from error
    return kind


class Wiring:
    """The parts of a station that drivers play.

    Args:
        document: Parts by name, as a station file gives them.
        needed: Every part that the station has, with the names of its devices.

    Raises:
        InstrumentError: all mistakes: unknown parts or drivers, wrong settings, real and
            emulated parts together, parts of a real station that no driver plays.
    """

    def __init__(self, document: Mapping[str, Any], needed: Mapping[str, Sequence[str]]) -> None:
        self._problems: list[str] = []
        self.needed = {part: tuple(names) for part, names in needed.items()}
        self.parts: dict[str, Part] = {}
        self.kinds: dict[str, DriverKind] = {}
        self.settings: dict[str, Any] = {}
        for part, said in document.items():
            self._read(str(part), said)
        self._whole()
        if self._problems:
            raise InstrumentError("; ".join(self._problems))

    @property
    def real(self) -> bool:
        """Whether real devices play the parts."""
        return any(p.address != EMULATED for p in self.parts.values())

    def _read(self, part: str, said: Any) -> None:
        if part not in self.needed:
            self._problems.append(
                f"instruments.{part}: a part must be one of {', '.join(self.needed)}"
            )
            return
        try:
            found = Part.model_validate(said)
            kind = driver_kind(found.driver)
        except ValidationError as error:
            self._problems += _said(f"instruments.{part}", error)
            return
        except InstrumentError as error:
            self._problems.append(f"instruments.{part}.driver: {error}")
            return
        if part not in kind.parts:
            self._problems.append(
                f"instruments.{part}: {found.driver} plays {', '.join(kind.parts)}, not {part}"
            )
            return
        if found.address == EMULATED and kind.emulate is None:
            self._problems.append(
                f"instruments.{part}.address: {found.driver} has no emulator; name its port"
            )
        strangers = sorted(set(found.absent) - set(self.needed[part]))
        if strangers:
            self._problems.append(
                f"instruments.{part}.absent: {', '.join(strangers)} is none of its devices"
            )
        try:
            self.settings[part] = kind.settings.model_validate(found.settings)
        except ValidationError as error:
            self._problems += _said(f"instruments.{part}.settings", error)
        self.parts[part], self.kinds[part] = found, kind

    def _whole(self) -> None:
        if not self.real:
            return
        emulated = sorted(n for n, p in self.parts.items() if p.address == EMULATED)
        if emulated:
            self._problems.append(
                f"instruments: {', '.join(emulated)} are emulated beside real devices; a station "
                "is real or emulated as a whole"
            )
        absent = sorted(set(self.needed) - set(self.parts))
        if absent:
            self._problems.append(
                f"instruments: a real station needs a driver for {', '.join(absent)} too"
            )


def emulated_wiring(
    station: str, document: Mapping[str, Any], needed: Mapping[str, Sequence[str]]
) -> Wiring:
    """Return the wiring of a simulated station, whose devices can be none but emulated ones.

    Raises:
        InstrumentError: see `Wiring`; or real devices.
    """
    wiring = Wiring(document, needed)
    if wiring.real:
        raise InstrumentError(
            f"instruments: {station} is a simulated line, so its devices are emulated; leave the "
            "addresses out"
        )
    return wiring


def _said(where: str, error: ValidationError) -> list[str]:
    return [
        f"{'.'.join([where, *map(str, e['loc'])])}: {e['msg']}"
        for e in error.errors(include_url=False)
    ]
