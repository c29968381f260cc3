"""A BioTek Cytation 5 that reads the wells of a simulated plate, answering byte by byte.

Written from the byte streams that PyLabRobot's tests hold (captured from a device) and from what
its client sends. Requests, order of the wells, number format and the answer's checksum follow the
captures; which status means what is not known there, so every refusal here is `2D06`, the one
that users have met. A read takes no time of the plant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from instruments.emulators.faults import faults_of
from instruments.emulators.servers import PtyServer
from instruments.procedures.plate import OVERFLOW_TEXT

ACK, ETX = b"\x06", b"\x03"
GOOD, REFUSED = b"0000", b"2D06"
_TAKES = b"ytD"
"""Commands with a parameter, which ends with `ETX`."""
_HEIGHT = re.compile(rb"6(\d{5})")
_FLUORESCENCE = re.compile(
    rb"008401(\d\d)(\d\d)(\d\d)(\d\d)0001200100001100100000135000100200200(\d{4})000(\d{4})"
    rb"0{18}210011"
)
_TEMPERATURE = 236  # tenths of a degree; the captures' room
_EMPTY_CELL = "*" * 7


class Plate(Protocol):
    """The simulated reader whose wells are read."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Its excitation, at least."""
        ...

    def read_at(self, wells: Sequence[int], emission: int) -> Sequence[str]:
        """One cell of each well at a wavelength [nm]."""
        ...


class Cytation:
    """Answers as the reader does: a byte of command, `ACK`, a parameter where it has one."""

    end = ETX
    suffers: ClassVar[tuple[str, ...]] = ("power_cycle",)

    def __init__(self) -> None:
        self._waiting = b""
        self._plate: Plate | None = None
        self._columns = 12
        self._high = False
        self._task: tuple[tuple[int, int, int, int], int] | None = None

    def attach(self, plates: Mapping[str, Plate], now: Callable[[], float]) -> None:
        """Read this plate from now on; what was defined stays."""
        self._plate = plates["reader"]

    def suffer(self, kind: str, request: bytes) -> None:
        """Restart: whatever was defined of plate and read is forgotten."""
        self._waiting, self._columns, self._high, self._task = b"", 12, False, None

    def split(self, got: bytes) -> tuple[bytes, bytes] | None:
        """First request: a byte, or a parameter up to its `ETX`."""
        if not self._waiting:
            return (got[:1], got[1:]) if got else None
        found, end, rest = got.partition(ETX)
        return (found + end, rest) if end else None

    def answer(self, request: bytes) -> bytes:
        """Act on a request."""
        if self._waiting:
            command, self._waiting = self._waiting, b""
            return self._set(command, request.removesuffix(ETX)) + ETX
        if request in (b"y", b"t", b"D"):
            self._waiting = request
            return ACK
        if request == b"e":
            return ACK + b"1650200  Version 1.04   " + GOOD + ETX
        if request == b"C":
            return ACK + b"00000000        " + GOOD + ETX
        if request == b"h":
            return ACK + f"{_TEMPERATURE}".encode("ascii") + GOOD + ETX
        if request == b"O":
            return self._read()
        return b""

    def _set(self, command: bytes, said: bytes) -> bytes:
        """Take a parameter; return what stands before the `ETX` of the answer."""
        if command == b"y":
            self._columns = int(said[2:4]) if said[:4].isdigit() else 0
            return b""
        if command == b"t":
            self._high = _HEIGHT.fullmatch(said) is not None
            return GOOD if self._high else REFUSED
        self._task = None
        found, stated = _FLUORESCENCE.fullmatch(said[:-2]), said[-2:]
        if found is None or stated != b"%02d" % ((sum(said[:-2]) + 7) % 100):
            return REFUSED
        top, left, bottom, right, excitation, emission = (int(g) for g in found.groups())
        inside = 1 <= top <= bottom <= 8 and 1 <= left <= right <= self._columns
        if self._plate is None or excitation != self._plate.settings["excitation"] or not inside:
            return REFUSED
        self._task = ((top, left, bottom, right), emission)
        return b"035000000000000001000000000000000" + GOOD

    def _read(self) -> bytes:
        if self._task is None or self._plate is None or not self._high:
            return ACK + REFUSED + ETX
        (top, left, bottom, right), emission = self._task
        places = []
        for turn, row in enumerate(range(top, bottom + 1)):
            columns = range(left, right + 1)
            places.append([(row, c) for c in (reversed(columns) if turn % 2 else columns)])
        try:
            wells = [12 * (r - 1) + c - 1 for line in places for r, c in line]
            cells = iter(self._plate.read_at(wells, emission))
        except ValueError:
            return ACK + REFUSED + ETX
        lines = [",".join(f"{r:02},{c:02},{_cell(next(cells))}" for r, c in p) for p in places]
        return ACK + GOOD + ETX + body("\r\n,".join(lines), _TEMPERATURE)


def body(table: str, temperature: int) -> bytes:
    """Return a reader's answer to a read: time, temperature, table, checksum, status.

    The checksum is the sum of the bytes from the time on, first separator included, modulo 256;
    so it is in all six captured answers.
    """
    head = b"01,1,\r"
    rest = f"000:00:00.0,{temperature},{table}\r\n{temperature}\x1a".encode("ascii")
    return head + rest + b"%03d\x1a" % (sum(rest) % 256) + GOOD + ETX


def _cell(text: str) -> str:
    return _EMPTY_CELL if text == OVERFLOW_TEXT else f"{int(text):07}"


class ReaderEnd:
    """The emulated far end of the reader's wire (`instruments.wiring.End`)."""

    def __init__(self, faults: Mapping[str, float]) -> None:
        self._emulator = Cytation()
        self._server = PtyServer(self._emulator, faults_of(faults, self._emulator))

    @property
    def address(self) -> str:
        """Path of the terminal."""
        return self._server.address

    def attach(self, device: Any, now: Callable[[], float]) -> None:
        """Read this simulated reader's plate from now on."""
        self._emulator.attach(device, now)

    def close(self) -> None:
        """Take the terminal away."""
        self._server.close()
