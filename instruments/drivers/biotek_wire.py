"""The wire of a BioTek plate reader: PyLabRobot's `CytationBackend` with every answer checked.

PyLabRobot states device errors by bare assertions, which vanish under `python -O`, ignores the
checksum of a table, and reads byte by byte; here answers are bounded in time and checked as they
come.
"""

from __future__ import annotations

import asyncio
import re
from time import monotonic
from typing import Any

import serialx
from pylabrobot.plate_reading.agilent.biotek_cytation_backend import CytationBackend

from instruments.drivers.transcript import Transcript
from instruments.errors import (
    DeviceFaultError,
    DeviceRefusedError,
    DeviceTimeoutError,
    InstrumentError,
)

READING = 120.0  # s for the table of one read; what PyLabRobot gives it
_SLICE, _QUIET = 0.02, 0.2  # s of one look for bytes; s of silence after which nothing more comes
_FIRMWARE = re.compile(rb"\x06\d+ +Version \S+ +0000\x03$")
_PLAIN = re.compile(rb"\x06?[ -~]*\x03")
_TABLE = re.compile(rb"01,1,\r(.*\x1a)(\d{3})\x1a([0-9A-F]{4})\x03", re.DOTALL)
_CELL = re.compile(rb"(\d\d),(\d\d),(\d{7}|\*{7})")


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
        self._broken = False
        self._port = self._opened()

    def _opened(self) -> Any:
        try:
            port = serialx.serial_for_url(self._address, baudrate=9600, read_timeout=_SLICE)
            port.open()
        except (OSError, ValueError) as error:
            raise InstrumentError(
                f"{self._address} must be a port that can be opened, but {error}; check the "
                "cable, the address in the station file, and that nothing else has the port"
            ) from error
        return port

    async def read(self, count: int) -> bytes:
        """Up to `count` bytes; none where none come for a moment."""
        try:
            got = self._port.read(count) or b""
        except OSError:
            self._broken = True
            raise
        self._note(False, got)
        return got

    async def write(self, data: bytes) -> None:
        """Send bytes, over a port that is opened anew where it broke off."""
        if self._broken:
            self._port.close()
            self._port = self._opened()
            self._broken = False
        self._note(True, data)
        try:
            self._port.write(data)
        except OSError:
            self._broken = True
            raise

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
