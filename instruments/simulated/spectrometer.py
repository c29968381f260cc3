"""A simulated array spectrometer with excitation, lamp and reference dye on the plant's cell.

Pixels, bits and exposures of an Ocean HDX: 2068 pixels, 6 ms to 10 s in steps of 1 µs, means of
scans as 16-bit numbers (Ocean Insight, HDX data sheet); a grating from 350 to 1000 nm. Point
spread of 1.5 nm FWHM, Poisson shot noise, 15 dark electrons per second and pixel, 50 counts of
read noise (the physics specification, section 5).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from instruments.capabilities import Clock, Exposure, Light, LightPath
from instruments.detectors import PIXELS, WAVELENGTHS
from instruments.errors import InstrumentError
from instruments.simulated.flow import Plant, SimulatedInstrument
from instruments.simulated.lights import SimulatedLights

Array = NDArray[np.float64]
AXIS: Array = WAVELENGTHS[0] + WAVELENGTHS[1] * np.arange(PIXELS, dtype=np.float64)
PIXEL = float(AXIS[1] - AXIS[0])  # nm
POINT_SPREAD = 1.5  # nm FWHM
DARK_RATE = 15.0  # electrons per second and pixel
READ_NOISE = 50.0  # counts
SATURATION = 65535.0  # counts, 16 bits
OFFSET = 500.0  # counts; assumed, because a converter's zero lies above its read noise
INTEGRATION_LIMITS = (0.006, 10.0)  # s
STEP = 1e-6  # s, of exposures
EXCITATION = 365.0  # nm
LAMP_RATE = 2.0e5  # counts per second and pixel at the lamp's maximum (assumed)

# Quinine sulphate in 0.5 M sulphuric acid: yield 0.546, index 1.346 (Eaton 1988, Pure Appl.
# Chem. 60, 1107); absorbance 0.10 by preparation. The line's solvent is toluene, index 1.497.
DYE: dict[str, float] = {
    "dye_quantum_yield": 0.546,
    "dye_absorbance": 0.10,
    "dye_index": 1.346,
    "solvent_index": 1.497,
}
_DYE_ENERGY, _DYE_WIDTH = 2.72, 0.50  # eV: maximum near 455 nm, FWHM about 85 nm
_HC = 1239.841984


@cache
def lamp_shape() -> Array:
    """Spectrum of a deuterium-halogen lamp on the detector, relative, shape (2068,) (assumed)."""
    halogen = np.exp(-0.5 * ((AXIS - 720.0) / 190.0) ** 2)
    deuterium = 0.45 * np.exp(-(AXIS - 350.0) / 90.0)
    total = halogen + deuterium
    return np.asarray(total / total.max())


@cache
def dye_shape() -> Array:
    """Emission of the dye [1/nm], unit area, shape (2068,)."""
    sigma = _DYE_WIDTH / (2.0 * np.sqrt(2.0 * np.log(2.0)))
    bell = np.exp(-0.5 * ((_HC / AXIS - _DYE_ENERGY) / sigma) ** 2) * _HC / AXIS**2
    return np.asarray(bell / (bell.sum() * PIXEL))


def _on_detector(spectral: Array) -> Array:
    """Photoelectrons per second and pixel, shape (2068,), of light per second and nm."""
    sigma = POINT_SPREAD / PIXEL / (2.0 * np.sqrt(2.0 * np.log(2.0)))
    blurred = gaussian_filter1d(spectral, sigma, mode="nearest") * PIXEL
    return np.asarray(np.maximum(blurred, 0.0) + DARK_RATE)


class SimulatedSpectrometer(SimulatedInstrument):
    """The detector with its light sources.

    Args:
        name: Instrument name.
        plant: What the cell holds.
        generator: Noise of this attempt.
        clock: Exposures take their time on it.
        photon_rate: Photons per second that reach the detector for a quantum yield of one when
            all excitation is absorbed.
        lights: What an exposure switches, and a scan sees as it is.
        fading: Share of its light that every source loses per hour of the clock [1/h].
    """

    model = "dotpilot simulated array spectrometer"

    def __init__(
        self,
        name: str,
        plant: Plant,
        generator: np.random.Generator,
        clock: Clock,
        photon_rate: float,
        lights: SimulatedLights | None = None,
        fading: float = 0.0,
    ) -> None:
        super().__init__(name, plant, generator)
        self._fading = fading
        self._clock = clock
        self._lights = lights or SimulatedLights("lights", plant, generator)
        index = (DYE["solvent_index"] / DYE["dye_index"]) ** 2  # less light is trapped in water
        absorbed = 1.0 - 10.0 ** -DYE["dye_absorbance"]
        dye = photon_rate * absorbed * DYE["dye_quantum_yield"] * dye_shape() * index
        self._dye = _on_detector(dye)
        self._lamp = LAMP_RATE * lamp_shape() / PIXEL
        self._lit = {"excitation": True, "lamp": True}

    @property
    def wavelengths(self) -> Array:
        """Pixel axis, shape (2068,) [nm]."""
        return AXIS

    @property
    def integration_limits(self) -> tuple[float, float]:
        """Shortest and longest exposure [s]."""
        return INTEGRATION_LIMITS

    @property
    def settings(self) -> Mapping[str, Any]:
        """Constants of detector and optics, JSON-able."""
        return {
            "saturation": SATURATION,
            "read_noise": READ_NOISE,
            "dark_rate": DARK_RATE,
            "point_spread": POINT_SPREAD,
            "excitation": EXCITATION,
            "longest_integration": INTEGRATION_LIMITS[1],
            "detection": "front_face",
            **DYE,
        }

    def expose(
        self,
        integration_time: float,
        light: Light,
        path: LightPath = "line",
        averages: int = 1,
    ) -> Exposure:
        """Let the light shine, scan, and shut it.

        Raises:
            InstrumentError: an integration time outside the limits.
        """
        self._lights.set_light(light, path)
        try:
            return self.scan(integration_time, averages)
        finally:
            self._lights.set_light("dark")

    def scan(self, integration_time: float, averages: int = 1) -> Exposure:
        """Expose under the light as it is; the cell is that of the middle of the exposure.

        Raises:
            InstrumentError: an integration time outside the limits.
        """
        shortest, longest = INTEGRATION_LIMITS
        if not shortest <= integration_time <= longest or averages < 1:
            raise InstrumentError(
                f"an exposure must take {shortest:g} to {longest:g} s at least once, but got "
                f"{integration_time:g} s, {averages} times"
            )
        integration_time = round(integration_time / STEP) * STEP
        light, path = self._lights.read_light()
        self._clock.wait(0.5 * integration_time * averages)
        rate = self._rate(light, path)
        self._clock.wait(0.5 * integration_time * averages)
        counts = self._read(rate * integration_time, averages)
        return Exposure(counts, integration_time, averages, light, path)

    def _rate(self, light: Light, path: LightPath) -> Array:
        """Expected photoelectrons per second and pixel, shape (2068,), dark included."""
        if light == "dark" or not self._lit[light]:
            return np.full_like(AXIS, DARK_RATE)
        left = math.exp(-self._fading * self._clock.now() / 3600.0)
        if light == "lamp":
            return _on_detector(left * self._lamp * 10.0 ** -self._plant.absorbance(AXIS))
        if path == "reference_dye":
            return (
                np.asarray(left * (self._dye - DARK_RATE) + DARK_RATE) if left < 1 else self._dye
            )
        return _on_detector(left * self._plant.emission(AXIS, EXCITATION))

    def _read(self, expected: Array, averages: int) -> NDArray[np.float32]:
        """Draw shot and read noise, clip at 16 bits, and average.

        Far from saturation a mean of scans is drawn at once: sums of Poisson and of normal
        numbers are Poisson and normal.
        """
        if averages > 1 and float(expected.max()) < 0.8 * SATURATION:
            electrons = self._generator.poisson(averages * expected) / averages
            noise = READ_NOISE / np.sqrt(averages) * self._generator.standard_normal(len(expected))
            mean = np.rint(np.maximum(electrons + OFFSET + noise, 0.0))
            return np.asarray(mean, dtype=np.float32)
        total = np.zeros_like(expected)
        for _ in range(averages):
            electrons = self._generator.poisson(expected).astype(np.float64)
            raw = electrons + OFFSET + READ_NOISE * self._generator.standard_normal(len(expected))
            total += np.clip(np.rint(raw), 0.0, SATURATION)
        return np.rint(total / averages).astype(np.float32)

    def fail(self, source: str) -> None:
        """Let a light source die, as a lamp does (for exercises and tests)."""
        self._lit[source] = False

    def to_safe_state(self) -> None:
        """Excitation and lamp are shuttered except during an exposure; nothing to do."""
