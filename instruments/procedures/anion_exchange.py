"""How an exchange experiment is run: one batch, one observation (seed 003, Experimental section).

Single particles: spin-coat, flush with hexane, inject TMSI, film. Ensemble: scan the diluted
batch, add TMSI, shake, scan again and again. Titration: add, shake, scan, aliquot by aliquot.
Every batch is imaged by electron microscopy first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from instruments.station import Spectrum

Observation = Literal["single_particle", "ensemble", "titration"]
TEM_CRYSTALS = 250
MOUNTED = 300
"""Crystals in the field of view; the paper fits more than 250 for each condition."""
ENSEMBLE_TMSI = 10000.0
"""Strength of the TMSI solution added at once [umol/L]: 0.01 mol/L."""
TITRATION_TMSI = 1000.0
"""Strength of the solution added in aliquots [umol/L]: 0.001 mol/L."""
ALIQUOT = 20.0
"""Volume of one aliquot [uL]."""


@dataclass(frozen=True)
class Movie:
    """Trajectories from the camera.

    Attributes:
        position: Shape (n,), place along the flow [um], rising.
        counts: Shape (frames, n), float32, mean photoelectrons per exposure.
        interval: Time from one stored frame to the next [s].
        settings: JSON-able.
    """

    position: NDArray[np.float64]
    counts: NDArray[np.float32]
    interval: float
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scans:
    """Emission scans of a fluorimeter.

    Attributes:
        axis: Shape (m,) [nm].
        counts: Shape (scans, m), float32.
        settings: JSON-able, with `interval` [s] from one scan to the next.
    """

    axis: NDArray[np.float64]
    counts: NDArray[np.float32]
    settings: Mapping[str, Any] = field(default_factory=dict)


class BatchMaker(Protocol):
    """Where the batch comes from."""

    def prepare(self, recipe: Mapping[str, Any]) -> None:
        """Make the batch, or take it from the shelf."""
        ...


class ElectronMicroscope(Protocol):
    """Measures edges of single crystals."""

    def edges(self, count: int) -> NDArray[np.float64]:
        """Return the edges of `count` crystals, shape (count,) [nm]."""
        ...


class FluorescenceMicroscope(Protocol):
    """Flow cell, syringe pump and camera."""

    def mount(self, count: int) -> None:
        """Mount a coverslip and flush the cell with hexane."""
        ...

    def record(self, concentration: float, duration: float) -> Movie:
        """Inject TMSI [umol/L] at time 0 and film for `duration` [s]."""
        ...

    @property
    def front_time(self) -> float:
        """Time from injection to the arrival of TMSI in the field of view, as calibrated [s]."""
        ...


class CuvetteBench(Protocol):
    """Cuvette, pipette and fluorimeter."""

    def fill(self) -> None:
        """Dilute the batch into a clean cuvette."""
        ...

    def add(self, volume: float, concentration: float) -> None:
        """Add TMSI, [uL] of [umol/L], and shake."""
        ...

    def scan(self, count: int) -> Scans:
        """Scan `count` times, one after the other."""
        ...


@dataclass(frozen=True)
class ExchangeBench:
    """The instruments of the station."""

    maker: BatchMaker
    electrons: ElectronMicroscope
    microscope: FluorescenceMicroscope
    cuvette: CuvetteBench


def run_exchange(
    bench: ExchangeBench,
    recipe: Mapping[str, Any],
    progress: Callable[[str], None] | None = None,
) -> tuple[Spectrum, ...]:
    """Observe one complete recipe, whose batch has been prepared; return the raw data."""
    say = progress or (lambda _: None)
    say("imaging the batch")
    found = [_histogram(bench.electrons.edges(TEM_CRYSTALS))]
    observation = str(recipe["observation"])
    say(f"observing the exchange: {observation}")
    if observation == "single_particle":
        found.append(_film(bench.microscope, recipe))
    elif observation == "ensemble":
        found += _ensemble(bench.cuvette, recipe)
    else:
        found += _titration(bench.cuvette, recipe)
    return tuple(found)


def _histogram(edges: NDArray[np.float64]) -> Spectrum:
    number = np.arange(1.0, len(edges) + 1.0)
    return Spectrum("tem_edges", number, edges, "", "nm", {"crystals": len(edges)})


def _film(microscope: FluorescenceMicroscope, recipe: Mapping[str, Any]) -> Spectrum:
    microscope.mount(MOUNTED)
    movie = microscope.record(float(recipe["tmsi_concentration"]), float(recipe["duration"]))
    settings = {
        **movie.settings,
        "frame_start": 0.5 * movie.interval,
        "frame_interval": movie.interval,
        "front_time": microscope.front_time,
    }
    return Spectrum("trajectories", movie.position, movie.counts, "um", "counts", settings)


def _ensemble(cuvette: CuvetteBench, recipe: Mapping[str, Any]) -> list[Spectrum]:
    cuvette.fill()
    before = cuvette.scan(1)
    cuvette.add(float(recipe["tmsi_volume"]), ENSEMBLE_TMSI)
    interval = float(before.settings["interval"])
    after = cuvette.scan(max(1, int(float(recipe["duration"]) // interval)))
    return [_first(before), _scans("scans", after)]


def _titration(cuvette: CuvetteBench, recipe: Mapping[str, Any]) -> list[Spectrum]:
    cuvette.fill()
    before = cuvette.scan(1)
    read = []
    for _ in range(int(recipe["aliquots"])):
        cuvette.add(ALIQUOT, TITRATION_TMSI)
        read.append(cuvette.scan(1))
    counts = np.concatenate([r.counts for r in read])
    settings = {**read[0].settings, "aliquot": ALIQUOT, "aliquot_strength": TITRATION_TMSI}
    shaken = float(settings["shaking_time"]) + float(settings["interval"])
    joined = Scans(before.axis, counts, {**settings, "interval": shaken})
    return [_first(before), _scans("scans", joined)]


def _scans(name: str, scans: Scans) -> Spectrum:
    interval = float(scans.settings["interval"])
    settings = {**scans.settings, "frame_start": 0.0, "frame_interval": interval}
    return Spectrum(name, scans.axis, scans.counts, "nm", "counts", settings)


def _first(scans: Scans) -> Spectrum:
    return Spectrum("initial", scans.axis, scans.counts[0], "nm", "counts", dict(scans.settings))
