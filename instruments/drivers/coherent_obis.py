"""Coherent OBIS lasers by SCPI over VISA, with the handshake on.

Each command is answered with its value, if it asks for one, and a line `OK` or `ERR` and a number
(Coherent, OBIS LX/LS operator's manual, appendix on host interface commands). Powers are in watts
on the wire. Not verified on hardware.
No manual was at hand: what is cited of it is from memory and wants checking against the document.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from instruments.drivers.driver import identity
from instruments.drivers.link import TIMEOUT, Link
from instruments.drivers.visa import VisaLink
from instruments.emulators.coherent_obis import ObisEmulator
from instruments.emulators.servers import SerialEnd
from instruments.errors import (
    DeviceFaultError,
    DeviceRefusedError,
    DeviceStoppedError,
    DeviceTimeoutError,
    InstrumentError,
)
from instruments.wiring import Connection, DriverKind, Part

DRIVER, VERSION = "coherent_obis", "1"
DIGITS = 6  # of a power in watts
_END = re.compile(rb"(?:^|\n)(?:OK|ERR-?\d+)\r\n$")
_SETPOINT = "SOURce:POWer:LEVel:IMMediate:AMPLitude"
_FAULT = re.compile(r"(?:0x)?([0-9A-Fa-f]{4,8})")


class CoherentObis:
    """One laser.

    Args:
        name: Name of the instrument in the record.
        link: Its wire.
        maximum: Highest power that the station allows [mW].
        emulated: Whether an emulator answers.
    """

    def __init__(self, name: str, link: Link, maximum: float, *, emulated: bool) -> None:
        self.name, self.wire = name, link
        self._maximum, self._emulated = maximum, emulated
        self._power: str | None = None  # W, as told and read back
        self._on: bool | None = False

    def identify(self) -> Mapping[str, Any]:
        """Ask for model, firmware and serial number."""
        maker, *rest = [part.strip() for part in self._query("*IDN?").split(" - ")]
        if "Coherent" not in maker or len(rest) < 2:
            raise DeviceFaultError(
                f"laser {self.name!r} must say that Coherent made it, its model and its firmware, "
                f"but said {' - '.join([maker, *rest])!r}; check the address"
            )
        return identity(
            self.name,
            model=rest[0],
            serial=self._query("SYSTem:INFormation:SNUMber?"),
            firmware=rest[1],
            driver=DRIVER,
            version=VERSION,
            emulated=self._emulated,
        )

    def set_power(self, power: float) -> None:
        """Set the power [mW] for when it emits; see `switch_on`.

        Raises:
            InstrumentError: not positive, or above what the station allows.
            DeviceRefusedError: the laser does not take it.
            DeviceFaultError: it holds another power.
            DeviceTimeoutError: it does not answer.
        """
        if not 0.0 < power <= self._maximum:
            raise InstrumentError(
                f"laser {self.name!r} takes more than 0 and at most {self._maximum:g} mW, but was "
                f"asked for {power:g} mW; to end emission switch it off"
            )
        wanted = f"{power / 1000.0:.{DIGITS}g}"
        self._power = None
        self._ask(f"{_SETPOINT} {wanted}")
        self._check_power(wanted)
        self._power = wanted

    def read_power(self) -> float:
        """Power that its photodiode measures [mW]."""
        return 1000.0 * self._number("SOURce:POWer:LEVel?")

    def switch_on(self) -> None:
        """Begin to emit; nothing happens when it does.

        Raises:
            DeviceFaultError: the laser has a fault or an open interlock, or does not emit.
        """
        if word := self.fault():
            raise DeviceFaultError(
                f"laser {self.name!r} must be free of faults to be switched on, but its word "
                f"is {word:#010x}; look at interlock, key and temperature"
            )
        self._switch("ON")

    def switch_off(self) -> None:
        """End emission, and be told so.

        Raises:
            DeviceFaultError: it still emits.
        """
        self._switch("OFF")

    def emitting(self) -> bool:
        """Whether it emits."""
        said = self._query("SOURce:AM:STATe?")
        if said not in ("ON", "OFF"):
            raise DeviceFaultError(
                f"laser {self.name!r} must say that its emission is ON or OFF, but said {said!r}"
            )
        return said == "ON"

    def fault(self) -> int:
        """The fault word; zero when interlock and all else are in order."""
        said = self._query("SYSTem:FAULt?")
        found = _FAULT.fullmatch(said)
        if found is None:
            raise DeviceFaultError(
                f"laser {self.name!r} must answer with a fault word, but {said!r} came"
            )
        return int(found[1], 16)

    def confirm(self) -> None:
        """See that it still emits, or is dark, at the power that it was told.

        Raises:
            DeviceStoppedError: it is dark where it should emit.
            DeviceFaultError: it emits where it should not, or holds another power.
            DeviceTimeoutError: it does not answer, or did not confirm what it was told last.
        """
        if self._on is None:
            raise DeviceTimeoutError(
                f"laser {self.name!r} must have confirmed its last command, but it did not; "
                "switch it off"
            )
        on, self._on = self._on, None
        emits = self.emitting()
        if on and not emits:
            raise DeviceStoppedError(
                f"laser {self.name!r} must emit, but it is dark; it may have lost its power or "
                "its interlock"
            )
        if emits and not on:
            raise DeviceFaultError(f"laser {self.name!r} must be dark, but it emits; turn its key")
        if self._power is not None:
            self._check_power(self._power)
        self._on = on

    def _check_power(self, wanted: str) -> None:
        held = self._number(f"{_SETPOINT}?")
        if abs(held - float(wanted)) > 10.0**-DIGITS * float(wanted):
            raise DeviceFaultError(
                f"laser {self.name!r} must hold the {wanted} W that it was set to, but reads back "
                f"{held:g} W; switch it off"
            )

    def halt(self) -> None:
        """Tell the laser to go dark, without waiting for its answer."""
        self.wire.tell(b"SOURce:AM:STATe OFF\r\n")

    def to_safe_state(self) -> None:
        """End emission."""
        self.switch_off()

    def close(self) -> None:
        """Let go of the wire; the emission stays as it is."""
        self.wire.close()

    def _switch(self, state: str) -> None:
        self._on = None
        self._ask(f"SOURce:AM:STATe {state}")
        if self.emitting() != (state == "ON"):
            raise DeviceFaultError(
                f"laser {self.name!r} must be {state} after it was switched so, but it is not; "
                "turn its key"
            )
        self._on = state == "ON"

    def _number(self, question: str) -> float:
        said = self._query(question)
        try:
            value = float(said)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise DeviceFaultError(
                f"laser {self.name!r} must answer {question!r} with a number, but {said!r} came"
            )
        return value

    def _query(self, question: str) -> str:
        lines = self._ask(question)
        if len(lines) != 1 or not lines[0]:
            raise DeviceFaultError(
                f"laser {self.name!r} must answer {question!r} with one line, but {lines} came"
            )
        return lines[0]

    def _ask(self, command: str) -> list[str]:
        """Return the lines of an answer before its handshake."""
        answer = self.wire.exchange(f"{command}\r\n".encode("ascii"), _END)
        try:
            *lines, handshake = answer.decode("ascii").split("\r\n")[:-1]
        except UnicodeDecodeError as error:
            raise DeviceFaultError(
                f"laser {self.name!r} must answer in ASCII, but {answer!r} came; check the cable"
            ) from error
        if handshake != "OK":
            raise DeviceRefusedError(
                f"laser {self.name!r} refused {command!r}: {handshake}; nothing has changed"
            )
        if "?" not in command and lines:
            raise DeviceFaultError(
                f"laser {self.name!r} must answer {command!r} with OK alone, but {answer!r} came"
            )
        return lines


class Settings(BaseModel):
    """What a laser needs besides its VISA address.

    Attributes:
        maximum: Highest power that the station allows [mW].
        backend: Of PyVISA.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    maximum: float = Field(default=50.0, gt=0.0, le=1000.0)
    backend: str = "@py"


class ObisEnd(SerialEnd):
    """The emulated far end, by its VISA address."""

    @property
    def address(self) -> str:
        """VISA address of the terminal."""
        return f"ASRL{super().address}::INSTR"


def _connect(connection: Connection) -> dict[str, CoherentObis]:
    settings: Settings = connection.settings
    link = VisaLink(
        connection.address,
        backend="@py" if connection.emulated else settings.backend,
        timeout=connection.said.timeout or TIMEOUT,
        transcript=connection.transcript,
    )
    (name,) = connection.names
    return {name: CoherentObis(name, link, settings.maximum, emulated=connection.emulated)}


def _emulate(said: Part, settings: Settings, names: tuple[str, ...]) -> ObisEnd:
    (name,) = names
    return ObisEnd(ObisEmulator(name), said.wire_faults)


KIND = DriverKind(
    parts=("laser",),
    describe="Coherent OBIS lasers by SCPI over VISA",
    settings=Settings,
    connect=_connect,
    emulate=_emulate,
)
