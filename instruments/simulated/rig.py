"""Puts simulated instruments around one plant."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from instruments.capabilities import FlowRig
from instruments.clock import VirtualClock
from instruments.formulation import Stock
from instruments.simulated.flow import (
    Plant,
    SimulatedCarrierPump,
    SimulatedProbe,
    SimulatedPump,
    SimulatedThermostat,
    SimulatedVelocitySensor,
)
from instruments.simulated.lights import SimulatedLights
from instruments.simulated.noise import instrument_generator
from instruments.simulated.spectrometer import SimulatedSpectrometer
from instruments.station import AttemptKey


def simulated_rig(
    plant: Plant,
    stocks: Sequence[Stock],
    lab_seed: int,
    key: AttemptKey,
    *,
    start: float,
    photon_rate: float,
    fading: float = 0.0,
) -> FlowRig:
    """Build the instruments of one attempt, each with its own keyed noise.

    Args:
        plant: What they act on and read.
        stocks: One pump each.
        lab_seed: Keys the noise, with `key` and the instrument's name.
        key: Trial and attempt.
        start: What the virtual clock shows at first [s].
        photon_rate: See `SimulatedSpectrometer`.
        fading: See `SimulatedSpectrometer`.
    """
    clock = VirtualClock(plant.advance, start)

    def noise(name: str) -> np.random.Generator:
        return instrument_generator(lab_seed, key, name)

    lights = SimulatedLights("lights", plant, noise("lights"))
    return FlowRig(
        pumps={
            s.name: SimulatedPump(
                f"pump_{s.name}", s.name, plant, noise(f"pump_{s.name}"), s.limits, clock.now
            )
            for s in stocks
        },
        carrier=SimulatedCarrierPump("carrier_pump", plant, noise("carrier_pump")),
        velocity=SimulatedVelocitySensor("velocity_sensor", plant, noise("velocity_sensor")),
        thermostat=SimulatedThermostat("thermostat", plant, noise("thermostat")),
        probe=SimulatedProbe("probe", plant, noise("probe")),
        spectrometer=SimulatedSpectrometer(
            "spectrometer",
            plant,
            noise("spectrometer"),
            clock,
            photon_rate,
            lights,
            fading,
        ),
        clock=clock,
        lights=lights,
    )
