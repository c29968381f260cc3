"""BioTek Cytation 5 plate reader, through PyLabRobot's `CytationBackend`.

PyLabRobot writes the commands and parses the tables. It states device errors by bare assertions,
which vanish under `python -O`, and ignores the checksum of a table; so every answer is checked
here as it comes off the wire. The protocol reads one pair of wavelengths at a time: an emission
spectrum is one read of the plate for each wavelength. Not verified on hardware.
"""

from __future__ import annotations

import asyncio
import math
import re
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from time import monotonic
from typing import Any, TypeVar

import serialx
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from pylabrobot.plate_reading.agilent.biotek_cytation_backend import CytationBackend
from pylabrobot.resources import Plate

from instruments.drivers.coroutines import LoopThread
from instruments.drivers.driver import identity
from instruments.drivers.labware import reading_plate
from instruments.drivers.transcript import Transcript
from instruments.emulators.biotek_cytation5 import ReaderEnd
from instruments.errors import (
    DeviceFaultError,
    DeviceRefusedError,
    DeviceTimeoutError,
    InstrumentError,
)
from instruments.procedures.plate import OVERFLOW_TEXT, Optics, well_name
from instruments.wiring import Connection, DriverKind, Part

DRIVER, VERSION = "biotek_cytation5", "1"
TIMEOUT = 2.0  # s for a short answer; PyLabRobot gives these 1 s
READING = 120.0  # s for the table of one read; what PyLabRobot gives it
_SLICE, _QUIET = 0.02, 0.2  # s of one look for bytes; s of silence after which nothing more comes
_FIRMWARE = re.compile(rb"\x06\d+ +Version \S+ +0000\x03$")
_PLAIN = re.compile(rb"\x06?[ -~]*\x03")
_TABLE = re.compile(rb"01,1,\r(.*\x1a)(\d{3})\x1a([0-9A-F]{4})\x03", re.DOTALL)
_CELL = re.compile(rb"(\d\d),(\d\d),(\d{7}|\*{7})")
T = TypeVar("T")


class SerialIO:
    """A serial port in the place of PyLabRobot's FTDI handle: the kernel's driver, or a terminal.

    Args:
        address: Path or URL of the port.
        transcript: Keeps what goes over the wire.

    Raises:
        InstrumentError: the port cannot be opened.
    """

    def __init__(self, address: str, transcript: Transcript | None = None) -> None:
        self._address, self._transcript = address, transcript
        try:
            self._port = serialx.serial_for_url(address, baudrate=9600, read_timeout=_SLICE)
            self._port.open()
        except (OSError, ValueError) as error:
            raise InstrumentError(
                f"{address} must be a port that can be opened, but {error}; check the cable, the "
                "address in the station file, and that nothing else has the port"
            ) from error

    async def read(self, count: int) -> bytes:
        """Up to `count` bytes; none where none come for a moment."""
        got = self._port.read(count) or b""
        self._note(False, got)
        return got

    async def write(self, data: bytes) -> None:
        """Send bytes."""
        self._note(True, data)
        self._port.write(data)

    async def usb_purge_rx_buffer(self) -> None:
        """Drop what came and was not read."""
        while waiting := self._port.num_unread_bytes():
            self._note(False, self._port.read(waiting) or b"")

    async def setup(self) -> None:
        """The port is open already."""

    async def stop(self) -> None:
        """Let go of the port."""
        self._port.close()

    async def usb_reset(self) -> None:
        """Not known to a serial port."""

    async def usb_purge_tx_buffer(self) -> None:
        """Not known to a serial port."""

    async def set_latency_timer(self, latency: int) -> None:
        """Not known to a serial port."""

    async def set_baudrate(self, baudrate: int) -> None:
        """Set the speed, where the port has one."""
        self._port.reconfigure_port(baudrate=baudrate)

    async def set_line_property(self, bits: int, stopbits: int, parity: int) -> None:
        """Left to the port's settings."""

    async def set_flowctrl(self, flowctrl: int) -> None:
        """Left to the port's settings."""

    async def set_rts(self, level: bool) -> None:
        """Left to the port's settings."""

    def _note(self, sent: bool, data: bytes) -> None:
        if self._transcript is not None and data:
            self._transcript.note(self._address, sent, data)


class CheckedBackend(CytationBackend):  # type: ignore[misc]  # PyLabRobot is untyped in part
    """PyLabRobot's backend, whose answers are bounded in time and checked byte by byte.

    Args:
        io: The wire, as PyLabRobot's FTDI handle has it; its own, if left out.
        device_id: Serial number of the reader's FTDI chip, for PyLabRobot's own handle.
        timeout: Longest wait for a short answer [s].
        reading: Longest wait for a table [s].

    Attributes:
        tables: Cells of the answers to the reads since they were cleared: (row, column, text).
    """

    def __init__(
        self, io: Any, *, device_id: str | None = None, timeout: float, reading: float
    ) -> None:
        super().__init__(timeout=timeout, device_id=device_id)
        if io is not None:
            self.io = io
        self.reading, self._rest = reading, b""
        self.tables: list[tuple[int, int, str]] = []

    async def _purge_buffers(self) -> None:
        self._rest = b""
        await super()._purge_buffers()

    async def _read_until(self, terminator: bytes, timeout: float | None = None) -> bytes:
        table = timeout is not None and timeout >= READING
        limit = self.reading if table else self.timeout
        deadline = monotonic() + limit
        while terminator not in self._rest:
            if monotonic() > deadline:
                raise DeviceTimeoutError(
                    f"the reader must answer within {limit:g} s, but gave {self._rest[:60]!r}; "
                    "whether it acted is unknown, check cable and power"
                )
            self._rest += await self.io.read(65536)
            await asyncio.sleep(0)
        found, end, self._rest = self._rest.partition(terminator)
        if table:
            self._check_table(found + end)
        else:
            _check_answer(found + end, terminator)
        return bytes(found + end)

    def _check_table(self, answer: bytes) -> None:
        found = _TABLE.fullmatch(answer)
        if found is None or sum(found[1]) % 256 != int(found[2]):
            raise DeviceFaultError(
                "a table of the reader must be whole and agree with its checksum, but "
                f"{answer[:40]!r} ... {answer[-20:]!r} came; nothing of it is used, read again"
            )
        if found[3] != b"0000":
            raise DeviceFaultError(
                f"the reader must end a read with status 0000, but it says {found[3].decode()}; "
                "look at its display"
            )
        self.tables += [(int(r), int(c), t.decode()) for r, c, t in _CELL.findall(answer)]

    async def synchronise(self) -> None:
        """Find the reader after a failure: end what it waits for, drop what is late, ask it.

        Raises:
            DeviceTimeoutError: it is not there.
        """
        await self.io.write(b"\x03")
        await self._drain()
        await self._purge_buffers()
        await self.io.write(b"e")
        got, deadline = b"", monotonic() + self.timeout
        while _FIRMWARE.search(got) is None:
            if monotonic() > deadline:
                raise DeviceTimeoutError(
                    f"the reader must say its firmware within {self.timeout:g} s, but gave "
                    f"{got[-60:]!r}; check cable and power"
                )
            got += await self.io.read(65536)
            await asyncio.sleep(0)

    async def _drain(self) -> None:
        quiet = monotonic() + min(_QUIET, self.timeout)
        while monotonic() < quiet:
            if await self.io.read(65536):
                quiet = monotonic() + min(_QUIET, self.timeout)
            await asyncio.sleep(0)


def _check_answer(answer: bytes, terminator: bytes) -> None:
    """Refuse an answer that is none, or that states another status than 0000."""
    if terminator == b"\x06":
        good = answer == b"\x06"
    else:
        good = _PLAIN.fullmatch(answer) is not None
    if not good:
        raise DeviceFaultError(
            f"the reader must answer as its protocol says, but {answer!r} came; an earlier answer "
            "may have been late, or the line is disturbed"
        )
    said = answer.strip(b"\x06\x03")
    if said and not said.endswith(b"0000"):
        raise DeviceRefusedError(
            f"the reader refused with status {said[-4:].decode()}; look at its display, and "
            "whether the plate and the wavelengths are ones that it takes"
        )


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
    return ReaderEnd({"lost": 1.0} if said.absent else said.faults)


KIND = DriverKind(
    parts=("reader",),
    describe="BioTek Cytation 5 plate reader, by PyLabRobot",
    settings=Settings,
    connect=_connect,
    emulate=_emulate,
)
