"""A Julabo circulator that moves the heater of a simulated one.

Written from the chapters on remote control of Julabo's manuals (SL, FL1201, Magnum 91), as the
driver is: it proves framing, refusals and alarms, not that a real circulator behaves so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from instruments.emulators.heater import Cold, Heater, only

LOWEST, HIGHEST = -50.0, 300.0  # degC; assumed range of the working temperature
_STATES = {0: "MANUAL STOP", 1: "MANUAL START", 2: "REMOTE STOP", 3: "REMOTE START"}
_REFUSALS = {
    -8: "INVALID COMMAND",
    -9: "COMMAND NOT ALLOWED IN CURRENT OPERATING MODE",
    -10: "VALUE TOO SMALL",
    -11: "VALUE TOO LARGE",
}


class Circulator:
    """Answers as a circulator does: one line to what asks, nothing to what tells.

    Attributes:
        remote: Whether the line may switch and set it.
        running: Whether it heats and pumps.
        alarm: What it reports, such as `-01 LOW LEVEL ALARM`; it stops then.
        stuck: Whether it keeps its setpoint, whatever it is told.
    """

    end = b"\r\n"
    suffers: ClassVar[tuple[str, ...]] = ("power_cycle", "open_sensor")

    def __init__(self) -> None:
        self.remote, self.running, self.stuck, self.alarm = True, False, False, ""
        self._setpoint, self._refused = 25.0, 0
        self._heater: Heater = Cold()

    def attach(self, heaters: Mapping[str, Heater], now: Callable[[], float]) -> None:
        """Move this heater from now on; setpoint and state stay."""
        self._heater = only(heaters)

    def suffer(self, kind: str, request: bytes) -> None:
        """Break the sensor, or restart: it stands still and is at 25 degC (assumed)."""
        self.running = False
        self._heater.set_temperature(25.0)
        if kind == "open_sensor":
            self.alarm = "-05 WORKING TEMPERATURE SENSOR SHORT-CIRCUITED OR INTERRUPTED"
        else:
            self._setpoint, self._refused = 25.0, 0

    def answer(self, request: bytes) -> bytes:
        """Act on a command."""
        command, _, value = request.decode("ascii", "replace").strip().lower().partition(" ")
        lines: dict[str, Callable[[], str]] = {
            "version": lambda: "JULABO EMULATED CIRCULATOR VERSION 1.0",
            "status": self._status,
            "in_pv_00": lambda: f"{self._heater.read_temperature():.2f}",
            "in_sp_00": lambda: f"{self._setpoint:.2f}",
            "in_mode_05": lambda: str(int(self.running)),
        }
        if command in lines:
            return f"{lines[command]()}\r\n".encode("ascii")
        acts = {"out_sp_00": self._set, "out_mode_05": self._switch}
        self._refused = acts[command](value) if command in acts else -8
        return b""

    def _status(self) -> str:
        if self._refused:
            refused, self._refused = self._refused, 0
            return f"{refused:03d} {_REFUSALS[refused]}"
        if self.alarm:
            self.running = False
            return self.alarm
        state = 2 * self.remote + self.running
        return f"{state:02d} {_STATES[state]}"

    def _set(self, value: str) -> int:
        """Set the temperature; return the code of a refusal, or zero."""
        try:
            wanted = float(value)
        except ValueError:
            return -8
        if not self.remote:
            return -9
        if not LOWEST <= wanted <= HIGHEST:
            return -10 if wanted < LOWEST else -11
        if not self.stuck:
            self._setpoint = wanted
            if self.running:
                self._heater.set_temperature(wanted)
        return 0

    def _switch(self, value: str) -> int:
        """Start or stop; return the code of a refusal, or zero."""
        if value not in ("0", "1"):
            return -8
        if not self.remote or (self.alarm and value == "1"):
            return -9
        self.running = value == "1"
        if self.running:
            self._heater.set_temperature(self._setpoint)
        return 0
