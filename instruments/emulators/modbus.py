"""A temperature controller on Modbus: pymodbus' own simulator with a simulated heater behind it.

The frames are pymodbus', at both ends; the registers are those of the driver's map, so the map
itself is circular and proves only that both read it alike. Faults of the wire are made between
the two ends, on whole telegrams.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from instruments.drivers.controller_maps import RegisterMap, signed, unsigned
from instruments.drivers.thermostat import SAFE, STEPS
from instruments.emulators.faults import HangUpError, faults_of
from instruments.emulators.heater import Cold, Heater, only
from instruments.emulators.servers import PtyServer
from instruments.emulators.tcp import TcpServer
from instruments.errors import InstrumentError

ANSWER = 0.5  # s that the end of a wire waits for the server's answer; it gives none to strangers
LOWEST, HIGHEST = -200, 1200  # degC; assumed range of the emulated setpoint
WRITES = (6, 16)


class Controller:
    """Registers of a controller that moves a heater.

    Args:
        registers: Where it keeps what.

    Attributes:
        busy: Requests that it will still put off.
        forced: Registers that read as these values, whatever the heater does or was written.
    """

    def __init__(self, registers: RegisterMap) -> None:
        self._map = registers
        self._heater: Heater = Cold()
        self.busy = 0
        self.forced: dict[int, int] = {}
        self._whole = False
        self._suffered = ""

    def attach(self, heaters: Mapping[str, Heater], now: Callable[[], float]) -> None:
        """Move this heater from now on; the setpoint stays until it is written."""
        self._heater = only(heaters)

    @property
    def suffers(self) -> tuple[str, ...]:
        """Kinds that its registers can show."""
        shown = bool(self._map.must) or self._map.precise_setpoint is not None
        return ("power_cycle", "open_sensor", *(("wrong_unit",) if shown else ()))

    def suffer(self, kind: str) -> None:
        """Restart, lose its sensor, or count in whole degrees from now on."""
        self._suffered = kind
        if kind == "wrong_unit":
            self._whole = True
            self.forced |= {r: 0 for r, (_, what) in self._map.must.items() if "decimal" in what}
            return
        self._heater.set_temperature(SAFE)
        if kind == "power_cycle":
            self._whole, self.forced = False, {}
        elif self._map.codes:
            reading = next(c for c, what in self._map.codes.items() if "sensor" in what)
            self.forced[self._map.reading] = reading
        elif self._map.status is not None:
            mask = next(m for m, w in self._map.faults.items() if "sensor" in w or "input" in w)
            self.forced[self._map.status] = mask & -mask

    def device(self, unit: int) -> SimDevice:
        """Return the simulator's device."""
        where = self._map
        held = {where.setpoint: unsigned(round(SAFE * STEPS)), where.reading: 0}
        held |= {where.firmware: 0x0111, **{r: value for r, (value, _) in where.must.items()}}
        held |= {r: 0 for r in (where.status, where.code) if r is not None}
        if where.precise_setpoint is not None:
            high, low = _precise(held[where.setpoint], STEPS)
            held |= {where.precise_setpoint: high, where.precise_setpoint + 1: low}
        data = [SimData(r, values=v, datatype=DataType.REGISTERS) for r, v in sorted(held.items())]
        return SimDevice(unit, simdata=data, action=self.act)

    async def act(
        self,
        function: int,
        start: int,
        address: int,
        count: int,
        held: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Act on a request before the simulator answers it from `held` (register `start` first).

        A write leaves what it writes in `held`; a read of the reading is one of the heater.
        """
        if self.busy > 0:
            self.busy -= 1
            return ExcCodes.DEVICE_BUSY
        where = self._map
        if self._suffered in ("power_cycle", "wrong_unit"):
            restarted, self._suffered = self._suffered == "power_cycle", ""
            kept = held[where.setpoint - start]
            self._hold(start, held, unsigned(round(SAFE * STEPS)) if restarted else kept)
        if values is not None:
            return self._write(start, address, [int(v) for v in values], held)
        if function in WRITES:
            return None  # the simulator reads what it has just written, for its echo
        if address <= where.reading < address + count:
            reading = round(self._heater.read_temperature() * (1 if self._whole else STEPS))
            held[where.reading - start] = unsigned(reading)
        for register, value in self.forced.items():
            held[register - start] = value
        return None

    def _hold(self, start: int, held: list[int], setpoint: int) -> None:
        """Have the registers of the setpoint say it [steps, unsigned]."""
        where = self._map
        held[where.setpoint - start] = setpoint
        if where.precise_setpoint is not None:
            first = where.precise_setpoint - start
            held[first : first + 2] = _precise(setpoint, 1 if self._whole else STEPS)

    def _write(
        self, start: int, address: int, values: list[int], held: list[int]
    ) -> ExcCodes | None:
        where = self._map
        if address != where.setpoint or len(values) != 1:
            return ExcCodes.ILLEGAL_ADDRESS
        steps = signed(values[0])
        if not LOWEST * STEPS <= steps <= HIGHEST * STEPS:
            return ExcCodes.ILLEGAL_VALUE
        self._heater.set_temperature(steps / (1 if self._whole else STEPS))
        if where.precise_setpoint is not None:
            self._hold(start, held, values[0])
        return None


def _precise(register: int, steps: int) -> tuple[int, int]:
    """Return the two registers of a setpoint as an IEEE number [degC], the high one first."""
    high, low = struct.unpack(">HH", struct.pack(">f", signed(register) / steps))
    return high, low


class ModbusServer:
    """pymodbus' server on a port of this machine, in a thread with an event loop of its own.

    Args:
        device: What it serves.
        framer: How frames look.
    """

    def __init__(self, device: SimDevice, framer: FramerType) -> None:
        self.port, self._ready = 0, threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, args=(device, framer))
        self._thread.start()
        self._ready.wait()

    def close(self) -> None:
        """End the server and its thread. May be called twice."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def _serve(self, device: SimDevice, framer: FramerType) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._until_stopped(device, framer))

    async def _until_stopped(self, device: SimDevice, framer: FramerType) -> None:
        server = ModbusTcpServer(
            device, framer=framer, address=("127.0.0.1", 0), ignore_missing_devices=True
        )
        try:
            await server.serve_forever(background=True)
            if isinstance(server.transport, asyncio.Server):
                self.port = server.transport.sockets[0].getsockname()[1]
        finally:
            self._ready.set()
        await self._stop.wait()
        await server.shutdown()  # type: ignore[no-untyped-call]


class Telegrams:
    """Hands whole telegrams of a wire on to the server, so that faults strike whole ones.

    Args:
        rtu: Whether the frames are those of a serial line.
        controller: What a simulated instrument is attached to.

    Attributes:
        port: Of the server.
    """

    end = b""

    def __init__(self, rtu: bool, controller: Controller) -> None:
        self.port, self._rtu, self._controller = 0, rtu, controller
        self._server: socket.socket | None = None

    @property
    def suffers(self) -> tuple[str, ...]:
        """Kinds that the controller can show."""
        return self._controller.suffers

    def suffer(self, kind: str, request: bytes) -> None:
        """Let a fault befall the controller; a restart ends a connection over a network."""
        self._controller.suffer(kind)
        if kind == "power_cycle" and not self._rtu:
            raise HangUpError(comes_back=True)

    def attach(self, device: Any, now: Callable[[], float]) -> None:
        """Move this simulated instrument from now on."""
        self._controller.attach(device, now)

    def cut(self, got: bytes) -> tuple[bytes, bytes]:
        """Return the first whole request of what came, empty if there is none, and the rest."""
        size = 8 if self._rtu else _tcp_size(got)
        return (got[:size], got[size:]) if len(got) >= size else (b"", got)

    def split(self, got: bytes) -> tuple[bytes, bytes] | None:
        """Return the same for a pseudo-terminal; None if there is no whole request."""
        request, rest = self.cut(got)
        return (request, rest) if request else None

    def answer(self, request: bytes) -> bytes:
        """Return the server's answer to a request; none if it gives none, or is gone."""
        try:
            return self._asked(request)
        except OSError:
            self.close()  # what the server still says belongs to this request
            return b""

    def _asked(self, request: bytes) -> bytes:
        if self._server is None:
            self._server = socket.create_connection(("127.0.0.1", self.port), ANSWER)
            self._server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server.sendall(request)
        got = b""
        while len(got) < (_rtu_size(got) if self._rtu else _tcp_size(got)):
            more = self._server.recv(4096)
            if not more:
                raise ConnectionResetError("the server is gone")
            got += more
        return got

    def close(self) -> None:
        """Let go of the server; the next request connects anew."""
        if self._server is not None:
            self._server.close()
            self._server = None


def _tcp_size(got: bytes) -> int:
    """Size of a frame with a header (MBAP): its bytes 4 and 5 count what follows them."""
    return 6 + int.from_bytes(got[4:6]) if len(got) >= 6 else 6


def _rtu_size(got: bytes) -> int:
    """Size of a serial answer: 5 of an exception, 8 of an echo, else as its third byte counts."""
    if len(got) < 3 or got[1] & 0x80:
        return 5
    return 8 if got[1] in WRITES else 5 + got[2]


class ModbusEnd:
    """The emulated far end of a controller's wire (`instruments.wiring.End`).

    Args:
        registers: Of the controller.
        unit: Its address on the bus.
        faults: What goes wrong on the wire, as a station file says it.
        rtu: Whether the wire is a serial line.
    """

    def __init__(
        self, registers: RegisterMap, unit: int, faults: Mapping[str, float], *, rtu: bool
    ) -> None:
        self.controller = Controller(registers)
        self._telegrams = Telegrams(rtu, self.controller)
        spoilt = faults_of(faults, self._telegrams)  # refuses before anything is started
        framer = FramerType.RTU if rtu else FramerType.SOCKET
        self._server = ModbusServer(self.controller.device(unit), framer)
        if not self._server.port:
            raise InstrumentError("the emulated controller must get a port of this machine")
        self._telegrams.port = self._server.port
        self._wire: PtyServer | TcpServer = (
            PtyServer(self._telegrams, spoilt) if rtu else TcpServer(self._telegrams, spoilt)
        )

    @property
    def address(self) -> str:
        """Path of the terminal, or `host:port`."""
        return self._wire.address

    def attach(self, device: Any, now: Callable[[], float]) -> None:
        """Move this simulated instrument from now on."""
        self.controller.attach(device, now)

    def die(self) -> None:
        """Take the controller's power; the wire stays, and nobody answers on it."""
        self._server.close()

    def close(self) -> None:
        """Take wire and controller away. May be called twice."""
        self._wire.close()
        self._telegrams.close()
        self._server.close()
