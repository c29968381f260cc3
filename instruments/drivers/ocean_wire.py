"""An Ocean HDX through seabreeze, as it runs in its host process.

Where seabreeze (2.11) cannot be trusted alone, its transport is replaced: its read spins at the
end of a connection, it takes any frame for an answer, swallows refusals of a setting, its timeouts
grow with each spectrum, and its close leaves the connection open. Frames, features and device are
seabreeze's own.
"""

from __future__ import annotations

import itertools
import socket
import struct
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray
from seabreeze.pyseabreeze.devices import HDX
from seabreeze.pyseabreeze.protocol import OBPProtocol
from seabreeze.pyseabreeze.transport import IPv4Transport, IPv4TransportHandle

from instruments.errors import (
    DeviceFaultError,
    DeviceRefusedError,
    DeviceTimeoutError,
    InstrumentError,
)

# Message types that seabreeze does not list; from libseabreeze, OBPMessageTypes.h.
GET_TIME, SET_TIME = 0x00110000, 0x00110010  # µs
GET_SCANS, SET_SCANS = 0x00120000, 0x00120010  # to average on board
GET_PRODUCT, HDX_PRODUCT = 0x00000E01, 0x2003
_HEADER = struct.Struct(OBPProtocol.OBP.HEADER_FMT)
_FOOTER = struct.Struct("<L")
_REGARDING = slice(12, 16)  # the host's own number, which the device gives back
_LONGEST = 1 << 20  # bytes that no message of a spectrometer exceeds (assumed)
_NUMBERS = itertools.count(1)
OBPProtocol.msgs.update(
    {
        GET_TIME: struct.Struct("").pack,
        GET_SCANS: struct.Struct("").pack,
        SET_SCANS: struct.Struct("<H").pack,
    }
)


class CheckedTransport(IPv4Transport):
    """Takes only the answer to the last request, in time, and says how it failed."""

    patience = 1.0  # s, for a whole answer; `Hdx` sets it

    def __init__(self) -> None:
        super().__init__(OBPProtocol)
        self.notes: list[tuple[bool, bytes]] = []
        self._rest, self._number, self._asked = b"", 0, 0

    def write(self, data: bytes, timeout_ms: int | None = None, **_: Any) -> int:
        """Number a request and send it."""
        self._number = next(_NUMBERS) & 0xFFFFFFFF
        self._asked = int(_HEADER.unpack_from(data)[4])
        data = data[: _REGARDING.start] + struct.pack("<L", self._number) + data[_REGARDING.stop :]
        self.notes.append((True, data))
        self._rest = b""
        try:
            self._socket.settimeout(self.patience)
            self._socket.sendall(data)
        except OSError as error:
            raise self._lost(str(error)) from error
        return len(data)

    def read(
        self,
        size: int | None = None,
        timeout_ms: int | None = None,
        mode: str | None = None,
        **_: Any,
    ) -> bytes:
        """Return the next bytes of the answer: 64 at first, then what seabreeze asks for."""
        if not self._rest:
            self._rest = self._frame()
        found, self._rest = self._rest[: size or 64], self._rest[size or 64 :]
        return found

    def close_device(self) -> None:
        """Close the connection, which seabreeze only does to its first, unused socket."""
        if self._device is not None:
            self._device.socket.close()
        super().close_device()

    @property
    def _socket(self) -> socket.socket:
        if self._device is None:
            raise self._lost("not connected")
        found: socket.socket = self._device.socket
        return found

    def _frame(self) -> bytes:
        """Return the frame that answers the last request; older ones came too late."""
        deadline = monotonic() + self.patience
        while True:
            head = self._exactly(_HEADER.size, deadline)
            said = _HEADER.unpack(head)
            if said[0] != OBPProtocol.OBP.HEADER_START_BYTES or not 20 <= said[10] <= _LONGEST:
                raise DeviceFaultError(
                    f"the spectrometer must answer in OBP frames, but sent {head!r}; check that "
                    "the address is an HDX's; whether it acted is unknown"
                )
            frame = head + self._exactly(said[10], deadline)
            self.notes.append((False, frame))
            if _FOOTER.unpack(frame[-4:])[0] != OBPProtocol.OBP.FOOTER:
                raise DeviceFaultError(
                    f"a frame must end in its footer, but {frame[-20:]!r} came; bytes were lost"
                )
            if said[5] != self._number:
                continue
            if said[2] & (OBPProtocol.OBP.FLAG_NACK | OBPProtocol.OBP.FLAG_HW_EXCEPTION):
                meaning = OBPProtocol.OBP.ERROR_CODES.get(said[3], f"error {said[3]}")
                raise DeviceRefusedError(
                    f"the spectrometer refused message 0x{self._asked:08X}: {meaning}; nothing "
                    "has changed"
                )
            if said[4] != self._asked:
                raise DeviceFaultError(
                    f"message 0x{self._asked:08X} must be answered, but 0x{said[4]:08X} came"
                )
            return frame

    def _exactly(self, size: int, deadline: float) -> bytes:
        got = b""
        while len(got) < size:
            left = deadline - monotonic()
            if left <= 0.0:
                raise self._late(got)
            try:
                self._socket.settimeout(left)
                more = self._socket.recv(size - len(got))
            except TimeoutError as error:
                raise self._late(got) from error
            except OSError as error:
                raise self._lost(str(error)) from error
            if not more:
                raise self._lost("it closed the connection")
            got += more
        return got

    def _late(self, got: bytes) -> DeviceTimeoutError:
        return DeviceTimeoutError(
            f"the spectrometer must answer message 0x{self._asked:08X} within {self.patience:g} "
            f"s, but gave {len(got)} bytes of a frame; whether it acted is unknown, check cable "
            "and power"
        )

    def _lost(self, why: str) -> DeviceTimeoutError:
        return DeviceTimeoutError(
            f"the spectrometer broke off over message 0x{self._asked:08X}: {why}; whether it "
            "acted is unknown, check cable and power"
        )


HDX._transport_classes = (CheckedTransport,)  # noqa: SLF001 - seabreeze has no other way in


class Hdx:
    """One HDX; after a fault the connection is made anew, so no frame is cut in the middle.

    Args:
        host: Its IPv4 address.
        port: Its TCP port.
        timeout: Longest wait for an answer, beyond exposures [s].
    """

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self._where, self._timeout = (host, port), timeout
        socket.setdefaulttimeout(timeout)  # seabreeze connects without one
        IPv4Transport.devices_ip_port[self._where] = "HDX"
        self._device: Any = None
        self._old: list[tuple[bool, bytes]] = []
        self._held: tuple[int, int] | None = None

    def identify(self) -> tuple[str, str]:
        """Return model and serial number.

        Raises:
            DeviceFaultError: another model.
        """
        with _Whole(self) as device:
            product = struct.unpack("<H", device.protocol.query(GET_PRODUCT))[0]
            if product != HDX_PRODUCT:
                raise DeviceFaultError(
                    f"an Ocean HDX has product number 0x{HDX_PRODUCT:04X}, but 0x{product:04X} "
                    "answered; use the driver of that model"
                )
            return "Ocean HDX", str(self._device.get_serial_number())

    def wavelengths(self) -> NDArray[np.float64]:
        """Pixel axis, shape (2068,) [nm]."""
        with _Whole(self) as spectrometer:
            return np.asarray(spectrometer.get_wavelengths(), dtype=np.float64)

    def limits(self) -> tuple[tuple[int, int], float]:
        """Shortest and longest exposure [µs], and the highest count."""
        with _Whole(self) as spectrometer:
            shortest, longest = spectrometer.get_integration_time_micros_limits()
            return (int(shortest), int(longest)), float(spectrometer.get_maximum_intensity())

    def expose(self, micros: int, scans: int) -> NDArray[np.float32]:
        """Return a fresh spectrum, shape (2068,) [counts]: the mean of `scans` of `micros` each.

        The first spectrum after a change of either was begun before it and is dropped.
        """
        with _Whole(self) as spectrometer:
            if self._held != (micros, scans):
                self._set(spectrometer.protocol, SET_TIME, GET_TIME, "<L", micros)
                self._set(spectrometer.protocol, SET_SCANS, GET_SCANS, "<H", scans)
            self._transport.patience = self._timeout + 2e-6 * micros * scans
            if self._held != (micros, scans):
                spectrometer.get_intensities()
                self._held = (micros, scans)
            return np.asarray(spectrometer.get_intensities(), dtype=np.float32)

    def wire_notes(self) -> list[tuple[bool, bytes]]:
        """Return what went over the wire since the last call: (sent, bytes)."""
        found, self._old = self._old, []
        if self._device is not None:
            found += self._transport.notes
            self._transport.notes = []
        return found

    def close(self) -> None:
        """Let go of the device. May be called twice."""
        if self._device is not None:
            self._old += self._transport.notes
            self._device.close()
        self._device, self._held = None, None

    @property
    def _transport(self) -> CheckedTransport:
        found: CheckedTransport = self._device._transport  # noqa: SLF001
        return found

    def _set(self, protocol: Any, tell: int, ask: int, layout: str, value: int) -> None:
        protocol.send(tell, value)
        held = struct.unpack(layout, protocol.query(ask))[0]
        if held != value:
            raise DeviceFaultError(
                f"the spectrometer must hold the {value} that message 0x{tell:08X} set, but reads "
                f"back {held}; its exposures are not what was asked for"
            )

    def ready(self) -> Any:
        """Connect unless connected, and return seabreeze's spectrometer feature."""
        if self._device is None:
            device = HDX(IPv4TransportHandle(*self._where))
            self._device = device
            self._transport.patience = self._timeout
            try:
                device.open()
            except RuntimeError as error:
                raise DeviceTimeoutError(
                    f"an Ocean HDX must be reached at {self._where[0]}:{self._where[1]}, but "
                    f"{error}; check cable, power and address"
                ) from error
        self._transport.patience = self._timeout
        return self._device.f.spectrometer


class _Whole:
    """A verb on the device: whatever fails in it ends the connection, but for a refusal."""

    def __init__(self, hdx: Hdx) -> None:
        self._hdx = hdx

    def __enter__(self) -> Any:
        try:
            return self._hdx.ready()
        except BaseException:
            self._hdx.close()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: Any, _: Any) -> None:
        if kind is None:
            return
        self._hdx.close()
        if not issubclass(kind, InstrumentError):
            raise DeviceFaultError(
                f"seabreeze could not make sense of an answer ({error!r}); the spectrometer's "
                "state is unknown"
            ) from error
