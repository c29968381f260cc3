"""An Ocean HDX on the network, whose detector is a simulated one.

The frames (Ocean Binary Protocol) were written from the client's code, seabreeze 2.11
(pyseabreeze/protocol.py, features/spectrometer.py), so they are circular with it; the messages
that seabreeze lacks (reading the integration time back, scans to average) from Ocean Optics' own
list of message types in libseabreeze. It proves framing, states and limits, not that a real HDX
behaves so.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from instruments.detectors import PIXELS, WAVELENGTHS
from instruments.emulators.faults import HangUpError
from instruments.errors import InstrumentError

HEADER = struct.Struct("<HHHHLL6sBB16sL")
FOOTER = struct.Struct("<16sL")
START, VERSION, END = 0xC0C1, 0x1100, 0xC2C3C4C5
RESPONSE, ACK, ACK_WANTED, NACK = 0x1, 0x2, 0x4, 0x8
UNKNOWN, WRONG_LENGTH, INVALID, NOT_READY = 2, 5, 6, 7  # error numbers
MICROSECONDS = (6_000, 10_000_000)
MOST_SCANS = 5000  # assumed, because no document at hand names the HDX's own limit
PRODUCT = 0x2003


class Scan(Protocol):
    """What a simulated detector read."""

    @property
    def counts(self) -> NDArray[np.float32]:
        """Shape (n,)."""
        ...


class Detector(Protocol):
    """The simulated detector that the device reads."""

    def scan(self, integration_time: float, averages: int) -> Scan:
        """Expose under the light as it is; the time passes on the plant's clock."""
        ...


class OceanHdx:
    """Answers OBP messages.

    A new integration time or number of scans leaves the scan before it in the device's buffer:
    the next spectrum asked for is that one, as on the device, and costs no exposure.

    Args:
        name: Of the simulated detector among what is attached.
        serial: What it answers for its serial number.
    """

    suffers: ClassVar[tuple[str, ...]] = ("power_cycle", "lamp_drift")

    def __init__(self, name: str = "spectrometer", serial: str = "HDX-EMULATED") -> None:
        self._name, self._serial = name, serial.encode("ascii")
        self._detector: Detector | None = None
        self._micros, self._scans = 100_000, 1
        self._buffered, self._stale = bytes(2 * PIXELS), True

    def attach(self, devices: Mapping[str, Detector], now: Callable[[], float]) -> None:
        """Read this simulated detector from now on; what is buffered stays."""
        self._detector = devices[self._name]

    def suffer(self, kind: str, request: bytes) -> None:
        """Restart: the connection ends, and exposures are those of a new device."""
        self._micros, self._scans = 100_000, 1
        self._buffered, self._stale = bytes(2 * PIXELS), True
        raise HangUpError(comes_back=True)

    def cut(self, got: bytes) -> tuple[bytes, bytes]:
        """Return the first whole message and the rest; bytes before its start are dropped."""
        begin = got.find(struct.pack("<H", START))
        if begin < 0:
            return b"", got[-1:]
        got = got[begin:]
        if len(got) < HEADER.size:
            return b"", got
        length = HEADER.size + int(HEADER.unpack_from(got)[-1])
        return (got[:length], got[length:]) if len(got) >= length else (b"", got)

    def answer(self, request: bytes) -> bytes:
        """Act on a message and return the answer; the acknowledgement only where it is wanted."""
        head = HEADER.unpack_from(request)
        flags, message, regarding, immediate = head[2], head[4], head[5], head[8]
        given = head[9][:immediate] if immediate else request[HEADER.size : -FOOTER.size]
        found = self._act(message, given)
        if isinstance(found, int):
            return _frame(RESPONSE | NACK, found, message, regarding, b"")
        if found is None and not flags & ACK_WANTED:
            return b""
        shown = RESPONSE | (ACK if flags & ACK_WANTED else 0)
        return _frame(shown, 0, message, regarding, found or b"")

    def _act(self, message: int, given: bytes) -> bytes | int | None:
        """Return data, None for none, or an error number."""
        asked: dict[int, Callable[[], bytes | int]] = {
            0x00000100: lambda: self._serial,
            0x00000101: lambda: bytes([len(self._serial)]),
            0x00000E01: lambda: struct.pack("<H", PRODUCT),
            0x00101000: self._spectrum,
            0x00110000: lambda: struct.pack("<L", self._micros),
            0x00120000: lambda: struct.pack("<H", self._scans),
            0x00180100: lambda: bytes([len(WAVELENGTHS)]),
            0x00181100: lambda: bytes([0]),
        }
        if message in asked:
            return WRONG_LENGTH if given else asked[message]()
        told: dict[int, tuple[str, Callable[[int], bytes | int | None]]] = {
            0x00110010: ("<L", self._set_time),
            0x00120010: ("<H", self._set_scans),
            0x00180101: ("<B", _coefficient),
        }
        if message not in told:
            return UNKNOWN
        layout, act = told[message]
        if len(given) != struct.calcsize(layout):
            return WRONG_LENGTH
        return act(struct.unpack(layout, given)[0])

    def _set_time(self, micros: int) -> int | None:
        if not MICROSECONDS[0] <= micros <= MICROSECONDS[1]:
            return INVALID
        self._stale = self._stale or micros != self._micros
        self._micros = micros
        return None

    def _set_scans(self, scans: int) -> int | None:
        if not 1 <= scans <= MOST_SCANS:
            return INVALID
        self._stale = self._stale or scans != self._scans
        self._scans = scans
        return None

    def _spectrum(self) -> bytes | int:
        if self._detector is None:
            return NOT_READY
        if self._stale:
            self._stale = False
            return self._buffered
        try:
            read = self._detector.scan(self._micros * 1e-6, self._scans)
        except InstrumentError:
            return NOT_READY
        self._buffered = read.counts.astype("<u2").tobytes()
        return self._buffered


def _coefficient(index: int) -> bytes | int:
    """Wavelength coefficient of a power of the pixel number."""
    return struct.pack("<f", WAVELENGTHS[index]) if index < len(WAVELENGTHS) else INVALID


def _frame(flags: int, error: int, message: int, regarding: int, data: bytes) -> bytes:
    """One message; up to 16 bytes travel in its header. `regarding` is the request's."""
    immediate = data if len(data) <= 16 else b""
    payload = data[len(immediate) :]
    head = HEADER.pack(
        START, VERSION, flags, error, message, regarding, b"", 0, len(immediate), immediate,
        len(payload) + FOOTER.size,
    )  # fmt: skip
    return head + payload + FOOTER.pack(b"", END)
