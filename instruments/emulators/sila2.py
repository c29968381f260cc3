"""A thermostat and a syringe pump with SiLA 2 servers, moving simulated instruments.

Their features have the names, types and limits of the published definitions: TemperatureController
of the SiLA base, PumpFluidDosingService and PumpUnitController of CETONI (what is used of them).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sila2.framework import SilaError

from instruments.emulators.heater import Cold, Heater
from instruments.emulators.liquid import Dry, Liquid
from instruments.emulators.sila_server import EmulatedServer, feature, invalid

TEMPERATURE = "org.silastandard/examples/TemperatureController/v1"
DOSING = "de.cetoni/pumps.syringepumps/PumpFluidDosingService/v1"
UNITS = "de.cetoni/pumps.syringepumps/PumpUnitController/v1"
SYRINGE = 1e6  # µL in a full syringe (assumed: refilled from a reservoir without being noticed)
_MICROLITRES = {"l": 1e6, "dl": 1e5, "cl": 1e4, "ml": 1e3, "ul": 1.0, "µl": 1.0}
FREEZING, DIGITS = 273.15, 6  # K, and digits of a temperature in degC that kelvins still tell


class TemperatureServer(EmulatedServer):
    """A thermostat.

    Attributes:
        heater: What it moves.
    """

    features = (TEMPERATURE,)
    kind = "EmulatedThermostat"

    def __init__(self) -> None:
        super().__init__()
        self.heater: Heater = Cold()

    def attach(self, device: Any) -> None:
        """Move this heater from now on."""
        self.heater = device

    def properties(self) -> Mapping[tuple[str, str], Callable[[], Any]]:
        """The temperature; each look is one reading."""
        return {(TEMPERATURE, "CurrentTemperature"): self._kelvins}

    def commands(self) -> Mapping[tuple[str, str], Callable[..., SilaError | None]]:
        """The one command."""
        return {(TEMPERATURE, "ControlTemperature"): self._control}

    def _kelvins(self) -> float:
        return round(self.heater.read_temperature() + FREEZING, DIGITS)

    def _control(self, target: float) -> None:
        self.heater.set_temperature(round(target - FREEZING, DIGITS))


class PumpServer(EmulatedServer):
    """A syringe pump, which counts in ml/s until it is told another unit.

    Attributes:
        unit: Of its flows, volume and time.
        deaf: Whether it keeps its flow, whatever it is told.
    """

    features = (DOSING, UNITS)
    kind = "EmulatedPump"

    def __init__(self) -> None:
        super().__init__()
        self.unit, self.deaf = ("ml", "s"), False
        self._volume_unit = "ml"
        self._earlier = 0.0  # µL that left its syringe through liquids before the present one
        self._liquid: Liquid = Dry()
        self._flow = 0.0  # µL/s

    def attach(self, device: Any) -> None:
        """Move this liquid from now on; the pump stands still."""
        self._earlier += self._liquid.infused()
        self._liquid, self._flow = device, 0.0

    def _fill_level(self) -> float:
        left = SYRINGE - self._earlier - self._liquid.infused()
        return left / _MICROLITRES[self._volume_unit]

    def _tell_volumes_in(self, unit: str) -> None:
        self._volume_unit = unit

    def properties(self) -> Mapping[tuple[str, str], Callable[[], Any]]:
        """Flow, largest flow and unit."""
        return {
            (DOSING, "FlowRate"): lambda: self._flow / self._microlitres(),
            (DOSING, "MaxFlowRate"): lambda: self._liquid.limits.maximum / self._microlitres(),
            (DOSING, "SyringeFillLevel"): self._fill_level,
            (UNITS, "FlowUnit"): lambda: self.unit,
            (UNITS, "VolumeUnit"): lambda: self._volume_unit,
        }

    def commands(self) -> Mapping[tuple[str, str], Callable[..., SilaError | None]]:
        """Flow, stop, unit."""
        return {
            (DOSING, "GenerateFlow"): self._generate,
            (DOSING, "StopDosage"): lambda: self._move(0.0),
            (UNITS, "SetFlowUnit"): self._count_in,
            (UNITS, "SetVolumeUnit"): self._tell_volumes_in,
        }

    def _generate(self, rate: float) -> SilaError | None:
        flow = rate * self._microlitres()
        if not self._liquid.limits.allow(flow) or flow == 0.0:
            return invalid(feature(DOSING)["GenerateFlow"], f"{rate:g} is out of range")
        self._move(flow)
        return None

    def _move(self, flow: float) -> None:
        if not self.deaf:
            self._flow = flow
            self._liquid.set_flow(flow)

    def _count_in(self, unit: tuple[str, str]) -> None:
        self.unit = unit[0], unit[1]

    def _microlitres(self) -> float:
        """Microlitres per second in one of the pump's flow unit."""
        return _MICROLITRES[self.unit[0]] / {"h": 3600.0, "min": 60.0, "s": 1.0}[self.unit[1]]
