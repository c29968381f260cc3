"""Thermostats that speak SiLA 2, by the feature `TemperatureController` of the SiLA base.

`ControlTemperature` is an observable command that runs until its target is reached or another one
takes its place; `CurrentTemperature` is an observable property. Both are in kelvins. The feature
has no setpoint to be read back: that the command runs or has ended well stands for it. Not
verified on hardware.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sila2.framework import CommandExecutionStatus

from instruments.drivers.sila_link import Encrypted, SilaLink, sila_link
from instruments.drivers.thermostat import SAFE, STEPS, ControllerThermostat, Heated
from instruments.emulators.sila2 import DIGITS, FREEZING, TEMPERATURE, TemperatureServer
from instruments.emulators.sila_server import SilaEnd
from instruments.errors import DeviceError, DeviceFaultError
from instruments.wiring import Connection, DriverKind, Part

DRIVER, VERSION = "sila2_temperature", "1"
COMMAND, PROPERTY = "ControlTemperature", "CurrentTemperature"


class Settings(Encrypted, Heated):
    """What a SiLA 2 thermostat needs besides its address."""


class SilaThermostat(ControllerThermostat):
    """One thermostat.

    Args:
        name: Name of the instrument in the record.
        link: Its server.
        highest: Highest setpoint and reading [degC].
        emulated: Whether an emulator answers.
    """

    def __init__(self, name: str, link: SilaLink, highest: float, *, emulated: bool) -> None:
        super().__init__(name, highest)
        self.wire, self._emulated = link, emulated
        self._lock = threading.RLock()  # a command and what is asked about it belong together
        self._execution: UUID | None = None
        self._told = 0
        self._reached = False

    def identify(self) -> Mapping[str, Any]:
        """Ask the server who it is."""
        return self.wire.identify(self.name, DRIVER, VERSION, self._emulated)

    def halt(self) -> None:
        """Tell the safe temperature, without waiting for an answer."""
        self.wire.tell(TEMPERATURE, COMMAND, SAFE + FREEZING)

    def close(self) -> None:
        """Let go of the server."""
        self.wire.close()

    def _hold(self, steps: int) -> None:
        with self._lock:
            super()._hold(steps)

    def _send(self, steps: int) -> None:
        self._execution, self._reached = None, False
        target = round(steps / STEPS + FREEZING, DIGITS)
        self._execution = self.wire.begin(TEMPERATURE, COMMAND, target)
        self._told = steps

    def _held(self) -> int:
        """Return the setpoint of the command that runs or has ended well [steps]."""
        if self._execution is None:
            raise DeviceFaultError(
                f"{self.name} must be told a temperature before it can hold one, but its last "
                "command was not confirmed; set it anew"
            )
        if not self._reached:
            status = self.wire.status(TEMPERATURE, COMMAND, self._execution)
            if status is CommandExecutionStatus.finishedWithError:
                raise self._failed(self._execution)
            self._reached = status is CommandExecutionStatus.finishedSuccessfully
        return self._told

    def confirm(self) -> None:
        """See that the command still runs; a thermostat that was told nothing holds nothing."""
        if self._execution is not None or self._setpoint is not None or self._unsure:
            super().confirm()

    def _measured(self) -> float:
        with self._lock:
            if self._execution is not None:
                self._held()
        return round(float(self.wire.get(TEMPERATURE, PROPERTY)) - FREEZING, DIGITS)

    def _failed(self, execution: UUID) -> DeviceFaultError:
        self._execution = None
        why = "no reason given"
        try:
            self.wire.result(TEMPERATURE, COMMAND, execution)
        except DeviceError as error:
            why = str(error)
        return DeviceFaultError(
            f"{self.name} must hold {self._told / STEPS:g} degC, but ended with an error ({why}); "
            "see whether another client commands it"
        )


def _connect(connection: Connection) -> dict[str, SilaThermostat]:
    (name,) = connection.names
    link = sila_link(connection, connection.address)
    highest = connection.settings.highest
    return {name: SilaThermostat(name, link, highest, emulated=connection.emulated)}


def _emulate(said: Part, settings: Settings, names: tuple[str, ...]) -> SilaEnd:
    return SilaEnd({name: TemperatureServer() for name in names}, said)


KIND = DriverKind(
    parts=("thermostat", "exchange_thermostat"),
    describe="Thermostats with a SiLA 2 server (TemperatureController)",
    settings=Settings,
    connect=_connect,
    emulate=_emulate,
)
