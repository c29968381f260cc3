"""Julabo circulators over their serial line (ASCII, carriage return and line feed).

`in_` commands and `version`, `status` answer one line; `out_` commands answer nothing, and what
is wrong with them stands in the next `status` (Julabo, operating manuals SL and FL1201, chapter
on remote control). Not verified on hardware.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from time import monotonic
from typing import Any, Literal

from pydantic import Field

from instruments.drivers.driver import identity
from instruments.drivers.link import Link, serial_link
from instruments.drivers.thermostat import SAFE, STEPS, ControllerThermostat, Heated, steps_of
from instruments.emulators.julabo import Circulator
from instruments.emulators.servers import SerialEnd
from instruments.errors import (
    DeviceError,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceStoppedError,
)
from instruments.wiring import Connection, DriverKind, Part

DRIVER, VERSION = "julabo", "1"
END = re.compile(rb"\n$")
AFTER_IN, AFTER_OUT = 0.01, 0.25
"""s that the circulator wants between two commands (manual, important times)."""
_NUMBER = re.compile(r"[+-]?\d+\.\d+")
_STATUS = re.compile(r"(-?\d\d) (.+)")
_REFUSALS = (-8, -9, -10, -11, -13)  # invalid, not allowed in this mode, too small, too large
_REMOTE_STOP, _REMOTE_START = 2, 3


class Settings(Heated):
    """What a circulator needs besides its port.

    Attributes:
        baudrate: [1/s]; 4800 as delivered.
        byte_size: Bits of a character; 7 as delivered.
        parity: N, E or O; even as delivered.
    """

    baudrate: int = Field(default=4800, gt=0)
    byte_size: Literal[7, 8] = 7
    parity: Literal["N", "E", "O"] = "E"


class Julabo(ControllerThermostat):
    """One circulator.

    Args:
        name: Name of the instrument in the record.
        link: Its wire.
        highest: Highest setpoint and reading [degC].
        emulated: Whether an emulator answers; it needs no rest between commands.
    """

    def __init__(self, name: str, link: Link, highest: float, *, emulated: bool) -> None:
        super().__init__(name, highest)
        self.wire, self._emulated = link, emulated
        self._in_step, self._not_before = True, 0.0
        self._closing, self._lock = threading.Event(), threading.RLock()

    def identify(self) -> Mapping[str, Any]:
        """Ask for model and version."""
        with self._lock:
            said = self._ask("version")
        found = re.fullmatch(r"(JULABO .*?) *(?:VERSION|V) *([\w.]+)", said)
        if found is None:
            raise DeviceFaultError(
                f"{self.name} must say that it is a JULABO, but {said!r} came; check which device "
                "is on this port"
            )
        return identity(
            self.name,
            model=found[1],
            serial="",
            firmware=found[2],
            driver=DRIVER,
            version=VERSION,
            emulated=self._emulated,
        )

    def halt(self) -> None:
        """Tell the safe setpoint, without asking whether it is held."""
        self.wire.tell(f"out_sp_00 {SAFE:.1f}\r\n".encode("ascii"))
        self._not_before = monotonic() + AFTER_OUT

    def close(self) -> None:
        """Let go of the wire."""
        self._closing.set()
        self.wire.close()

    def _send(self, steps: int) -> None:
        with self._lock:
            self._tell(f"out_sp_00 {steps / STEPS:.1f}")
            self._check_refusal(f"a setpoint of {steps / STEPS:.1f} degC")

    def _held(self) -> int:
        with self._lock:
            return steps_of(self._number("in_sp_00"))

    def _measured(self) -> float:
        with self._lock:
            code, what = self._status()
            if code < 0:
                raise DeviceFaultError(f"{self.name} reports {code:03d} {what}; look at it")
            return self._number("in_pv_00")

    def _run(self) -> None:
        """Start it where it stands.

        Raises:
            DeviceRefusedError: it is not in remote mode, so the line cannot start it.
            DeviceFaultError: it does not start.
        """
        with self._lock:
            code, what = self._status()
            if code == _REMOTE_STOP:
                self._tell("out_mode_05 1")
                self._check_refusal("a start")
                code, what = self._status()
        if code in (0, 1):
            raise DeviceRefusedError(
                f"{self.name} must be in remote mode, but it says {code:02d} {what}; choose "
                "remote mode at its keypad"
            )
        if code != _REMOTE_START:
            raise DeviceFaultError(
                f"{self.name} must run, but it says {code:02d} {what}; look at it"
            )

    def _check_running(self, started: bool) -> None:
        with self._lock:
            code, what = self._status()
        if code < 0:
            raise DeviceFaultError(f"{self.name} reports {code:03d} {what}; look at it")
        if started and code != _REMOTE_START:
            raise DeviceStoppedError(
                f"{self.name} must run, but it says {code:02d} {what}; it may have lost its "
                "power, set it again"
            )

    def _check_refusal(self, what: str) -> None:
        code, said = self._status()
        if code in _REFUSALS:
            raise DeviceRefusedError(
                f"{self.name} refused {what}: {code:03d} {said}; nothing has changed"
            )

    def _status(self) -> tuple[int, str]:
        """Return code and text of the status; a refusal is told once, then it is forgotten."""
        said = self._ask("status")
        found = _STATUS.fullmatch(said)
        if found is None:
            raise self._nonsense("a code and a status", said)
        return int(found[1]), found[2]

    def _number(self, command: str) -> float:
        said = self._ask(command)
        if _NUMBER.fullmatch(said) is None:
            raise self._nonsense("a number", said)
        return float(said)

    def _nonsense(self, wanted: str, said: str) -> DeviceError:
        self._in_step = False
        return DeviceFaultError(
            f"{self.name} must answer with {wanted}, but {said!r} came; check the cable, and "
            "that it is set to this baud rate"
        )

    def _ask(self, command: str) -> str:
        if not self._in_step:
            self._find_step()
        return self._line(command)

    def _find_step(self) -> None:
        """After a failure, ask for what no other command answers: what was late came before it."""
        said = self._line("version")
        if not said.startswith("JULABO"):
            raise self._nonsense("its version", said)
        self._in_step = True

    def _line(self, command: str) -> str:
        """Return the one line of an answer."""
        self._rest()
        in_step, self._in_step = self._in_step, False  # until the answer is here
        got = self.wire.exchange(f"{command}\r\n".encode("ascii"), END)
        self._not_before = monotonic() + AFTER_IN
        try:
            lines = got.decode("ascii").splitlines()
        except UnicodeDecodeError as error:
            raise self._nonsense("ASCII", repr(got)) from error
        if len(lines) != 1:
            raise self._nonsense("one line", repr(got))
        self._in_step = in_step
        return lines[0].strip()

    def _tell(self, command: str) -> None:
        if not self._in_step:
            self._find_step()
        self._rest()
        self.wire.tell(f"{command}\r\n".encode("ascii"))
        self._not_before = monotonic() + AFTER_OUT

    def _rest(self) -> None:
        if not self._emulated:
            self._closing.wait(max(self._not_before - monotonic(), 0.0))


def _connect(connection: Connection) -> dict[str, Julabo]:
    settings: Settings = connection.settings
    link = serial_link(
        connection,
        baudrate=settings.baudrate,
        byte_size=settings.byte_size,
        parity=settings.parity,
    )
    (name,) = connection.names
    return {name: Julabo(name, link, settings.highest, emulated=connection.emulated)}


def _emulate(said: Part, settings: Settings, names: tuple[str, ...]) -> SerialEnd:
    return SerialEnd(Circulator(), said.wire_faults)


KIND = DriverKind(
    parts=("thermostat", "exchange_thermostat"),
    describe="Julabo heating and refrigerated circulators",
    settings=Settings,
    connect=_connect,
    emulate=_emulate,
)
