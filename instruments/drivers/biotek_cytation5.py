"""BioTek Cytation 5 plate reader, through PyLabRobot's `CytationBackend`.

PyLabRobot writes the commands and parses the tables. It states device errors by bare assertions,
which vanish under `python -O`, and ignores the checksum of a table; so every answer is checked
here as it comes off the wire. The protocol reads one pair of wavelengths at a time: an emission
spectrum is one read of the plate for each wavelength. Not verified on hardware.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from pylabrobot.resources import Plate

from instruments.drivers.biotek_wire import READING, CheckedBackend, SerialIO
from instruments.drivers.coroutines import LoopThread
from instruments.drivers.driver import identity
from instruments.drivers.labware import reading_plate
from instruments.emulators.biotek_cytation5 import ReaderEnd
from instruments.errors import (
    DeviceFaultError,
    DeviceTimeoutError,
    InstrumentError,
)
from instruments.procedures.plate import OVERFLOW_TEXT, Optics, well_name
from instruments.wiring import Connection, DriverKind, Part

DRIVER, VERSION = "biotek_cytation5", "1"
TIMEOUT = 2.0  # s for a short answer; PyLabRobot gives these 1 s
T = TypeVar("T")


class BiotekCytation5:
    """The reader as the plate procedure sees it.

    Args:
        name: Name of the instrument in the record.
        backend: Drives it.
        optics: How it is to look at a well.
        emulated: Whether an emulator answers.

    Raises:
        InstrumentError: wavelengths or a height that the reader has not, or no reader.
    """

    def __init__(
        self, name: str, backend: CheckedBackend, optics: Optics, *, emulated: bool
    ) -> None:
        self.name, self.wire, self.optics = name, backend, optics
        _check_optics(backend, optics)
        self._emulated, self._lock = emulated, threading.Lock()
        self._plate: Plate = reading_plate("plate")
        self._lost, self._ready = False, False
        self._loop = LoopThread(name)

    @property
    def wavelengths(self) -> NDArray[Any]:
        """Emission wavelengths [nm]."""
        return self.optics.wavelengths

    @property
    def settings(self) -> Mapping[str, Any]:
        """Excitation, bandpass, overflow level."""
        return self.optics.settings

    def identify(self) -> Mapping[str, Any]:
        """Ask for serial number and firmware."""

        async def ask() -> tuple[str, str]:
            serial = await self.wire.get_serial_number()
            return serial, await self.wire.get_firmware_version()

        serial, firmware = self._do(ask, 3.0 * self.wire.timeout)
        return identity(
            self.name,
            model="BioTek Cytation 5",
            serial=serial,
            firmware=firmware,
            driver=DRIVER,
            version=VERSION,
            emulated=self._emulated,
        )

    def temperature(self) -> float:
        """Measured temperature [degC]."""
        return float(self._do(self.wire.get_current_temperature, 2.0 * self.wire.timeout))

    def read(self, wells: Sequence[int]) -> Sequence[Sequence[str]]:
        """One emission spectrum of each well, a read of the plate for each wavelength.

        The rectangle around the wells is read in one sweep, since the reader takes rectangles.

        Raises:
            DeviceTimeoutError: no whole answer in time.
            DeviceRefusedError: it does not take the read.
            DeviceFaultError: it reports a fault, or an answer that cannot be true.
        """
        if not wells:
            return []
        found = [self._sweep(wells, int(w)) for w in self.wavelengths]
        return [[cells[well] for cells in found] for well in wells]

    def _sweep(self, wells: Sequence[int], emission: int) -> dict[int, str]:
        rows = range(min(w // 12 for w in wells), max(w // 12 for w in wells) + 1)
        columns = range(min(w % 12 for w in wells), max(w % 12 for w in wells) + 1)
        asked = [12 * r + c for r in rows for c in columns]
        items = [self._plate.get_item(well_name(w)) for w in asked]

        async def ask() -> Any:
            self.wire.tables.clear()
            return await self.wire.read_fluorescence(
                self._plate, items, self.optics.excitation, emission, self.optics.height
            )

        (read,) = self._do(ask, self.wire.reading + 8.0 * self.wire.timeout)
        cells = {12 * (r - 1) + c - 1: text for r, c, text in self.wire.tables}
        if sorted(cells) != asked or len(self.wire.tables) != len(asked):
            self._lost = True
            raise DeviceFaultError(
                f"the reader must answer for the {len(asked)} wells it was asked for, but "
                f"{len(self.wire.tables)} came; nothing of it is used, read again"
            )
        return {w: _text(read["data"][w // 12][w % 12], cells[w]) for w in asked}

    def confirm(self) -> None:
        """Every read is defined and taken in one go, so nothing is held between."""

    def halt(self) -> None:
        """Nothing moves that would need it: the reader stops by itself after a read."""

    def to_safe_state(self) -> None:
        """See that the reader is there and idle; its lamp flashes in a read only."""
        self._lost = True
        self._do(self.wire.get_firmware_version, 2.0 * self.wire.timeout)

    def close(self) -> None:
        """Let go of the reader. May be called twice."""
        with self._lock:
            if not self._ready and not self._loop.alive:
                return
            try:
                if self._loop.alive:
                    self._loop.run(self.wire.io.stop(), self.wire.timeout)
            finally:
                self._ready = False
                self._loop.close()

    def _do(self, work: Callable[[], Coroutine[Any, Any, T]], seconds: float) -> T:
        """Do one thing on the wire, after finding the reader again where it was lost."""
        with self._lock:
            try:
                if not self._ready:
                    self._loop.run(self.wire.setup(), 4.0 * self.wire.timeout + 1.0)
                    self._ready = True
                if self._lost:
                    self._loop.run(self.wire.synchronise(), 3.0 * self.wire.timeout + 1.0)
                    self._lost = False
                return self._loop.run(work(), seconds)
            except InstrumentError:
                self._lost = True
                raise
            except OSError as error:
                self._lost = True
                raise DeviceTimeoutError(
                    f"{self.name} broke off: {error}; whether it acted is unknown, look at it"
                ) from error
            except (AssertionError, ValueError, IndexError, TypeError) as error:
                self._lost = True
                raise DeviceFaultError(
                    f"{self.name} must answer what PyLabRobot can read, but {error!r}; nothing of "
                    "it is used"
                ) from error


def _text(value: float | None, cell: str) -> str:
    """Cell as the procedure knows it; PyLabRobot's number must be that of the wire."""
    if "*" in cell:
        good, text = value is not None and math.isnan(value), OVERFLOW_TEXT
    else:
        good, text = value == int(cell), str(int(cell))
    if not good:
        raise DeviceFaultError(f"{cell!r} on the wire was read as {value!r}; nothing is used")
    return text


def _check_optics(backend: CheckedBackend, optics: Optics) -> None:
    wrong = []
    low, high = backend.excitation_range
    if not low <= optics.excitation <= high:
        wrong.append(f"excitation {optics.excitation} nm outside {low} to {high} nm")
    low, high = backend.emission_range
    if not low <= optics.first <= optics.last <= high:
        wrong.append(f"emission {optics.first} to {optics.last} nm outside {low} to {high} nm")
    near, far = backend.focal_height_range
    if not near <= optics.height <= far:
        wrong.append(f"height {optics.height:g} mm outside {near:g} to {far:g} mm")
    if wrong:
        raise InstrumentError(f"a Cytation 5 cannot do this: {'; '.join(wrong)}")


class Settings(BaseModel):
    """What a reader needs besides its address.

    Attributes:
        reading: Longest wait for the table of one read [s]; an emulated reader needs no time, so
            its part's timeout holds instead.
    """

    model_config = ConfigDict(extra="forbid")

    reading: float = Field(default=READING, gt=0.0, allow_inf_nan=False)


def _connect(connection: Connection) -> dict[str, BiotekCytation5]:
    (name,) = connection.names
    timeout = connection.said.timeout or TIMEOUT
    chip, _, serial = connection.address.partition(":")
    own = chip == "ftdi"
    backend = CheckedBackend(
        None if own else SerialIO(connection.address, connection.transcript),
        device_id=serial or None if own else None,
        timeout=timeout,
        reading=timeout if connection.emulated else connection.settings.reading,
    )
    optics = connection.limits.get(name) or Optics()
    return {name: BiotekCytation5("plate_reader", backend, optics, emulated=connection.emulated)}


def _emulate(said: Part, settings: Settings, names: tuple[str, ...]) -> ReaderEnd:
    return ReaderEnd(said.wire_faults)


KIND = DriverKind(
    parts=("reader",),
    describe="BioTek Cytation 5 plate reader, by PyLabRobot",
    settings=Settings,
    connect=_connect,
    emulate=_emulate,
)
