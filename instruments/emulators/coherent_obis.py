"""A Coherent OBIS laser, which lights what a simulated laser would.

Written from memory of the manual, like the driver: it proves framing, handshake and interlock,
not that a real laser behaves so. Commands are known in their long form, as the driver sends them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol

_SETPOINT = "SOURCE:POWER:LEVEL:IMMEDIATE:AMPLITUDE"
_RANGE = (0.0001, 0.2)  # W, assumed: a 405 nm laser of 200 mW


class Beam(Protocol):
    """The simulated laser's light."""

    def set_power(self, power: float) -> None:
        """Set the power [mW]; 0 is dark."""
        ...

    def read_power(self) -> float:
        """Measured power [mW]."""
        ...


class ObisEmulator:
    """Answers for one laser.

    Args:
        name: Of the simulated laser.

    Attributes:
        fault: Its fault word; bit 0 is the interlock (assumed).
    """

    end = b"\n"
    suffers: ClassVar[tuple[str, ...]] = ("power_cycle",)

    def __init__(self, name: str) -> None:
        self._name, self.fault = name, 0
        self._beam: Beam | None = None
        self._power, self._on = 0.001, False  # W

    def attach(self, beams: Mapping[str, Beam], now: Callable[[], float]) -> None:
        """Light this from now on; the laser is dark."""
        self._beam, self._on = beams[self._name], False

    def suffer(self, kind: str, request: bytes) -> None:
        """Restart: the laser is dark, at its lowest power (assumed)."""
        self._power = 0.001
        self._light(False)

    def open_interlock(self) -> None:
        """Open the interlock: the laser goes dark and keeps the fault."""
        self.fault |= 1
        self._light(False)

    def answer(self, request: bytes) -> bytes:
        """Act on a command."""
        command, _, argument = request.decode("ascii", "replace").strip().upper().partition(" ")
        return "".join(f"{line}\r\n" for line in self._act(command, argument)).encode("ascii")

    def _act(self, command: str, argument: str) -> list[str]:
        told: dict[str, Callable[[], str]] = {
            "*IDN?": lambda: "Coherent, Inc - OBIS 405nm 200mW LX - V1.0.1 - Dec 14 2010",
            "SYSTEM:INFORMATION:SNUMBER?": lambda: "EMULATED-1",
            "SYSTEM:FAULT?": lambda: f"{self.fault:08X}",
            "SOURCE:AM:STATE?": lambda: "ON" if self._on else "OFF",
            "SOURCE:POWER:LEVEL?": self._measured,
            f"{_SETPOINT}?": lambda: f"{self._power:.6g}",
        }
        if command in told:
            return [told[command](), "OK"]
        if command == _SETPOINT:
            return [self._set(argument)]
        if command == "SOURCE:AM:STATE" and argument in ("ON", "OFF"):
            if argument == "ON" and self.fault:
                return ["ERR-350"]
            self._light(argument == "ON")
            return ["OK"]
        return ["ERR-100"]

    def _measured(self) -> str:
        return f"{0.0 if self._beam is None else self._beam.read_power() / 1000.0:.6g}"

    def _set(self, argument: str) -> str:
        try:
            power = float(argument)
        except ValueError:
            return "ERR-102"
        if not _RANGE[0] <= power <= _RANGE[1]:
            return "ERR-220"
        self._power = power
        self._light(self._on)
        return "OK"

    def _light(self, on: bool) -> None:
        self._on = on
        if self._beam is not None:
            self._beam.set_power(1000.0 * self._power if on else 0.0)
