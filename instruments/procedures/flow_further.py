"""Readings of a flow line beyond the one at its probe: a decay, along the tube, parallel lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from instruments.capabilities import Exposure, FlowExtras, FlowRig
from instruments.procedures.exposure import spectrum
from instruments.station import Spectrum


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for besides.

    Attributes:
        scan: Positions along the tube, rising evenly [mm]; fewer than two for none.
        position: Where the probe stands otherwise [mm].
        lines: Parallel lines to look at; 1 is the line alone.
        photons: Photons to count for a decay; 0 for none.
    """

    scan: tuple[float, ...]
    position: float
    lines: int
    photons: int


class FurtherReadings:
    """Takes them on a line in steady state.

    Args:
        rig: The instruments.
        extras: Those that only a long line has.
        say: Told in words what is being done.
    """

    def __init__(self, rig: FlowRig, extras: FlowExtras, say: Callable[[str], None]) -> None:
        self._rig, self._extras, self._say = rig, extras, say

    def take(
        self,
        plan: Wanted,
        pl: Spectrum,
        lamp: tuple[float, Exposure, Exposure],
        velocity: float,
    ) -> tuple[Spectrum, ...]:
        """Measure what the plan asks for besides: a decay, the tube, the parallel lines."""
        found: list[Spectrum] = []
        if plan.photons:
            self._say("counting photons")
            found.append(self._extras.counter.acquire("decay", plan.photons))
        seconds = float(pl.settings["integration_time"])
        if len(plan.scan) > 1:
            found += self._along(plan, seconds, lamp, velocity)
            if plan.photons:
                found.append(self._decays_along(plan, velocity))
            self._rig.probe.move_to(plan.position)
        if plan.lines > 1:
            self._say("looking at the parallel lines")
            rows = []
            for channel in range(plan.lines):
                self._extras.selector.select(channel)
                rows.append(self._rig.spectrometer.expose(seconds, "excitation").counts)
            self._extras.selector.select(None)
            found.append(_frames("pl_lines", pl, np.array(rows), 0.0, 1.0))
        return tuple(found)

    def _along(
        self,
        plan: Wanted,
        seconds: float,
        lamp: tuple[float, Exposure, Exposure],
        velocity: float,
    ) -> list[Spectrum]:
        """Emission and absorbance at each position of the scan, as frames over residence time."""
        self._say("scanning the tube")
        device = self._rig.spectrometer
        lit, through = [], []
        for position in plan.scan:
            self._rig.probe.move_to(position)
            lit.append(device.expose(seconds, "excitation"))
            through.append(device.expose(lamp[0], "lamp", averages=4))
        start, step = _frame_times(plan.scan, velocity)
        dark = lamp[1].counts
        clear = np.clip(lamp[2].counts - dark, 0.5, None)
        absorbed = np.log10(
            clear / np.clip(np.array([e.counts for e in through]) - dark, 0.5, None)
        )
        pl = spectrum("pl_along", device, lit[-1])
        taken = spectrum("absorbance_along", device, through[-1])
        taken = replace(taken, unit="AU")
        return [
            _frames("pl_along", pl, np.array([e.counts for e in lit]), start, step),
            _frames("absorbance_along", taken, absorbed, start, step),
        ]

    def _decays_along(self, plan: Wanted, velocity: float) -> Spectrum:
        decays = []
        for position in plan.scan:
            self._rig.probe.move_to(position)
            decays.append(self._extras.counter.acquire("decay_along", plan.photons))
        start, step = _frame_times(plan.scan, velocity)
        values = np.array([d.values for d in decays])
        return _frames("decay_along", decays[-1], values, start, step)


def _frame_times(positions: tuple[float, ...], velocity: float) -> tuple[float, float]:
    """Residence time at the first position and between two [s]."""
    return positions[0] / velocity, (positions[1] - positions[0]) / velocity


def _frames(
    name: str, like: Spectrum, values: NDArray[np.float64], start: float, step: float
) -> Spectrum:
    """Frames, shape (k, n), on the axis and with the settings of one reading."""
    settings = {**like.settings, "frame_start": start, "frame_interval": step}
    return replace(like, name=name, values=values.astype(np.float32), settings=settings)
