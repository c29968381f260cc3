"""The batch procedure: warm, charge, inject, record while the reaction runs, drain.

It drives a vessel, two X-ray detectors and a spectrometer through small protocols and waits on
their clock, so a beamline and a simulated one run the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from instruments.errors import StationStoppedError
from instruments.station import Spectrum

Array = NDArray[np.float64]
Progress = Callable[[str], None]


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> float:
        """Seconds since the laboratory's start."""
        ...

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        ...


class Vessel(Protocol):
    """A stirred, heated vessel with a fast injector."""

    def identify(self) -> Mapping[str, Any]:
        """Name, model, serial number, whether simulated."""
        ...

    def set_temperature(self, setpoint: float) -> None:
        """Set the heater [degC]."""
        ...

    def read_temperature(self) -> float:
        """Measured temperature [degC]."""
        ...

    def charge(self, ligand: str, caesium: float, lead: float, topo: float) -> Mapping[str, float]:
        """Meter the stocks; returns the concentrations by weight after injection [mmol/L]."""
        ...

    def inject(self, watched: float) -> None:
        """Inject the caesium; the reaction is watched for so many seconds."""
        ...

    def drain(self) -> None:
        """Empty and rinse."""
        ...


class FrameDetector(Protocol):
    """Whatever reads frame after frame: a scattering detector, a spectrometer."""

    def identify(self) -> Mapping[str, Any]:
        """Name, model, serial number, whether simulated."""
        ...

    def frames(self, name: str, start: float, interval: float, count: int) -> Spectrum:
        """Read out `count` frames, the first at `start` [s] after injection."""
        ...


@dataclass(frozen=True, slots=True)
class BatchRig:
    """The instruments of one attempt; `spectrometer` is set to `path` [mm] by the station."""

    vessel: Vessel
    small_angle: FrameDetector
    wide_angle: FrameDetector
    spectrometer: FrameDetector
    clock: Clock


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """Setpoints of one recipe: concentrations after injection [mmol/L], [degC], [s]."""

    ligand: str
    caesium: float
    lead: float
    topo: float
    temperature: float
    reaction_time: float


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """How the procedure is carried out.

    Attributes:
        scattering_interval: Time between X-ray frames at first [s] (seed 001: 0.5 s).
        light_interval: Time between absorbance frames at first [s] (seed 001: 150 ms).
        scattering_first: How long frames are taken at that rate [s].
        light_first: The same for absorbance [s].
        late_frames: Most frames of each detector after that.
        wide_frames: Wide-angle frames in all.
        tolerance: [K] within which the vessel counts as warm.
        timeout: [s]
    """

    scattering_interval: float = 0.5
    light_interval: float = 0.15
    scattering_first: float = 40.0
    light_first: float = 24.0
    late_frames: int = 120
    wide_frames: int = 12
    tolerance: float = 0.5
    timeout: float = 3600.0


@dataclass(frozen=True)
class BatchRecord:
    """What the procedure brought back: frames, concentrations by weight, temperature [degC]."""

    spectra: tuple[Spectrum, ...]
    weighed: Mapping[str, float]
    temperature: float
    warming: float


class BatchProcedure:
    """Runs batch plans on a rig.

    Args:
        rig: The instruments.
        settings: How to carry the procedure out.
        progress: Told in words what is being done.
    """

    def __init__(
        self, rig: BatchRig, settings: BatchSettings, progress: Progress | None = None
    ) -> None:
        self._rig, self._settings = rig, settings
        self._say = progress or (lambda _: None)

    def run(self, plan: BatchPlan) -> BatchRecord:
        """Carry a plan out; the vessel is empty afterwards, whatever happens.

        Raises:
            StationStoppedError: the vessel does not reach its temperature.
        """
        vessel, clock = self._rig.vessel, self._rig.clock
        try:
            self._say(f"warming to {plan.temperature:g} degC")
            warming = self._warm(plan.temperature)
            weighed = vessel.charge(plan.ligand, plan.caesium, plan.lead, plan.topo)
            temperature = vessel.read_temperature()
            self._say(f"injecting caesium as {plan.ligand}, watching {plan.reaction_time:g} s")
            vessel.inject(plan.reaction_time)
            clock.wait(plan.reaction_time)
            spectra = self._frames(plan.reaction_time)
        finally:
            vessel.set_temperature(25.0)
            vessel.drain()
        return BatchRecord(spectra, weighed, temperature, warming)

    def _warm(self, target: float) -> float:
        vessel, clock, started = self._rig.vessel, self._rig.clock, self._rig.clock.now()
        vessel.set_temperature(target)
        while clock.now() - started < self._settings.timeout:
            clock.wait(30.0)
            if abs(vessel.read_temperature() - target) <= self._settings.tolerance:
                return clock.now() - started
        raise StationStoppedError(
            f"the vessel must reach {target:g} degC within {self._settings.timeout:g} s, but "
            f"stands at {vessel.read_temperature():.1f} degC; check the heater"
        )

    def _frames(self, until: float) -> tuple[Spectrum, ...]:
        s = self._settings
        scattering = _schedule(s.scattering_interval, s.scattering_first, s.late_frames, until)
        light = _schedule(s.light_interval, s.light_first, s.late_frames, until)
        step = until / s.wide_frames
        made = [
            *(self._rig.small_angle.frames(f"saxs{n}", *w) for n, w in scattering),
            *(self._rig.spectrometer.frames(f"absorbance{n}", *w) for n, w in light),
            self._rig.wide_angle.frames("waxs", step, step, s.wide_frames),
        ]
        return tuple(made)


def _schedule(
    interval: float, first: float, late: int, until: float
) -> list[tuple[str, tuple[float, float, int]]]:
    """Fast frames at first, then at most `late` slower ones, the last one at the end."""
    early = min(first, until)
    count = int(np.floor(early / interval + 1e-9))
    windows = [("", (interval, interval, count))]
    left = until - count * interval
    if left >= interval:
        slower = max(interval, left / late)
        number = int(np.floor(left / slower + 1e-9))
        slower = left / number
        windows.append(("_late", (count * interval + slower, slower, number)))
    return windows
