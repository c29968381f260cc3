"""Registers of a Modbus device through pymodbus: one lock and one timeout for each wire.

pymodbus *returns* refusals and raises what the wire does; here both are errors. Over TCP the
transaction number tells a late answer. A serial line has none, so after a failure it is left
silent, asked for what nobody needs, and left silent again: what was late has then come.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus.constants import ExcCodes
from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.pdu import ModbusPDU

from instruments.drivers.transcript import Transcript
from instruments.errors import (
    DeviceError,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceTimeoutError,
    InstrumentError,
)

TIMEOUT = 1.0  # s; assumed, because controllers answer within a tenth of it
PORT = 502  # of Modbus over TCP
TRIES = 4  # of a request that a busy device puts off
_PAUSE = 0.05  # s between them
_QUIET = 0.2  # s without a byte after which a late answer on a serial line will not come any more
_SLICE = 0.02  # s that one look for late bytes waits
_BUSY = (ExcCodes.ACKNOWLEDGE, ExcCodes.DEVICE_BUSY)
_FAULTS = (ExcCodes.DEVICE_FAILURE, ExcCodes.MEMORY_PARITY_ERROR)
_SILENT = (ExcCodes.GATEWAY_NO_RESPONSE,)
_LOG = logging.getLogger("pymodbus")
_LOG.addHandler(logging.NullHandler())
_LOG.propagate = False  # what fails is raised here, and a late answer that is skipped is none

Listen = Callable[[int | None], bytes]


class _Tcp(ModbusTcpClient):
    hear: Callable[[Listen, int | None], bytes]

    def recv(self, size: int | None) -> bytes:
        return self.hear(super().recv, size)


class _Rtu(ModbusSerialClient):
    hear: Callable[[Listen, int | None], bytes]

    def recv(self, size: int | None) -> bytes:
        return self.hear(super().recv, size)


def is_serial(address: str) -> bool:
    """Tell whether an address is a serial port rather than `host` or `host:port`."""
    return "/" in address or address.upper().startswith("COM")


class ModbusWire:
    """One unit behind a serial port (RTU) or a host (TCP).

    Args:
        address: Path of a serial port, or `host` or `host:port`.
        unit: Its address on the bus, 1 to 247.
        probe: A register that may be read at any time, to find into step again.
        baudrate: Of a serial port [1/s].
        parity: Of a serial port: N, E or O.
        timeout: Longest wait for a whole answer [s].
        transcript: Keeps what goes over the wire.

    Raises:
        InstrumentError: the port or host cannot be opened.
    """

    def __init__(
        self,
        address: str,
        *,
        unit: int,
        probe: int,
        baudrate: int = 9600,
        parity: str = "N",
        timeout: float = TIMEOUT,
        transcript: Transcript | None = None,
    ) -> None:
        self.name, self.timeout, self._transcript = address, timeout, transcript
        self._unit, self._probe, self._serial = unit, probe, is_serial(address)
        self._lock, self._closing = threading.Lock(), threading.Event()
        self._heard, self._deadline, self._owed = b"", 0.0, False
        self._client = self._made(address, baudrate, parity)
        self._client.hear = self._hear
        if not self._client.connect():
            raise InstrumentError(
                f"{address} must be a port or host that can be opened; check the cable, the "
                "address in the station file, and that nothing else has the port"
            )

    def _made(self, address: str, baudrate: int, parity: str) -> _Tcp | _Rtu:
        more: dict[str, Any] = {
            "timeout": self.timeout,
            "retries": 0,
            "trace_packet": self._sent,
        }
        if self._serial:
            return _Rtu(address, baudrate=baudrate, parity=parity, **more)
        host, _, port = address.partition(":")
        if port and not port.isdecimal():
            raise InstrumentError(f"a port must be a number, but got {address!r}")
        return _Tcp(host, port=int(port or PORT), **more)

    def read(self, register: int, count: int = 1) -> list[int]:
        """Return `count` registers, unsigned.

        Raises:
            DeviceRefusedError: the device has no such registers, or stays busy.
            DeviceFaultError: it failed, or its answer cannot be one to the question.
            DeviceTimeoutError: no whole answer within the timeout.
        """
        with self._lock:
            answer = self._exchange(lambda: self._read(register, count), 5 + 2 * count)
        if answer.function_code != 3 or len(answer.registers) != count:
            raise self._nonsense(f"{count} registers from {register}", answer)
        return list(answer.registers)

    def write(self, register: int, value: int) -> None:
        """Write one register (unsigned); raises as `read` does."""
        with self._lock:
            answer = self._exchange(
                lambda: self._client.write_register(register, value, device_id=self._unit), 8
            )
        if (answer.function_code, answer.address) != (6, register) or answer.registers != [value]:
            raise self._nonsense(f"an echo of {value} to {register}", answer)

    def tell(self, register: int, value: int) -> None:
        """Write one register (unsigned) without waiting for the answer, which is dropped.

        Raises:
            DeviceTimeoutError: the wire is closed or broke off.
        """
        with self._lock:
            self._check_open()
            self._call_for(self.timeout)
            try:
                self._client.write_register(
                    register, value, device_id=self._unit, no_response_expected=True
                )
            except (ModbusException, OSError) as error:
                raise self._lost(error) from error

    def close(self) -> None:
        """Let go of the wire, once an exchange under way has ended. May be called twice."""
        self._closing.set()
        with self._lock:
            self._hang_up()

    def _read(self, register: int, count: int) -> ModbusPDU:
        return self._client.read_holding_registers(register, count=count, device_id=self._unit)

    def _check_open(self) -> None:
        if self._closing.is_set():
            raise DeviceTimeoutError(
                f"{self.name} must be open to reach the device, but it is closed; open the station"
            )

    def _exchange(self, ask: Callable[[], ModbusPDU], size: int) -> ModbusPDU:
        """Ask, again while the device is busy, and raise what it refuses."""
        for _ in range(TRIES):
            self._check_open()
            self._find_step()
            answer = self._call(ask, size)
            code = getattr(answer, "exception_code", 0) if answer.isError() else None
            if code is None:
                return answer
            if code not in _BUSY:
                raise self._refusal(code)
            self._closing.wait(_PAUSE)
        raise DeviceRefusedError(
            f"{self.name}: unit {self._unit} was busy {TRIES} times; nothing has changed, "
            "ask again later"
        )

    def _call(self, ask: Callable[[], ModbusPDU], size: int) -> ModbusPDU:
        """Send one request and return its answer; `size` is that of a whole serial frame."""
        self._call_for(self.timeout)
        try:
            answer = ask()
        except (ModbusException, OSError) as error:
            raise self._lost(error) from error
        finally:
            self._note(False, self._heard)
        if self._serial and len(self._heard) != (5 if answer.isError() else size):
            raise DeviceFaultError(
                f"{self.name}: unit {self._unit} must answer once, but {self._heard!r} came; "
                "whether the device acted is unknown, look for a second master or a late answer"
            )
        self._owed = False
        return answer

    def _call_for(self, seconds: float) -> None:
        """Begin an exchange that may take so long."""
        self._heard, self._deadline = b"", monotonic() + seconds
        self._owed = self._serial  # until the answer is here, whatever interrupts
        for params in (self._client.comm_params, self._client.transaction.comm_params):
            params.timeout_connect = seconds

    def _lost(self, error: Exception) -> DeviceError:
        """Return what an exchange without answer means, and see that the next one is in step."""
        self._owed = self._serial
        broken = isinstance(error, ConnectionException | OSError)
        if not self._serial and (self._heard or broken):
            self._hang_up()  # what was torn must not be read on; the next exchange connects
        told = f"{self.name}: unit {self._unit} must answer within {self.timeout:g} s, but gave "
        told += f"{self._heard!r} ({error}); whether the device acted is unknown, "
        if broken or "No response" in str(error):
            return DeviceTimeoutError(told + "check cable and power")
        return DeviceFaultError(told + "check that it speaks Modbus")

    def _refusal(self, code: int) -> DeviceError:
        name = ExcCodes(code).name if code in list(ExcCodes) else "unknown"
        told = f"{self.name}: unit {self._unit} answers with exception {code} ({name})"
        if code in _SILENT:
            return DeviceTimeoutError(f"{told}; the gateway does not reach it, check its bus")
        if code in _FAULTS:
            return DeviceFaultError(f"{told}; its state is unknown, look at it")
        return DeviceRefusedError(f"{told}; nothing has changed")

    def _nonsense(self, wanted: str, answer: ModbusPDU) -> DeviceError:
        return DeviceFaultError(
            f"{self.name}: unit {self._unit} must answer with {wanted}, but {answer} came; "
            "whether the device acted is unknown"
        )

    def _find_step(self) -> None:
        """On a serial line, after a failure, wait out what is late (no transaction numbers)."""
        if self._owed:
            self._drain()
            self._call(lambda: self._read(self._probe, 1), 7)
            self._drain()
            self._owed = False

    def _drain(self) -> None:
        port: Any = self._client.socket if self._client.connect() else None
        if port is None:
            return
        late, now = b"", monotonic()
        quiet, end = now + _QUIET, now + self.timeout + _QUIET
        try:
            port.timeout = _SLICE
            while monotonic() < min(quiet, end):
                if got := port.read(256):
                    late, quiet = late + got, monotonic() + _QUIET
        except OSError as error:
            raise self._lost(error) from error
        self._note(False, late)

    def _hang_up(self) -> None:
        self._client.close()  # type: ignore[no-untyped-call]

    def _hear(self, listen: Listen, size: int | None) -> bytes:
        """Listen no longer than what is left of the timeout."""
        self._client.comm_params.timeout_connect = max(self._deadline - monotonic(), 0.0)
        got = listen(size)
        self._heard += got
        return got

    def _sent(self, sending: bool, data: bytes) -> bytes:
        if sending:
            self._note(True, data)
        return data

    def _note(self, sent: bool, data: bytes) -> None:
        if self._transcript is not None and data:
            self._transcript.note(self.name, sent, data)
