"""The plate procedure: lay out wells at random, fill them, read them for half a day.

It drives a pipetting robot, a plate reader and a characterisation bench through the protocols
below and waits on their clock only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from instruments.capabilities import Clock, Identifiable
from instruments.station import Spectrum

Array = NDArray[np.float64]
OVERFLOW_TEXT = "OVRFLW"
OVERFLOW_MARK = -1.0
"""Number that stands in a spectrum where the reader wrote `OVRFLW`."""
WELLS = 96
LEAD_STOCK = 100.0
"""PbBr2 in its stock in DMF [mmol/L] (assumed, because then no recipe asks for less diluent than
the pipette delivers, and DMF dissolves far more)."""


@dataclass(frozen=True, slots=True)
class WellPlan:
    """Volumes [uL] and solutions of one well.

    Attributes:
        pair: Acid and amine.
        antisolvent: Solvent of the caesium solution.
        acid: Into the precursor's vial.
        amine: Into the vial.
        lead_stock: PbBr2 stock solution into the vial, of `LEAD_STOCK`.
        diluent: Its solvent into the vial besides.
        antisolvent_volume: Caesium solution into the well.
        injected: Precursor from the vial into the well.
        full: Whether microscope, diffractometer and photon counter look at it as well.
        duration: How long its emission is followed [s].
    """

    pair: str
    antisolvent: str
    acid: float
    amine: float
    lead_stock: float
    diluent: float
    antisolvent_volume: float
    injected: float
    full: bool
    duration: float = 43200.0

    @property
    def lead_solution(self) -> float:
        """PbBr2 solution in the vial [uL]."""
        return self.lead_stock + self.diluent

    @property
    def lead(self) -> float:
        """Its concentration [mmol/L]."""
        return LEAD_STOCK * self.lead_stock / self.lead_solution

    @property
    def vial(self) -> float:
        """Everything in the vial [uL]."""
        return self.acid + self.amine + self.lead_solution


@dataclass(frozen=True, slots=True)
class Optics:
    """How the reader looks at a well; a reader that is driven is told so by its station.

    Attributes:
        excitation: [nm].
        first: Shortest emission wavelength [nm].
        last: Longest [nm].
        step: Between wavelengths [nm].
        height: Of the read head above the plate carrier [mm].
        bandpass: Full width at half maximum of the emission monochromator [nm].
        overflow: Counts above which it writes `OVRFLW`.
    """

    excitation: int = 365
    first: int = 400
    last: int = 650
    step: int = 2
    height: float = 7.0
    bandpass: float = 10.0
    overflow: float = 1e5

    @property
    def wavelengths(self) -> Array:
        """Emission wavelengths [nm]."""
        return np.arange(self.first, self.last + 1, self.step, dtype=float)

    @property
    def settings(self) -> dict[str, Any]:
        """What a spectrum says of them, JSON-able."""
        return {
            "excitation": float(self.excitation),
            "bandpass": self.bandpass,
            "overflow": self.overflow,
            "position": f"{self.height:g} mm, sweep",
        }


class Robot(Identifiable, Protocol):
    """A pipetting robot."""

    def new_plate(self, plans: Sequence[WellPlan]) -> None:
        """Take a fresh plate for wells of these plans; refuses what it cannot finish."""
        ...

    def fill(self, well: int, plan: WellPlan) -> None:
        """Mix the precursor in a vial, fill the well and inject."""
        ...


class Reader(Identifiable, Protocol):
    """A plate reader."""

    @property
    def wavelengths(self) -> Array:
        """Emission wavelengths, shape (n,) [nm]."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """Excitation, bandpass, overflow level; JSON-able."""
        ...

    def read(self, wells: Sequence[int]) -> Sequence[Sequence[str]]:
        """An emission spectrum of each well, as the reader's table has it.

        Returns:
            Cells by well and wavelength: whole numbers, or `OVRFLW`.
        """
        ...


class Bench(Identifiable, Protocol):
    """Transmission electron microscope, diffractometer and photon counter."""

    def particles(self, well: int) -> Spectrum:
        """Histogram of particle lengths."""
        ...

    def diffraction(self, well: int) -> Spectrum:
        """Powder pattern of the dried well."""
        ...

    def decay(self, well: int) -> Spectrum:
        """Histogram of photon arrival times."""
        ...


@dataclass(frozen=True, slots=True)
class PlateRig:
    """What the procedure drives."""

    robot: Robot
    reader: Reader
    bench: Bench
    clock: Clock

    def instruments(self) -> dict[str, Identifiable]:
        """Every instrument by name, in a fixed order."""
        return {
            "pipetting_robot": self.robot,
            "plate_reader": self.reader,
            "characterisation": self.bench,
        }


@dataclass(frozen=True, slots=True)
class PlateSettings:
    """Time from the last well to the first read [s], and between reads [s]."""

    transfer: float = 300.0
    interval: float = 600.0

    def reads(self, plan: WellPlan) -> int:
        """Number of reads of a well."""
        return int(plan.duration / self.interval + 1e-9) + 1


@dataclass(frozen=True)
class WellRecord:
    """One well's spectra, and how old it was when first read [s]."""

    well: int
    spectra: tuple[Spectrum, ...]
    age: float


def layout(count: int, seed: int) -> tuple[int, ...]:
    """Wells of `count` recipes, at random so that composition and row are not confounded."""
    order = np.random.default_rng(np.random.SeedSequence([seed, count])).permutation(WELLS)
    return tuple(int(w) for w in order[:count])


def well_name(well: int) -> str:
    """Name of a well, A1 to H12."""
    return f"{'ABCDEFGH'[well // 12]}{well % 12 + 1}"


def run_plate(
    rig: PlateRig,
    plans: Sequence[WellPlan],
    wells: Sequence[int],
    settings: PlateSettings,
    progress: Callable[[str], None] | None = None,
) -> tuple[WellRecord, ...]:
    """Fill `wells` with `plans` in their order, read them, and return one record each."""
    say = progress or (lambda _: None)
    say(f"filling {len(plans)} wells")
    rig.robot.new_plate(plans)
    filled = []
    for well, plan in zip(wells, plans, strict=True):
        rig.robot.fill(well, plan)
        filled.append(rig.clock.now())
    rig.clock.wait(settings.transfer)
    fresh = [rig.bench.decay(w) if q.full else None for w, q in zip(wells, plans, strict=True)]
    started = rig.clock.now()
    counts = [settings.reads(plan) for plan in plans]
    say(f"reading the plate {max(counts)} times")
    cells = _read(rig, wells, settings, counts)
    records = []
    for i, well in enumerate(wells):
        late = fresh[i]
        extra = () if late is None else (late, *_solids(rig.bench, well))
        age = started - filled[i]
        records.append(
            WellRecord(well, (_spectrum(rig.reader, cells[i], age, settings), *extra), age)
        )
    return tuple(records)


def _solids(bench: Bench, well: int) -> tuple[Spectrum, Spectrum]:
    return bench.diffraction(well), bench.particles(well)


def _read(
    rig: PlateRig, wells: Sequence[int], settings: PlateSettings, counts: Sequence[int]
) -> list[NDArray[np.float32]]:
    """Counts per well, each of shape (its number of reads, n)."""
    frames: list[list[list[float]]] = [[] for _ in wells]
    for k in range(max(counts)):
        if k:
            rig.clock.wait(settings.interval)
        due = [i for i in range(len(wells)) if k < counts[i]]
        cells = rig.reader.read([wells[i] for i in due])
        for i, row in zip(due, cells, strict=True):
            frames[i].append(parse(row))
    return [np.array(f, np.float32) for f in frames]


def parse(row: Sequence[str]) -> list[float]:
    """Numbers of one row of the reader's table; `OVERFLOW_MARK` for its overflow text."""
    return [OVERFLOW_MARK if cell == OVERFLOW_TEXT else float(cell) for cell in row]


def _spectrum(
    reader: Reader, counts: NDArray[np.float32], age: float, settings: PlateSettings
) -> Spectrum:
    described = {
        **reader.settings,
        "frame_start": age,
        "frame_interval": settings.interval,
        "overflow_mark": OVERFLOW_MARK,
    }
    return Spectrum("pl", reader.wavelengths, counts, "nm", "counts", described)
