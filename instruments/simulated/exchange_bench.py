"""Simulated instruments of the exchange bench: electron microscope, camera, fluorimeter.

The camera counts photoelectrons of 50 ms exposures behind an electron multiplier, whose gain
noise doubles the variance (the physics specification, section 5). Where a film would pass some
five million bytes, consecutive exposures are averaged before they are stored. The fluorimeter
reads one wavelength after the other while the sample goes on reacting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from instruments.procedures.anion_exchange import ExchangeBench, Movie, Scans
from instruments.simulated.noise import instrument_generator
from instruments.station import AttemptKey
from surrogate_sim.plants.anion_exchange import ExchangePlant

Array = NDArray[np.float64]
EXPOSURE = 0.05  # s (seed 003, Experimental section)
STORED = 1_200_000  # numbers that a film may hold: 4.8 million bytes
FIELD = 82.0  # um: 512 pixels of 16 um behind 100 times magnification (seed 003)
READ_ELECTRONS = 0.2  # electrons after multiplication gain (assumed)
TEM_ERROR = 0.15  # nm per crystal, because edges are read to about one lattice fringe (assumed)
AXIS: Array = np.arange(430.0, 731.0)
EXCITATION = 400.0  # nm (seed 003)
SCAN = 35.0  # s from one scan to the next (seed 003)
_READING = 34.0  # s from the first to the last wavelength, then the drive returns (assumed)
SLITS = (2.5, 5.0, 10.0)  # nm (seed 003)
FULL_SCALE = 1.0e6  # counts (assumed)
DARK = 2.0  # counts per reading (assumed)


class _Instrument:
    model = "dotpilot simulated instrument"

    def __init__(self, name: str, plant: ExchangePlant, generator: np.random.Generator) -> None:
        self.name = name
        self._plant = plant
        self._generator = generator

    def identify(self) -> dict[str, Any]:
        """Name, model and serial of the instrument."""
        return {
            "instrument": self.name,
            "model": self.model,
            "serial": "simulated",
            "simulated": True,
        }


class SimulatedMaker(_Instrument):
    """Shelf and synthesis flask."""

    model = "dotpilot simulated hot injection"

    def prepare(self, recipe: Mapping[str, Any]) -> None:
        """Make the batch, or take it from the shelf; a synthesis takes two hours of bench time."""
        if recipe["nanocrystal_source"] == "given":
            edge, percent = float(recipe["edge_length"]), float(recipe["size_dispersion"])
            self._plant.take_batch(edge, percent / 100.0)
            return
        self._plant.synthesise(
            float(recipe["zinc_bromide"]),
            float(recipe["synthesis_temperature"]),
            float(recipe["synthesis_time"]),
            str(recipe["washing"]),
        )
        self._plant.advance(7200.0)


class SimulatedElectronMicroscope(_Instrument):
    """Bright-field images, edges read one by one."""

    model = "dotpilot simulated electron microscope"

    def edges(self, count: int) -> Array:
        """Return measured edges, shape (count,) [nm]."""
        true = self._plant.batch.sample(count, self._generator)
        return true + TEM_ERROR * self._generator.standard_normal(count)


class SimulatedMicroscope(_Instrument):
    """Flow cell and camera; `front_time` is the nominal line's, which a lab's own may miss."""

    model = "dotpilot simulated fluorescence microscope"

    def __init__(
        self,
        name: str,
        plant: ExchangePlant,
        generator: np.random.Generator,
        front_time: float,
    ) -> None:
        super().__init__(name, plant, generator)
        self._front_time = front_time
        self._count = 0

    @property
    def front_time(self) -> float:
        """Calibrated time from injection to arrival [s]."""
        return self._front_time

    def mount(self, count: int) -> None:
        """Mount a coverslip and flush the cell with hexane."""
        self._count = count
        self._plant.mount(count)
        self._plant.advance(600.0)

    def record(self, concentration: float, duration: float) -> Movie:
        """Inject TMSI and film."""
        exposures = max(2, int(duration / EXPOSURE))
        together = int(np.ceil(exposures * self._count / STORED))
        frames = exposures // together
        interval = EXPOSURE * together
        self._plant.inject(concentration)
        field = self._plant.watch(np.asarray((np.arange(frames) + 0.5) * interval, float))
        expected = (field.light.T + field.background) * interval
        electrons = self._generator.poisson(expected).astype(np.float64)
        multiplied = self._generator.standard_gamma(electrons)
        read = (
            READ_ELECTRONS
            * np.sqrt(together)
            * self._generator.standard_normal(expected.shape, dtype=np.float32)
        )
        counts = ((multiplied + read) / together).astype(np.float32)
        position = np.sort(self._generator.uniform(0.0, FIELD, self._count))
        settings = {
            "exposure": EXPOSURE,
            "averages": together,
            "emission_window": [590.0, 649.0],
            "excitation_window": [530.0, 558.0],
            "electron_multiplication": True,
        }
        return Movie(position, counts, interval, settings)


class SimulatedFluorimeter(_Instrument):
    """Cuvette, pipette and scanning fluorimeter."""

    model = "dotpilot simulated scanning fluorimeter"

    def __init__(
        self,
        name: str,
        plant: ExchangePlant,
        generator: np.random.Generator,
        shaking_time: float,
    ) -> None:
        super().__init__(name, plant, generator)
        self._shaking_time = shaking_time
        self._slit = 0.0

    def fill(self) -> None:
        """Dilute the batch into a clean cuvette."""
        self._plant.fill_cuvette()
        self._slit = 0.0

    def add(self, volume: float, concentration: float) -> None:
        """Add TMSI and shake."""
        self._plant.add_tmsi(volume, concentration)
        self._plant.shake()

    def scan(self, count: int) -> Scans:
        """Scan `count` times; the first scan of a cuvette chooses the exit slit."""
        within = _READING / (AXIS[-1] - AXIS[0]) * (AXIS - AXIS[0])
        times = (SCAN * np.arange(count)[:, None] + within[None, :]).ravel()
        light = self._plant.emission(times, np.tile(AXIS, count), EXCITATION)
        self._plant.advance(SCAN - _READING)
        rate = light.reshape(count, len(AXIS))
        dwell = _READING / len(AXIS)
        if self._slit == 0.0:
            self._slit = _slit(float(rate.max()) * dwell)
        sigma = self._slit / (2.0 * np.sqrt(2.0 * np.log(2.0)))
        seen = gaussian_filter1d(rate, sigma, axis=1, mode="nearest") * self._slit * dwell
        counts = self._generator.poisson(np.clip(seen, 0.0, None) + DARK)
        settings = {
            "interval": SCAN,
            "scan_time": _READING,
            "integration_time": dwell,
            "slit": self._slit,
            "excitation": EXCITATION,
            "saturation": FULL_SCALE,
            "dark": DARK,
            "shaking_time": self._shaking_time,
        }
        return Scans(AXIS, np.minimum(counts, FULL_SCALE).astype(np.float32), settings)


def _slit(counts_per_nm: float) -> float:
    """Narrowest exit slit [nm] that gives ten thousand counts at the maximum, else the widest."""
    return next((s for s in SLITS if counts_per_nm * s >= 1.0e4), SLITS[-1])


def simulated_bench(
    plant: ExchangePlant, lab_seed: int, key: AttemptKey, front_time: float, shaking_time: float
) -> ExchangeBench:
    """Build the instruments of one attempt, each with its own keyed noise."""

    def noise(name: str) -> np.random.Generator:
        return instrument_generator(lab_seed, key, name)

    return ExchangeBench(
        SimulatedMaker("synthesis", plant, noise("synthesis")),
        SimulatedElectronMicroscope("electron_microscope", plant, noise("electron_microscope")),
        SimulatedMicroscope("microscope", plant, noise("microscope"), front_time),
        SimulatedFluorimeter("fluorimeter", plant, noise("fluorimeter"), shaking_time),
    )


def identities(bench: ExchangeBench) -> tuple[Mapping[str, Any], ...]:
    """Identify every simulated instrument of the bench."""
    parts = (bench.maker, bench.electrons, bench.microscope, bench.cuvette)
    return tuple(p.identify() for p in parts if isinstance(p, _Instrument))
