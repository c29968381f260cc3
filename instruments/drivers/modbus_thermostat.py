"""Temperature controllers over Modbus: Eurotherm, Omega and Watlow, by their register maps.

Through pymodbus, over TCP or on a serial line (RTU). Not verified on hardware.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from instruments.drivers.controller_maps import (
    EUROTHERM_3200,
    OMEGA_CN7500,
    WATLOW_F4,
    RegisterMap,
    signed,
    unsigned,
)
from instruments.drivers.driver import identity
from instruments.drivers.modbus import TIMEOUT, ModbusWire
from instruments.drivers.thermostat import SAFE, STEPS, ControllerThermostat, Heated, steps_of
from instruments.errors import DeviceFaultError
from instruments.wiring import Connection, DriverKind, End, Part

VERSION = "1"
PARTS = ("thermostat", "exchange_thermostat")


class Settings(Heated):
    """What a controller needs besides its address.

    Attributes:
        unit: Its address on the bus.
        baudrate: Of a serial port [1/s]; as delivered, if left out.
        parity: Of a serial port; as delivered, if left out.
        emulate: The wire that an emulated controller is put on.
    """

    unit: int = Field(default=1, ge=1, le=247)
    baudrate: int | None = Field(default=None, gt=0)
    parity: Literal["N", "E", "O"] | None = None
    emulate: Literal["tcp", "rtu"] = "tcp"


class ModbusThermostat(ControllerThermostat):
    """One controller.

    Args:
        name: Name of the instrument in the record.
        driver: Name of the driver.
        wire: The controller's wire.
        registers: Where it keeps what.
        settings: Highest temperature and unit.
        emulated: Whether an emulator answers.
    """

    def __init__(
        self,
        name: str,
        driver: str,
        wire: ModbusWire,
        registers: RegisterMap,
        settings: Settings,
        *,
        emulated: bool,
    ) -> None:
        super().__init__(name, settings.highest)
        self.wire, self._map = wire, registers
        self._driver, self._unit, self._emulated = driver, settings.unit, emulated

    def identify(self) -> Mapping[str, Any]:
        """Ask for model and firmware, and whether it counts in tenths of a degree Celsius.

        Raises:
            DeviceFaultError: it is configured otherwise.
        """
        self._check_configuration()
        (firmware,) = self.wire.read(self._map.firmware)
        model = self._map.model
        if self._map.code is not None:
            (code,) = self.wire.read(self._map.code)
            model = f"{model} (code {code})"
        return identity(
            self.name,
            model=model,
            serial=f"unit {self._unit}",
            firmware=f"{firmware:04X}",
            driver=self._driver,
            version=VERSION,
            emulated=self._emulated,
        )

    def halt(self) -> None:
        """Tell the safe setpoint, without waiting for the answer."""
        self.wire.tell(self._map.setpoint, unsigned(steps_of(SAFE)))

    def close(self) -> None:
        """Let go of the wire."""
        self.wire.close()

    def _send(self, steps: int) -> None:
        self.wire.write(self._map.setpoint, unsigned(steps))

    def _held(self) -> int:
        (found,) = self.wire.read(self._map.setpoint)
        return signed(found)

    def _check_running(self, started: bool) -> None:
        if self._map.status is None:
            self._measured()
        else:
            self._check_status(self._map.status)

    def _check_status(self, register: int) -> None:
        (status,) = self.wire.read(register)
        self._raise([what for mask, what in self._map.faults.items() if status & mask])

    def _measured(self) -> float:
        if self._map.status is not None:
            self._check_status(self._map.status)
        (found,) = self.wire.read(self._map.reading)
        self._raise([what for code, what in self._map.codes.items() if code == found])
        return signed(found) / STEPS

    def _raise(self, faults: list[str]) -> None:
        if faults:
            raise DeviceFaultError(f"{self.name} reports {', '.join(faults)}; look at it")

    def _check_configuration(self) -> None:
        """See that it counts in tenths of a degree Celsius, as far as its registers tell."""
        for register, (wanted, what) in self._map.must.items():
            (found,) = self.wire.read(register)
            if found != wanted:
                raise DeviceFaultError(
                    f"{self.name} must be configured for {what} (register {register}: {wanted}), "
                    f"but holds {found}; configure the controller"
                )
        if self._map.precise_setpoint is None:
            return
        high, low = self.wire.read(self._map.precise_setpoint, 2)
        (precise,) = struct.unpack(">f", struct.pack(">HH", high, low))
        if abs(precise * STEPS - self._held()) > 1.0:
            raise DeviceFaultError(
                f"{self.name} must count in tenths, but it means {precise:g} degC by a setpoint "
                f"of {self._held()}; configure one decimal"
            )


def _kind(driver: str, registers: RegisterMap, describe: str) -> DriverKind:
    def connect(connection: Connection) -> dict[str, ModbusThermostat]:
        settings: Settings = connection.settings
        wire = ModbusWire(
            connection.address,
            unit=settings.unit,
            probe=registers.setpoint,
            baudrate=settings.baudrate or registers.baudrate,
            parity="N" if connection.emulated else settings.parity or registers.parity,
            timeout=connection.said.timeout or TIMEOUT,
            transcript=connection.transcript,
        )
        (name,) = connection.names
        emulated = connection.emulated
        return {name: ModbusThermostat(name, driver, wire, registers, settings, emulated=emulated)}

    def emulate(said: Part, settings: Settings, names: tuple[str, ...]) -> End:
        from instruments.emulators.modbus import ModbusEnd  # a server that real stations spare

        return ModbusEnd(registers, settings.unit, said.wire_faults, rtu=settings.emulate == "rtu")

    return DriverKind(PARTS, describe, Settings, connect, emulate)


EUROTHERM = _kind(
    "eurotherm_modbus", EUROTHERM_3200, "Eurotherm 3200 and 2000 temperature controllers, Modbus"
)
OMEGA = _kind("omega_modbus", OMEGA_CN7500, "Omega CN7500 temperature controllers, Modbus")
WATLOW = _kind("watlow_modbus", WATLOW_F4, "Watlow F4 temperature controllers, Modbus")
