"""Simulated vessel, X-ray detectors and absorbance spectrometer, acting on one TopoPlant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from instruments.clock import VirtualClock
from instruments.procedures.topo_batch import BatchRig
from instruments.simulated.noise import instrument_generator
from instruments.station import AttemptKey, Spectrum
from surrogate_sim.plants.topo_batch import SAXS_RESOLUTION, WAXS_RESOLUTION, TopoPlant
from surrogate_sim.topo_chemistry import Ligand

Array = NDArray[np.float64]
SMALL_ANGLE = np.concatenate([np.arange(0.2, 1.5, 0.005), np.arange(1.5, 4.0, 0.025)])
WIDE_ANGLE = np.linspace(8.0, 36.0, 281)
LIGHT = np.arange(290.0, 561.0, 1.0)
DARK_LEVEL = 4.0
"""Absorbance at which nothing but stray light and noise is left."""
METERING = 0.003
"""Relative error of a syringe drive that meters a stock."""


class _Simulated:
    """Identity and noise that every simulated instrument has."""

    def __init__(
        self, name: str, model: str, plant: TopoPlant, generator: np.random.Generator
    ) -> None:
        self._name, self._model = name, model
        self._plant, self._generator = plant, generator

    def identify(self) -> Mapping[str, Any]:
        """Name, model, serial number, whether simulated."""
        return {
            "instrument": self._name,
            "model": self._model,
            "serial": f"SIM-{self._name}",
            "simulated": True,
        }


def _times(start: float, interval: float, count: int) -> Array:
    return np.asarray(start + interval * np.arange(count), dtype=np.float64)


class SimulatedVessel(_Simulated):
    """A stirred vessel: meters stocks with a small error, warms with a lag."""

    def set_temperature(self, setpoint: float) -> None:
        """Set the heater [degC]."""
        self._plant.set_temperature(setpoint)

    def read_temperature(self) -> float:
        """Measured temperature [degC]."""
        noise = 0.1 * float(self._generator.standard_normal())
        return self._plant.measured_temperature() + noise

    def charge(self, ligand: str, caesium: float, lead: float, topo: float) -> Mapping[str, float]:
        """Meter the stocks; returns the concentrations by weight after injection [mmol/L]."""
        wanted = {
            "caesium_concentration": caesium,
            "lead_concentration": lead,
            "topo_concentration": topo,
        }
        errors = 1.0 + METERING * self._generator.standard_normal(3)
        metered = {n: v * float(e) for (n, v), e in zip(wanted.items(), errors, strict=True)}
        self._plant.charge(cast("Ligand", ligand), *metered.values())
        return metered

    def inject(self, watched: float) -> None:
        """Inject the caesium; the reaction is watched for so many seconds."""
        self._plant.inject(watched)

    def drain(self) -> None:
        """Empty and rinse."""
        self._plant.drain()


class SimulatedSmallAngle(_Simulated):
    """A photon-counting detector; counts are summed over rings, wider ones at large angles."""

    def __init__(
        self, name: str, plant: TopoPlant, generator: np.random.Generator, sensitivity: float
    ) -> None:
        super().__init__(name, "small-angle detector", plant, generator)
        self._sensitivity = sensitivity

    def frames(self, name: str, start: float, interval: float, count: int) -> Spectrum:
        """Read out `count` frames, the first at `start` [s] after injection."""
        times = _times(start, interval, count)
        rings = SMALL_ANGLE * np.gradient(SMALL_ANGLE) / 0.005
        mean = self._plant.small_angle(SMALL_ANGLE, times) * self._sensitivity * rings
        counts = self._generator.poisson(mean).astype(np.float32)
        return Spectrum(
            name,
            SMALL_ANGLE,
            counts,
            "1/nm",
            "counts",
            {
                "frame_start": start,
                "frame_interval": interval,
                "integration_time": 0.5,
                "sensitivity": self._sensitivity,
                "resolution": SAXS_RESOLUTION,
            },
        )


class SimulatedWideAngle(_Simulated):
    """A photon-counting detector behind the small-angle beam path's opening."""

    def __init__(self, name: str, plant: TopoPlant, generator: np.random.Generator) -> None:
        super().__init__(name, "wide-angle detector", plant, generator)

    def frames(self, name: str, start: float, interval: float, count: int) -> Spectrum:
        """Read out `count` frames, the first at `start` [s] after injection."""
        times = _times(start, interval, count)
        counts = self._generator.poisson(self._plant.wide_angle(WIDE_ANGLE, times))
        settings = {
            "frame_start": start,
            "frame_interval": interval,
            "integration_time": 5.0,
            "resolution": WAXS_RESOLUTION,
        }
        return Spectrum(name, WIDE_ANGLE, counts.astype(np.float32), "1/nm", "counts", settings)


class SimulatedAbsorbance(_Simulated):
    """A diode-array spectrometer: shot noise grows with absorbance, stray light limits it."""

    def __init__(
        self,
        name: str,
        plant: TopoPlant,
        generator: np.random.Generator,
        path: float,
        noise: float,
        stray: float,
    ) -> None:
        super().__init__(name, "diode-array spectrometer", plant, generator)
        self._path, self._noise, self._stray = path, noise, stray

    def frames(self, name: str, start: float, interval: float, count: int) -> Spectrum:
        """Read out `count` frames, the first at `start` [s] after injection."""
        times = _times(start, interval, count)
        true = self._plant.absorbance(LIGHT, times, self._path)
        passed = (10.0**-true + self._stray) / (1.0 + self._stray)
        shown = -np.log10(passed)
        deviation = self._noise * np.sqrt(1.0 / passed)
        values = shown + deviation * self._generator.standard_normal(shown.shape)
        settings = {
            "frame_start": start,
            "frame_interval": interval,
            "path_length": self._path,
            "noise": self._noise,
        }
        return Spectrum(
            name,
            LIGHT,
            np.minimum(values, DARK_LEVEL).astype(np.float32),
            "nm",
            "AU",
            settings,
        )


def simulated_batch_rig(
    plant: TopoPlant,
    own: Mapping[str, float],
    path: float,
    lab_seed: int,
    key: AttemptKey,
    start: float,
) -> BatchRig:
    """Build the instruments of one attempt, each with its own keyed noise.

    Args:
        plant: What they act on and read.
        own: Constants of the twin, for sensitivities and noise.
        path: Optical path [mm].
        lab_seed: Keys the noise, with `key` and the instrument's name.
        key: Trial and attempt.
        start: What the virtual clock shows at first [s].
    """

    def noise(name: str) -> np.random.Generator:
        return instrument_generator(lab_seed, key, name)

    return BatchRig(
        SimulatedVessel("vessel", "stirred vessel", plant, noise("vessel")),
        SimulatedSmallAngle(
            "small_angle", plant, noise("small_angle"), own["saxs_sensitivity"]
        ),
        SimulatedWideAngle("wide_angle", plant, noise("wide_angle")),
        SimulatedAbsorbance(
            "spectrometer", plant, noise("spectrometer"), path, own["light_noise"],
            own["stray_light"],
        ),
        VirtualClock(plant.advance, start),
    )  # fmt: skip
