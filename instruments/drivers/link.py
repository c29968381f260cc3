"""Bytes to a device and back: one lock and one timeout for each wire, and a transcript."""

from __future__ import annotations

import re
import threading
from time import monotonic
from typing import Any, Protocol

import serialx

from instruments.drivers.transcript import Transcript
from instruments.errors import DeviceTimeoutError, InstrumentError
from instruments.wiring import Connection

TIMEOUT = 1.0  # s; assumed, because pumps and ovens answer within a tenth of it
_SLICE = 0.02  # s that one look for further bytes waits
_QUIET = 0.2  # s without a byte after which an answer that was late will not come any more


class Link(Protocol):
    """A wire with question and answer.

    Attributes:
        timeout: Longest wait for a whole answer [s].
    """

    name: str
    timeout: float

    def exchange(self, request: bytes, end: re.Pattern[bytes]) -> bytes:
        """Send a request and return the answer up to and with what `end` matches.

        Raises:
            DeviceTimeoutError: no such answer within the timeout.
        """
        ...

    def tell(self, request: bytes) -> None:
        """Send a request whose answer nobody waits for."""
        ...

    def close(self) -> None:
        """Let go of the wire. May be called twice."""
        ...


class SerialLink:
    """A serial port, or whatever serialx reaches by a URL (`socket://host:port`).

    Args:
        address: Path or URL of the port.
        baudrate: [1/s].
        timeout: Longest wait for a whole answer [s].
        transcript: Keeps what goes over the wire.
        byte_size: Bits of a character.
        parity: N, E or O.

    Raises:
        InstrumentError: the port cannot be opened.
    """

    def __init__(
        self,
        address: str,
        *,
        baudrate: int,
        timeout: float = TIMEOUT,
        transcript: Transcript | None = None,
        byte_size: int = 8,
        parity: str = "N",
    ) -> None:
        self.name, self.timeout, self._transcript = address, timeout, transcript
        self._lock = threading.Lock()
        self._owed = 0.0  # s of silence to wait for, since an answer may still be under way
        self._settings: dict[str, Any] = {
            "baudrate": baudrate,
            "byte_size": byte_size,
            "parity": parity,
        }
        self._closed = self._broken = False
        self._port = self._opened()

    def _opened(self) -> Any:
        try:
            port = serialx.serial_for_url(self.name, read_timeout=_SLICE, **self._settings)
            port.open()
        except (OSError, ValueError) as error:
            raise InstrumentError(
                f"{self.name} must be a port that can be opened, but {error}; check the cable, "
                "the address in the station file, and that nothing else has the port"
            ) from error
        return port

    def exchange(self, request: bytes, end: re.Pattern[bytes]) -> bytes:
        """Send a request and return the answer; see `Link`. Stale bytes are dropped before."""
        with self._lock:
            self._check_open()
            got = b""
            try:
                self._drop_stale()
                self._note(True, request)
                self._port.write(request)
                got = self._until(end)
            except OSError as error:
                self._broken = True
                raise DeviceTimeoutError(
                    f"{self.name} broke off after {request!r}: {error}; whether the device acted "
                    "is unknown, look at it"
                ) from error
            finally:
                self._note(False, got)
            if end.search(got) is None:
                self._owed = min(self.timeout, _QUIET)
                raise DeviceTimeoutError(
                    f"{self.name} must answer {request!r} within {self.timeout:g} s, but gave "
                    f"{got!r}; whether the device acted is unknown, check cable and power"
                )
            return got

    def tell(self, request: bytes) -> None:
        """Send a request whose answer is dropped.

        Raises:
            DeviceTimeoutError: the port broke off.
        """
        with self._lock:
            self._check_open()
            self._note(True, request)
            self._owed = max(self._owed, _SLICE)
            try:
                self._port.write(request)
            except OSError as error:
                self._broken = True
                raise DeviceTimeoutError(
                    f"{self.name} broke off at {request!r}: {error}; look at the device"
                ) from error

    def close(self) -> None:
        """Let go of the port, once an exchange under way has ended."""
        with self._lock:
            self._closed = True
            self._port.close()

    def _check_open(self) -> None:
        """See that the port is open; one that broke off is opened anew."""
        if self._closed:
            raise DeviceTimeoutError(
                f"{self.name} must be open to reach the device, but it is closed; open the station"
            )
        if not self._broken:
            return
        self._port.close()
        try:
            self._port = self._opened()
        except InstrumentError as error:
            raise DeviceTimeoutError(f"{error}; it broke off, and its state is unknown") from error
        self._broken, self._owed = False, min(self.timeout, _QUIET)

    def _until(self, end: re.Pattern[bytes]) -> bytes:
        got, deadline = b"", monotonic() + self.timeout
        while end.search(got) is None and monotonic() < deadline:
            got += self._port.read(4096) or b""
        return got

    def _drop_stale(self) -> None:
        """Drop what an earlier request was answered too late; an answer is never taken twice."""
        stale, quiet = b"", monotonic() + self._owed
        while monotonic() < quiet or self._port.num_unread_bytes():
            if got := self._port.read(4096):
                stale, quiet = stale + got, monotonic() + self._owed
        self._owed = 0.0
        if stale:
            self._note(False, stale)

    def _note(self, sent: bool, data: bytes) -> None:
        if self._transcript is not None and data:
            self._transcript.note(self.name, sent, data)


def serial_link(connection: Connection, *, baudrate: int, **port: Any) -> SerialLink:
    """Open the serial wire of a connection.

    Args:
        connection: Address, timeout and transcript, as the station file has them.
        baudrate: [1/s].
        port: `byte_size` and `parity`, where they are not a `SerialLink`'s own.
    """
    return SerialLink(
        connection.address,
        baudrate=baudrate,
        timeout=connection.said.timeout or TIMEOUT,
        transcript=connection.transcript,
        **port,
    )
