"""What a long flow line has besides: a second heater, a photon counter, parallel lines."""

from __future__ import annotations

from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from instruments.capabilities import FlowExtras
from instruments.errors import InstrumentError
from instruments.simulated.flow import SimulatedInstrument, SimulatedThermostat
from instruments.simulated.micropipette import SimulatedPhotonCounter
from instruments.simulated.noise import instrument_generator
from instruments.station import AttemptKey

CHANNELS = 16


class LongPlant(Protocol):
    """What these instruments need of a plant."""

    def set_exchange_temperature(self, setpoint: float) -> None:
        """Set the heater behind the junction [degC]."""

    def exchange_temperature(self) -> float:
        """True temperature there [degC]."""
        ...

    def set_channel(self, channel: int | None) -> None:
        """Look at a parallel line."""

    def decay(self, time: NDArray[np.float64]) -> NDArray[np.float64]:
        """Emission after a pulse, shape of `time` [ns]."""
        ...


class _SecondStage:
    """The second reactor's heater, as a thermostat sees a plant."""

    def __init__(self, plant: LongPlant) -> None:
        self._plant = plant

    def set_temperature(self, setpoint: float) -> None:
        self._plant.set_exchange_temperature(setpoint)

    def temperature(self) -> float:
        return self._plant.exchange_temperature()


class SimulatedSelector(SimulatedInstrument):
    """Optical switch between the cells of parallel lines."""

    model = "dotpilot simulated optical multiplexer"

    def select(self, channel: int | None) -> None:
        """Look at one of the lines, from 0; None is the line alone.

        Raises:
            InstrumentError: no such line.
        """
        if channel is not None and not 0 <= channel < CHANNELS:
            raise InstrumentError(f"a line must be 0 to {CHANNELS - 1}, but got {channel}")
        cast(LongPlant, self._plant).set_channel(channel)

    def to_safe_state(self) -> None:
        """Look at the line alone."""
        self.select(None)


def flow_extras(plant: LongPlant, lab_seed: int, key: AttemptKey) -> FlowExtras:
    """Build the extra instruments of one attempt, each with its own keyed noise."""

    def noise(name: str) -> np.random.Generator:
        return instrument_generator(lab_seed, key, name)

    any_plant = cast(Any, plant)
    second = cast(Any, _SecondStage(plant))
    return FlowExtras(
        SimulatedThermostat("exchange_thermostat", second, noise("exchange_thermostat")),
        SimulatedPhotonCounter("photon_counter", any_plant, noise("photon_counter")),
        SimulatedSelector("selector", any_plant, noise("selector")),
    )
