"""A VISA resource as a wire: PyVISA with a backend of choice, one lock and one timeout."""

from __future__ import annotations

import contextlib
import re
import threading
from time import monotonic

import pyvisa
from pyvisa import constants
from pyvisa.resources import MessageBasedResource

from instruments.drivers.link import TIMEOUT
from instruments.drivers.transcript import Transcript
from instruments.errors import DeviceTimeoutError, InstrumentError

_QUIET = 0.2  # s without a line after which an answer that was late will not come any more
_BROKEN = (OSError, ValueError, pyvisa.Error)


class VisaLink:
    """A VISA resource that answers in lines (`instruments.drivers.link.Link`).

    Args:
        address: VISA address, such as `ASRL/dev/ttyACM0::INSTR` or `TCPIP::host::port::SOCKET`.
        backend: Of PyVISA, `@py` for the one in Python.
        timeout: Longest wait for a whole answer [s].
        transcript: Keeps what goes over the wire.

    Raises:
        InstrumentError: the resource cannot be opened.
    """

    def __init__(
        self,
        address: str,
        *,
        backend: str = "@py",
        timeout: float = TIMEOUT,
        transcript: Transcript | None = None,
    ) -> None:
        self.name, self.timeout, self._transcript = address, timeout, transcript
        self._lock, self._owed, self._open = threading.Lock(), 0.0, True
        self._backend, self._broken = backend, False
        self._resource = self._opened()

    def _opened(self) -> MessageBasedResource:
        try:
            self._manager = pyvisa.ResourceManager(self._backend)
            opened = self._manager.open_resource(
                self.name, read_termination="\r\n", write_termination="\r\n"
            )
        except _BROKEN as error:
            raise InstrumentError(
                f"{self.name} must be a VISA resource that can be opened, but {error}; check the "
                "cable and the address in the station file"
            ) from error
        if not isinstance(opened, MessageBasedResource):
            opened.close()
            raise InstrumentError(f"{self.name} must be a resource that takes messages")
        return opened

    def exchange(self, request: bytes, end: re.Pattern[bytes]) -> bytes:
        """Send a request and return its lines up to the one that `end` matches; see `Link`."""
        with self._lock:
            self._check_open()
            self._drop_stale()
            self._note(True, request)
            got = b""
            try:
                self._resource.write_raw(request)
                deadline = monotonic() + self.timeout
                while end.search(got) is None and (left := deadline - monotonic()) > 0.0:
                    got += self._line(left)
            except _BROKEN as error:
                self._owed, self._broken = _QUIET, not _is_silence(error)
                raise DeviceTimeoutError(
                    f"{self.name} must answer {request!r} within {self.timeout:g} s, but gave "
                    f"{got!r} ({error}); its state is unknown, check cable and power"
                ) from error
            finally:
                self._note(False, got)
            if end.search(got) is None:
                self._owed = _QUIET
                raise DeviceTimeoutError(
                    f"{self.name} must end its answer to {request!r} within {self.timeout:g} s, "
                    f"but gave {got!r}; whether the device acted is unknown"
                )
            return got

    def tell(self, request: bytes) -> None:
        """Send a request whose answer is dropped.

        Raises:
            DeviceTimeoutError: the resource broke off.
        """
        with self._lock:
            self._check_open()
            self._note(True, request)
            self._owed = _QUIET
            try:
                self._resource.write_raw(request)
            except _BROKEN as error:
                self._broken = True
                raise DeviceTimeoutError(
                    f"{self.name} broke off at {request!r}: {error}; look at the device"
                ) from error

    def close(self) -> None:
        """Let go of the resource, once an exchange under way has ended."""
        with self._lock:
            if self._open:
                self._open = False
                self._resource.close()

    def _check_open(self) -> None:
        if not self._open:
            raise DeviceTimeoutError(
                f"{self.name} must be open to reach the device, but it is closed; open the station"
            )
        if not self._broken:
            return
        with contextlib.suppress(*_BROKEN):  # of what broke off there is nothing to learn
            self._resource.close()
        try:
            self._resource = self._opened()
        except InstrumentError as error:
            raise DeviceTimeoutError(f"{error}; it broke off, and its state is unknown") from error
        self._broken = False

    def _line(self, patience: float) -> bytes:
        self._resource.timeout = max(1000.0 * patience, 1.0)
        return self._resource.read_raw()

    def _drop_stale(self) -> None:
        """Drop what an earlier request was answered too late; an answer is never taken twice."""
        deadline = monotonic() + self._owed
        while (left := deadline - monotonic()) > 0.0:
            with contextlib.suppress(*_BROKEN):
                self._note(False, self._line(left))
        self._owed = 0.0
        with contextlib.suppress(*_BROKEN, NotImplementedError):  # pyvisa-sim has no buffers
            self._resource.flush(constants.BufferOperation.discard_read_buffer)

    def _note(self, sent: bool, data: bytes) -> None:
        if self._transcript is not None and data:
            self._transcript.note(self.name, sent, data)


def _is_silence(error: BaseException) -> bool:
    """Whether nothing came in time, on a resource that is still there."""
    return (
        isinstance(error, pyvisa.VisaIOError)
        and error.error_code == constants.StatusCode.error_timeout
    )
