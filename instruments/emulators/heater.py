"""The heater that an emulated controller stands before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Heater(Protocol):
    """The simulated thermostat behind an emulated controller."""

    def set_temperature(self, setpoint: float) -> None:
        """Set the temperature [degC]."""
        ...

    def read_temperature(self) -> float:
        """Measured temperature [degC]; each call is one reading."""
        ...


class Cold:
    """No heater: a controller on its own, at room temperature."""

    def set_temperature(self, setpoint: float) -> None:
        """Nothing warms."""

    def read_temperature(self) -> float:
        """Room temperature [degC]."""
        return 25.0


def only(heaters: Mapping[str, Heater]) -> Heater:
    """Return the one heater of a part."""
    (heater,) = heaters.values()
    return heater
