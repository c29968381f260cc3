"""Simulated pumps, thermostat, sensors and probe of a flow line, acting on one shared plant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from instruments.capabilities import Carrier, FlowLimits
from instruments.errors import InstrumentError

FLOW_NOISE = 0.01  # relative, of a thermal flow sensor and of the velocity sensor (Kerr 2019)
TEMPERATURE_NOISE = 0.2  # K, of a resistance thermometer's reading (assumed: class A)
RATE_DIGITS = 6  # that a syringe pump takes of a rate in µL/min (Harvard Apparatus, Elite 11)
TENTHS = 10.0  # steps per kelvin of a controller's setpoint and reading (Eurotherm, over Modbus)
POSITION_STEP = 0.05  # mm, resolution of the probe's stage (assumed: stepper and spindle)


class Plant(Protocol):
    """What simulated flow instruments need of a plant."""

    def set_flow(self, inlet: str, flow: float) -> None:
        """Set an inlet's flow [µL/s]."""

    def set_carrier(self, carrier: Carrier, flow: float) -> None:
        """Set the carrier and its flow [µL/s]."""

    def set_temperature(self, setpoint: float) -> None:
        """Set the heater [degC]."""

    def set_probe(self, position: float) -> None:
        """Move the probe [mm]."""

    def advance(self, seconds: float) -> None:
        """Let time pass."""

    def flow(self, inlet: str) -> float:
        """True flow [µL/s]."""
        ...

    def temperature(self) -> float:
        """True temperature [degC]."""
        ...

    def velocity(self) -> float:
        """True velocity [mm/s]."""
        ...

    def emission(self, wavelengths: NDArray[np.float64], excitation: float) -> NDArray[np.float64]:
        """Photon rate per nm at the probe [1/(s nm)], shape of `wavelengths` [nm]."""
        ...

    def absorbance(self, wavelengths: NDArray[np.float64]) -> NDArray[np.float64]:
        """Decadic absorbance over the optical path, shape of `wavelengths` [nm]."""
        ...


def on_pump(flow: float) -> float:
    """What a syringe pump makes of a flow [µL/s]: its rate in µL/min has `RATE_DIGITS` digits."""
    return float(f"{60.0 * flow:.{RATE_DIGITS}g}") / 60.0


def on_controller(temperature: float) -> float:
    """What a temperature controller makes of a temperature [degC]: tenths of a kelvin."""
    return round(temperature * TENTHS) / TENTHS


class SimulatedInstrument:
    """Name, model and noise of a simulated instrument."""

    model = "simulated"

    def __init__(self, name: str, plant: Plant, generator: np.random.Generator) -> None:
        self.name, self._plant, self._generator = name, plant, generator

    def identify(self) -> Mapping[str, Any]:
        """Say what it is."""
        return {
            "instrument": self.name,
            "model": self.model,
            "serial": f"SIM-{self.name}",
            "simulated": True,
        }

    def _noisy(self, value: float, relative: float) -> float:
        return value * (1.0 + relative * float(self._generator.standard_normal()))


class SimulatedPump(SimulatedInstrument):
    """A syringe pump with a flow sensor on one inlet of the plant.

    Args:
        name: Of the instrument.
        inlet: Of the plant.
        plant: What it acts on.
        generator: Its noise.
        limits: Flows that it holds [µL/s].
        now: The plant's time [s], by which it counts what it moves.
    """

    model = "dotpilot simulated syringe pump"

    def __init__(
        self,
        name: str,
        inlet: str,
        plant: Plant,
        generator: np.random.Generator,
        limits: FlowLimits,
        now: Callable[[], float],
    ) -> None:
        super().__init__(name, plant, generator)
        self._inlet, self._limits, self._now = inlet, limits, now
        self._rate, self._infused, self._since = 0.0, 0.0, now()

    @property
    def limits(self) -> FlowLimits:
        """Flows that the pump can hold [µL/s]."""
        return self._limits

    def set_flow(self, flow: float) -> None:
        """Set the flow [µL/s].

        Raises:
            InstrumentError: outside the limits; the pump keeps its flow.
        """
        if not self._limits.allow(flow):
            raise InstrumentError(
                f"pump {self.name!r} holds zero or {self._limits.minimum:g} to "
                f"{self._limits.maximum:g} µL/s, but was asked for {flow:g} µL/s"
            )
        self._move(on_pump(flow))

    def infused(self) -> float:
        """Volume that its plunger has moved [µL], the flow's compliance left out."""
        now = self._now()
        self._infused += self._rate * (now - self._since)
        self._since = now
        return self._infused

    def read_flow(self) -> float:
        """Measured flow [µL/s]."""
        return self._noisy(self._plant.flow(self._inlet), FLOW_NOISE)

    def stop(self) -> None:
        """Set the flow to zero."""
        self._move(0.0)

    def to_safe_state(self) -> None:
        """Stop."""
        self.stop()

    def _move(self, rate: float) -> None:
        self.infused()
        self._rate = rate
        self._plant.set_flow(self._inlet, rate)


class SimulatedCarrierPump(SimulatedInstrument):
    """Mass-flow controller and oil pump of the segmenting phase."""

    model = "dotpilot simulated carrier supply"

    def __init__(self, name: str, plant: Plant, generator: np.random.Generator) -> None:
        super().__init__(name, plant, generator)
        self._flow = 0.0

    def set_carrier(self, carrier: Carrier, flow: float) -> None:
        """Set carrier and flow [µL/s].

        Raises:
            InstrumentError: a flow of no carrier, or a negative one.
        """
        if flow < 0.0 or (carrier == "none" and flow > 0.0):
            raise InstrumentError(
                f"a carrier flow must be positive, and zero without carrier, but got {flow:g} "
                f"µL/s of {carrier!r}"
            )
        self._flow = flow
        self._plant.set_carrier(carrier, flow)

    def read_flow(self) -> float:
        """Measured flow [µL/s]."""
        return self._noisy(self._flow, FLOW_NOISE)

    def stop(self) -> None:
        """No carrier."""
        self.set_carrier("none", 0.0)

    def to_safe_state(self) -> None:
        """Stop."""
        self.stop()


class SimulatedVelocitySensor(SimulatedInstrument):
    """Optical velocity sensor at the probe."""

    model = "dotpilot simulated optical velocity sensor"

    def read_velocity(self) -> float:
        """Velocity [mm/s]."""
        return self._noisy(self._plant.velocity(), FLOW_NOISE)


class SimulatedThermostat(SimulatedInstrument):
    """Heater around the tube with its thermometer."""

    model = "dotpilot simulated thermostat"
    ambient = 25.0  # degC

    def __init__(self, name: str, plant: Plant, generator: np.random.Generator) -> None:
        super().__init__(name, plant, generator)
        self._setpoint = self.ambient

    def set_temperature(self, setpoint: float) -> None:
        """Set the temperature [degC]."""
        self._setpoint = on_controller(setpoint)
        self._plant.set_temperature(self._setpoint)

    def read_temperature(self) -> float:
        """Measured temperature [degC]."""
        noise = TEMPERATURE_NOISE * float(self._generator.standard_normal())
        return on_controller(self._plant.temperature() + noise)

    def ready(self, tolerance: float = 1.0) -> bool:
        """Tell whether the reading is within `tolerance` [K] of the setpoint."""
        return abs(self.read_temperature() - self._setpoint) <= tolerance

    def to_safe_state(self) -> None:
        """Let the tube cool to ambient."""
        self.set_temperature(self.ambient)


class SimulatedProbe(SimulatedInstrument):
    """Stage that carries the optical cell along the tube."""

    model = "dotpilot simulated probe stage"
    _position = 0.0

    def move_to(self, position: float) -> None:
        """Move to `position` [mm], in steps of the stage's resolution."""
        self._position = round(position / POSITION_STEP) * POSITION_STEP
        self._plant.set_probe(self._position)

    def read_position(self) -> float:
        """Encoder position [mm]."""
        return self._position

    def to_safe_state(self) -> None:
        """Stay: the stage holds its place without power."""
