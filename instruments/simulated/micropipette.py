"""Simulated instruments of a micropipette bench, acting on one shared plant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from instruments.capabilities import Clock
from instruments.clock import VirtualClock
from instruments.procedures.micropipette import MicropipetteRig
from instruments.simulated.noise import instrument_generator
from instruments.station import AttemptKey, Spectrum
from surrogate_sim.plants.micropipette import MicropipettePlant

Array = NDArray[np.float64]
PIXEL = 650.0 / 3647.0  # nm: 3648 pixels from 350 to 1000 nm (Ocean Insight USB4000)
BINNING = 4
AXIS: Array = np.arange(420.0, 580.0, BINNING * PIXEL)
POINT_SPREAD = 1.5  # nm FWHM
DARK_RATE = 15.0  # electrons per second and pixel
READ_NOISE = 50.0  # counts
SATURATION = 65535.0  # counts, 16 bits
OFFSET = 500.0  # counts; assumed, because a converter's zero lies above its read noise
RESPONSE = 0.150  # ns FWHM (physics specification, section 5)
PULSE = 2.0  # ns after the start of the window (assumed)
PERIOD = 50.0  # ns, 20 MHz (assumed)
CHANNELS = 1024
PILE_UP = 0.05  # photons per pulse (physics specification, section 5)
STRAY = 0.01  # share of the counts that come from elsewhere (assumed)
SIZE_ERROR = 0.15  # nm, reading an edge off a micrograph (assumed: half a lattice fringe)
MASS_ERROR = 0.01  # relative, of one ICP-MS reading (assumed: 1 % repeatability)
LIGHT_ERROR = 0.01  # relative, of the power meter (assumed)


class _Instrument:
    model = "simulated"

    def __init__(self, name: str, plant: MicropipettePlant, noise: np.random.Generator) -> None:
        self.name, self._plant, self._noise = name, plant, noise

    def identify(self) -> Mapping[str, Any]:
        """Say what it is."""
        return {
            "instrument": self.name,
            "model": self.model,
            "serial": f"SIM-{self.name}",
            "simulated": True,
        }


class SimulatedHolder(_Instrument):
    """Pipette holder with a syringe pump and a micrograph of the orifice."""

    model = "dotpilot simulated pipette holder"

    def load(self, tip: float, lead: float, caesium: float) -> None:
        """Take a fresh pipette."""
        self._plant.load(tip, lead, caesium)

    def read_tip(self) -> float:
        """Orifice by its micrograph [nm], to 1 %."""
        return self._plant.pipette().tip * (1.0 + 0.01 * float(self._noise.standard_normal()))

    def set_pressure(self, pressure: float) -> None:
        """Set the pressure [kPa]."""
        self._plant.set_pressure(pressure)

    def read_pressure(self) -> float:
        """Measured pressure [kPa], to 0.02."""
        return self._plant.pressure() + 0.02 * float(self._noise.standard_normal())

    def immerse(self) -> None:
        """Bring the tip into bromobenzene."""
        self._plant.immerse()

    def retract(self) -> None:
        """Take it out."""
        self._plant.retract()

    def to_safe_state(self) -> None:
        """Take the tip out and release the pressure."""
        self._plant.retract()
        self._plant.set_pressure(0.0)


class SimulatedLaser(_Instrument):
    """405 nm laser with shutter and power meter."""

    model = "dotpilot simulated 405 nm laser"

    def set_irradiance(self, irradiance: float) -> None:
        """Set the irradiance [W/cm2]; 0 closes the shutter."""
        self._plant.set_irradiance(irradiance)

    def read_irradiance(self) -> float:
        """Irradiance at the tip [W/cm2]."""
        error = 1.0 + LIGHT_ERROR * float(self._noise.standard_normal())
        return self._plant.irradiance() * error

    def to_safe_state(self) -> None:
        """Close the shutter."""
        self.set_irradiance(0.0)


class SimulatedFrameSpectrometer(_Instrument):
    """Array spectrometer behind the objective, read in frames, four pixels to a mean."""

    model = "dotpilot simulated array spectrometer"

    def __init__(
        self, name: str, plant: MicropipettePlant, noise: np.random.Generator, clock: Clock
    ) -> None:
        super().__init__(name, plant, noise)
        self._clock = clock

    def record(self, name: str, frames: int, interval: float, exposure: float) -> Spectrum:
        """Record `frames` readings of `exposure` [s] every `interval` [s].

        Light is Poisson distributed; every pixel adds dark and read noise and clips at 16 bits.
        """
        light = self._plant.light(AXIS, frames, interval, exposure) * PIXEL * exposure
        sigma = POINT_SPREAD / (BINNING * PIXEL) / (2.0 * np.sqrt(2.0 * np.log(2.0)))
        blurred = gaussian_filter1d(light, sigma, axis=1, mode="nearest")
        expected = np.clip(blurred, 0.0, None) + DARK_RATE * exposure
        electrons = self._noise.poisson(BINNING * expected) / BINNING
        read = READ_NOISE / np.sqrt(BINNING) * self._noise.standard_normal(expected.shape)
        counts = np.clip(electrons + OFFSET + read, 0.0, SATURATION).astype(np.float32)
        self._clock.wait(frames * interval)
        settings = {
            "integration_time": exposure,
            "frame_start": 0.0,
            "frame_interval": interval,
            "binning": BINNING,
            "saturation": SATURATION,
            "read_noise": READ_NOISE,
            "dark_rate": DARK_RATE,
            "point_spread": POINT_SPREAD,
            "excitation": 405.0,
        }
        return Spectrum(name, AXIS, counts, "nm", "counts", settings)


class SimulatedPhotonCounter(_Instrument):
    """Time-correlated single photon counting of the dots on the retracted tip."""

    model = "dotpilot simulated photon counter"

    def acquire(self, name: str, counts: int) -> Spectrum:
        """Count about `counts` first photons; later ones of the same pulse are lost."""
        width = PERIOD / CHANNELS
        time = np.asarray((np.arange(CHANNELS) + 0.5) * width, dtype=np.float64)
        fine = np.asarray((np.arange(CHANNELS * 8) + 0.5) * width / 8.0, dtype=np.float64)
        lit = self._plant.decay(np.maximum(fine - PULSE, 0.0)) * (fine >= PULSE)
        sigma = RESPONSE / (width / 8.0) / (2.0 * np.sqrt(2.0 * np.log(2.0)))
        shape = gaussian_filter1d(lit, sigma, mode="constant").reshape(CHANNELS, 8).sum(axis=1)
        seen = bool(shape.sum() > 0.0)
        expected = shape / shape.sum() if seen else shape
        pulses = counts / PILE_UP
        rate = PILE_UP * ((1.0 - STRAY) * expected + STRAY / CHANNELS)
        before = np.concatenate([[0.0], np.cumsum(rate)[:-1]])
        first = pulses * np.exp(-before) * -np.expm1(-rate)
        read = self._noise.poisson(first).astype(np.float32)
        settings = {"pulses": pulses, "pulse": PULSE, "response": RESPONSE}
        return Spectrum(name, time, read, "ns", "counts", settings)


class SimulatedMicroscope(_Instrument):
    """Sizes of dots drawn from the grid."""

    model = "dotpilot simulated transmission electron microscope"

    def image(self, name: str, dots: int) -> Spectrum:
        """Read the edges [nm] of `dots` dots; fewer if there are fewer."""
        volume, number = self._plant.dots()
        alive = (volume > 0.0) & (number > 0.0)
        there = min(dots, int(number[alive].sum()))
        edges = np.empty(0)
        if there:
            edge = np.cbrt(volume[alive])
            share = number[alive] / number[alive].sum()
            edges = self._noise.choice(edge, size=there, p=share)
            edges = edges + SIZE_ERROR * self._noise.standard_normal(there)
        axis = np.arange(there, dtype=np.float64)
        return Spectrum(name, axis, edges.astype(np.float32), "", "nm", {"error": SIZE_ERROR})


class SimulatedMassSpectrometer(_Instrument):
    """Caesium and lead of the digested dots."""

    model = "dotpilot simulated ICP-MS"

    def digest(self, name: str, repeats: int) -> Spectrum:
        """Read caesium and lead, one frame per repeat [formula units]."""
        caesium, lead = self._plant.composition()
        error = 1.0 + MASS_ERROR * self._noise.standard_normal((repeats, 2))
        values = np.array([[caesium, lead]]) * error
        axis = np.array([133.0, 208.0])
        return Spectrum(name, axis, values.astype(np.float32), "u", "formula units", {})


def micropipette_rig(plant: MicropipettePlant, lab_seed: int, key: AttemptKey) -> MicropipetteRig:
    """Build the instruments of one attempt, each with its own keyed noise."""
    clock = VirtualClock(plant.advance, plant.clock)

    def noise(name: str) -> np.random.Generator:
        return instrument_generator(lab_seed, key, name)

    return MicropipetteRig(
        SimulatedHolder("holder", plant, noise("holder")),
        SimulatedLaser("laser", plant, noise("laser")),
        SimulatedFrameSpectrometer("spectrometer", plant, noise("spectrometer"), clock),
        SimulatedPhotonCounter("photon_counter", plant, noise("photon_counter")),
        SimulatedMicroscope("microscope", plant, noise("microscope")),
        SimulatedMassSpectrometer("mass_spectrometer", plant, noise("mass_spectrometer")),
        clock,
    )
