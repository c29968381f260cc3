"""What drivers of temperature controllers share: steps, read-back, and the highest temperature."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

from pydantic import BaseModel, ConfigDict, Field

from instruments.errors import (
    DeviceError,
    DeviceFaultError,
    DeviceStoppedError,
    DeviceTimeoutError,
    InstrumentError,
)

STEPS = 10  # per kelvin, of a setpoint and of a reading
SAFE = 25.0  # degC; the setpoint that a thermostat is left with, as the simulated one
HIGHEST = 230.0
"""degC; assumed, because the line makes up to 220 degC and PFA tubing bears 260 degC."""


class Heated(BaseModel):
    """Settings of every thermostat.

    Attributes:
        highest: Highest setpoint, and highest reading before the heater is shut down [degC].
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    highest: float = Field(default=HIGHEST, gt=SAFE, allow_inf_nan=False)


def steps_of(temperature: float) -> int:
    """Return a temperature [degC] in steps of a controller, the nearest one."""
    return round(temperature * STEPS)


class ControllerThermostat(ABC):
    """A controller that takes a setpoint and tells it and a reading (`capabilities.Thermostat`).

    Args:
        name: Name of the instrument in the record.
        highest: Highest setpoint and reading [degC].
    """

    def __init__(self, name: str, highest: float) -> None:
        self.name, self._highest = name, highest
        self._setpoint: float | None = None  # degC; None where it must be asked for
        self._started = self._unsure = False

    @abstractmethod
    def _send(self, steps: int) -> None:
        """Tell the controller a setpoint [steps]."""

    @abstractmethod
    def _held(self) -> int:
        """Ask the controller for its setpoint [steps]."""

    @abstractmethod
    def _measured(self) -> float:
        """Take one reading [degC]; raises `DeviceFaultError` where the controller reports one."""

    def _run(self) -> None:  # noqa: B027  (a controller without a switch has nothing to do)
        """Make the controller follow its setpoint."""

    def set_temperature(self, setpoint: float) -> None:
        """Set the temperature [degC], to the nearest tenth of a kelvin.

        Raises:
            InstrumentError: above the highest one; nothing went over the wire.
            DeviceRefusedError: the controller does not take it.
            DeviceFaultError: it holds another one.
            DeviceTimeoutError: it does not answer.
        """
        if not math.isfinite(setpoint) or max(setpoint, steps_of(setpoint) / STEPS) > (
            self._highest
        ):
            raise InstrumentError(
                f"{self.name} may be set to at most {self._highest:g} degC, but was asked for "
                f"{setpoint:g} degC; lower the recipe's temperature, or raise `highest` in the "
                "station file if tube and solvent bear it"
            )
        self._check_configuration()
        self._hold(steps_of(setpoint))
        self._check_configuration()
        self._run()
        self._started = True

    def read_temperature(self) -> float:
        """Measured temperature [degC].

        Raises:
            DeviceFaultError: it is above the highest one, or the controller reports a fault; the
                setpoint was brought to the safe value, or the message says that it could not be.
            DeviceTimeoutError: the controller does not answer.
        """
        try:
            found = self._measured()
        except DeviceFaultError as error:
            raise DeviceFaultError(f"{error}; {self._shut_down()}") from error
        if found > self._highest:
            raise DeviceFaultError(
                f"{self.name} reads {found:g} degC, above its highest {self._highest:g} degC; "
                f"{self._shut_down()}; look for a heater that does not switch off"
            )
        return found

    def ready(self, tolerance: float = 1.0) -> bool:
        """Tell whether one reading is within `tolerance` [K] of the setpoint."""
        if self._setpoint is None:
            self._setpoint = self._held() / STEPS
        return abs(self.read_temperature() - self._setpoint) <= tolerance

    def confirm(self) -> None:
        """See that the controller still holds the setpoint that it was told, and follows it.

        Raises:
            DeviceStoppedError: it holds another one, or does not run; it may have restarted.
            DeviceFaultError: it is configured otherwise, or reports a fault.
            DeviceTimeoutError: it does not answer.
        """
        told = self._setpoint
        if self._unsure:
            raise DeviceTimeoutError(
                f"{self.name} must have confirmed its last setpoint, but it did not; which one it "
                "holds is unknown, set it again"
            )
        self._check_configuration()
        held = self._held() / STEPS
        if told is not None and held != told:
            self._setpoint = None
            raise DeviceStoppedError(
                f"{self.name} must hold the {told:g} degC that it was told, but it holds "
                f"{held:g} degC; it may have lost its power, set it again"
            )
        self._check_running(self._started)

    def _check_configuration(self) -> None:  # noqa: B027  (most cannot be configured otherwise)
        """Raise `DeviceFaultError` where the controller counts otherwise than the driver."""

    def _check_running(self, started: bool) -> None:  # noqa: B027  (not every one can tell)
        """Raise where the controller reports a fault, or was started and stands still."""

    def to_safe_state(self) -> None:
        """Let it cool: the setpoint is brought to 25 degC and read back."""
        self._started = False
        self._hold(steps_of(SAFE))

    def _hold(self, steps: int) -> None:
        self._setpoint, self._unsure = None, True
        self._send(steps)
        held = self._held()
        if held != steps:
            raise DeviceFaultError(
                f"{self.name} must hold the {steps / STEPS:g} degC that it was set to, but reads "
                f"back {held / STEPS:g} degC; its temperature is not what was asked for, bring it "
                "to its safe state"
            )
        self._setpoint, self._unsure = steps / STEPS, False

    def _shut_down(self) -> str:
        try:
            self.to_safe_state()
        except DeviceError as error:
            return f"its setpoint could NOT be brought to {SAFE:g} degC ({error}): cut its power"
        return f"its setpoint was brought to {SAFE:g} degC"
