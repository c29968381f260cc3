"""Simulated pipetting robot, plate reader and characterisation bench around one LarpPlant.

Noise is keyed per well (by its recipe's attempt) and instrument, so that a recipe meets the same
noise wherever its neighbours are. Figures are of the physics specification, section 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instruments.clock import VirtualClock
from instruments.procedures.plate import OVERFLOW_TEXT, Optics, PlateRig, WellPlan
from instruments.simulated.noise import instrument_generator
from instruments.station import AttemptKey, Spectrum
from surrogate_sim.larp import EXCITATION, Charge
from surrogate_sim.larp_samples import COPPER, cubic_angles, hexagonal_angles
from surrogate_sim.plants.larp_plate import LarpPlant

Array = NDArray[np.float64]
WAVELENGTHS: Array = Optics().wavelengths
_FINE: Array = np.arange(380.0, 671.0, 1.0)
_FWHM = float(2.0 * np.sqrt(2.0 * np.log(2.0)))
PIPETTE_CV, PIPETTE_FLOOR = 0.015, 0.2
"""Relative and absolute [uL] standard deviation of one transfer."""
ANGLES: Array = np.arange(10.0, 36.0, 0.02)
PATTERN = {"cubic": (0.6, 0.7, 1.0), "hexagonal": (0.7, 0.5, 1.0)}
"""Relative areas of the three lines of each phase (assumed, because S002 gives no areas)."""
INSTRUMENT_WIDTH = 0.10  # deg, FWHM of the diffractometer
LENGTHS: Array = np.arange(0.5, 300.0, 1.0)
TIMES: Array = np.arange(0.0, 100.0, 0.1)
_DIFFRACTION, _BACKGROUND = 4.0e3, 40.0  # counts times deg, counts
_PARTICLES = 3000
_PHOTONS = 2.0e5
_RESPONSE = 0.15  # ns, FWHM
_SPREAD_PER_WELL = 0.05  # ln sd of a well's spread of mixing times (assumed)


@dataclass(frozen=True)
class WellNoise:
    """Generators of one well, and what they gave it for good."""

    robot: np.random.Generator
    reader: np.random.Generator
    bench: np.random.Generator
    gain: float
    shift: float
    stretch: float


class SimulatedRobot:
    """Pipettes with 1.5 % and 0.2 uL; chloroform sometimes drips from the tip.

    Args:
        plant: What it fills.
        clock: Each well takes its time.
        noise: By well.
        seconds: Per well.
        failures: Share of chloroform wells whose injection fails.
    """

    def __init__(
        self,
        plant: LarpPlant,
        clock: VirtualClock,
        noise: Mapping[int, WellNoise],
        seconds: float,
        failures: float,
    ) -> None:
        self._plant, self._clock, self._noise = plant, clock, noise
        self._seconds, self._failures = seconds, failures

    def identify(self) -> Mapping[str, Any]:
        """Name and model."""
        return _identity("pipetting_robot", "pipetting robot")

    def new_plate(self, plans: Sequence[WellPlan] = ()) -> None:
        """Put a fresh plate on the deck; there is enough of everything."""
        self._plant.new_plate()

    def fill(self, well: int, plan: WellPlan) -> None:
        """Mix the precursor, fill the well and inject."""
        g = self._noise[well].robot
        asked = (plan.acid, plan.amine, plan.lead_solution, plan.antisolvent_volume, plan.injected)
        draws = g.standard_normal((len(asked), 2))
        came = [
            max(v * (1.0 + PIPETTE_CV * a) + PIPETTE_FLOOR * b, 0.02 * v) if v > 0.0 else 0.0
            for v, (a, b) in zip(asked, draws, strict=True)
        ]
        spread = float(np.exp(_SPREAD_PER_WELL * g.standard_normal()))
        lost = g.random() < self._failures and plan.antisolvent == "chloroform"
        self._clock.wait(self._seconds)
        if not lost:
            acid, amine, solution, antisolvent, injected = came
            charge = Charge(
                plan.pair,
                plan.antisolvent,
                acid,
                amine,
                solution,
                plan.lead,
                antisolvent,
                injected,
            )
            self._plant.fill(well, charge, spread)


def reader_optics(c: Mapping[str, float]) -> Optics:
    """Return how the reader of a laboratory looks at a well."""
    return Optics(int(EXCITATION), bandpass=c["bandpass"], overflow=c["overflow"])


class SimulatedReader:
    """A monochromator reader: 126 wavelengths, whole counts, text where it overflows.

    Args:
        plant: What it looks at.
        noise: By well.
        c: Constants of the laboratory.
    """

    def __init__(
        self, plant: LarpPlant, noise: Mapping[int, WellNoise], c: Mapping[str, float]
    ) -> None:
        self._plant, self._noise, self._c = plant, noise, c
        sigma = c["bandpass"] / _FWHM
        band = np.exp(-0.5 * ((WAVELENGTHS[:, None] - _FINE[None, :]) / sigma) ** 2)
        self._band = band / band.sum(axis=1, keepdims=True)
        self._seen: dict[int, tuple[float, Array]] = {}

    @property
    def wavelengths(self) -> Array:
        """Emission wavelengths, shape (126,) [nm]."""
        return WAVELENGTHS

    @property
    def settings(self) -> Mapping[str, Any]:
        """Constants of the reader, JSON-able."""
        return reader_optics(self._c).settings

    def identify(self) -> Mapping[str, Any]:
        """Name and model."""
        return _identity("plate_reader", "monochromator plate reader")

    def read(self, wells: Sequence[int]) -> Sequence[Sequence[str]]:
        """One spectrum of each well as text."""
        return [self._cells(self._counts(well, slice(None)).tolist()) for well in wells]

    def read_at(self, wells: Sequence[int], emission: int) -> Sequence[str]:
        """One cell of each well at one wavelength [nm].

        Read at every wavelength in order, wells show what `read` shows: they draw alike.

        Raises:
            ValueError: not one of its wavelengths.
        """
        where = int(np.searchsorted(WAVELENGTHS, emission))
        if where >= len(WAVELENGTHS) or WAVELENGTHS[where] != emission:
            raise ValueError(f"{emission} nm is none of the reader's wavelengths")
        part = slice(where, where + 1)
        return self._cells([int(self._counts(w, part)[0]) for w in wells])

    def _counts(self, well: int, part: slice) -> NDArray[np.int64]:
        """Counts of a well at some wavelengths; one without a recipe shows the mean background."""
        own = self._noise.get(well)
        if own is None:
            return np.full(len(WAVELENGTHS), round(self._c["background"]))[part]
        now = self._plant.clock
        if self._seen.get(well, (-1.0, None))[0] != now:
            self._seen[well] = (now, self.expected(well, own) + self._c["background"])
        return own.reader.poisson(self._seen[well][1][part])

    def _cells(self, counts: Sequence[int]) -> list[str]:
        overflow = self._c["overflow"]
        return [str(n) if n <= overflow else OVERFLOW_TEXT for n in counts]

    def expected(self, well: int, own: WellNoise) -> Array:
        """Mean counts above the background, shape (126,)."""
        light = self._plant.emission(well, _FINE - own.shift)
        total = float(light.sum())
        if total > 0.0 and own.stretch != 1.0:
            middle = float((light * _FINE).sum()) / total
            light = np.interp(middle + (_FINE - middle) / own.stretch, _FINE, light)
        return np.asarray(self._c["reader_gain"] * own.gain * (self._band @ light))


class SimulatedBench:
    """Microscope, diffractometer and photon counter on samples from the wells.

    Args:
        plant: Where samples come from.
        noise: By well.
        c: Material constants.
        grain_spread: Relative standard deviation of the grains' edge.
    """

    def __init__(
        self,
        plant: LarpPlant,
        noise: Mapping[int, WellNoise],
        c: Mapping[str, float],
        grain_spread: float,
    ) -> None:
        self._plant, self._noise, self._c, self._grain_spread = plant, noise, c, grain_spread

    def identify(self) -> Mapping[str, Any]:
        """Name and models."""
        return _identity("characterisation", "microscope, diffractometer and photon counter")

    def particles(self, well: int) -> Spectrum:
        """Lengths of about 3000 particles, in bins of 1 nm."""
        found, g = self._plant.grains(well), self._noise[well].bench
        counts = np.zeros(len(LENGTHS))
        if found is not None and found.number.sum() > 0.0:
            chosen = g.choice(len(found.edge), _PARTICLES, p=found.number / found.number.sum())
            lengths = found.edge[chosen] + 0.3 * g.standard_normal(_PARTICLES)
            grains = g.poisson(_PARTICLES * min(found.per_dot, 1.0))
            spread = 1.0 + self._grain_spread * g.standard_normal(grains)
            lengths = np.append(lengths, found.grain * np.maximum(spread, 0.2))
            counts = np.histogram(lengths, np.append(LENGTHS - 0.5, LENGTHS[-1] + 0.5))[0]
        settings = {"instrument": "transmission electron microscope"}
        return Spectrum("tem", LENGTHS, counts.astype(np.float32), "nm", "particles", settings)

    def diffraction(self, well: int) -> Spectrum:
        """Pattern with Cu K-alpha; lines are as broad as the crystals are small (Scherrer)."""
        found, g = self._plant.grains(well), self._noise[well].bench
        pattern = np.full(len(ANGLES), _BACKGROUND)
        if found is not None:
            weight = found.number * found.edge**3
            size = float(weight @ found.edge / weight.sum()) if weight.sum() > 0.0 else 10.0
            cubic = (1.0 - found.phase) * _lines(cubic_angles(self._c), size, PATTERN["cubic"])
            large = _lines(hexagonal_angles(), found.grain, PATTERN["hexagonal"])
            pattern = pattern + _DIFFRACTION * (cubic + found.phase * large)
        counts = g.poisson(pattern).astype(np.float32)
        settings = {"radiation": "Cu K-alpha", "radiation_wavelength": COPPER}
        return Spectrum("xrd", ANGLES, counts, "deg", "counts", settings)

    def decay(self, well: int) -> Spectrum:
        """Arrival times of about 2e5 photons after pulses at 343 nm."""
        g = self._noise[well].bench
        fine = np.arange(-2.0, 100.0, 0.1)
        curve = np.where(fine >= 0.0, self._plant.decay(well, np.maximum(fine, 0.0)), 0.0)
        kernel = np.exp(-0.5 * (np.arange(-5, 6) * 0.1 / (_RESPONSE / _FWHM)) ** 2)
        blurred = np.convolve(curve, kernel / kernel.sum(), "same")
        total = float(blurred.sum())
        expected = (_PHOTONS * blurred / total if total > 0.0 else blurred) + 2.0
        counts = g.poisson(expected).astype(np.float32)
        return Spectrum("decay", fine, counts, "ns", "counts", {"response_width": _RESPONSE})


def _identity(name: str, model: str) -> dict[str, Any]:
    return {
        "instrument": name,
        "model": f"dotpilot simulated {model}",
        "serial": "sim",
        "simulated": True,
    }


def _lines(angles: Array, size: float, areas: Sequence[float]) -> Array:
    """Three Gaussian lines of the given areas, shape of `ANGLES` [1/deg]."""
    theta = np.radians(0.5 * angles)
    width = np.hypot(np.degrees(0.9 * COPPER / (size * np.cos(theta))), INSTRUMENT_WIDTH)
    sigma = width / _FWHM
    reduced = (ANGLES[:, None] - angles[None, :]) / sigma[None, :]
    bells = np.exp(-0.5 * reduced**2) / (sigma * np.sqrt(2.0 * np.pi))
    return np.asarray(bells @ np.asarray(areas))


def well_noise(lab_seed: int, key: AttemptKey, c: Mapping[str, float]) -> WellNoise:
    """Return the generators of one well and its offsets: gain, peak, width."""
    reader = instrument_generator(lab_seed, key, "plate_reader")
    gain, shift, width = reader.standard_normal(3)
    return WellNoise(
        instrument_generator(lab_seed, key, "pipetting_robot"),
        reader,
        instrument_generator(lab_seed, key, "characterisation"),
        float(np.exp(c["well_gain"] * gain)),
        float(c["well_peak"] * shift),
        float(np.exp(c["well_width"] * width)),
    )


def simulated_plate_rig(
    plant: LarpPlant,
    wells: Sequence[int],
    keys: Sequence[AttemptKey],
    lab_seed: int,
    c: Mapping[str, float],
    materials: Mapping[str, float],
) -> PlateRig:
    """Build the instruments of one plate."""
    clock = VirtualClock(plant.advance, plant.clock)
    noise = {w: well_noise(lab_seed, k, c) for w, k in zip(wells, keys, strict=True)}
    return PlateRig(
        SimulatedRobot(plant, clock, noise, c["dispense_time"], c["dropout_chloroform"]),
        SimulatedReader(plant, noise, c),
        SimulatedBench(plant, noise, materials, c["grain_spread"]),
        clock,
    )
