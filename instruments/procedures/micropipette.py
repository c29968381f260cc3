"""One growth at a micropipette tip: load, immerse, light, watch, retract, examine.

The instruments of a real bench satisfy these protocols as the simulated ones do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from instruments.capabilities import Clock, Identifiable, SafeState
from instruments.station import Spectrum


class PipetteHolder(Identifiable, SafeState, Protocol):
    """Holds one filled pipette, moves it, and sets the pressure inside."""

    def load(self, tip: float, lead: float, caesium: float) -> None:
        """Take a fresh pipette of orifice `tip` [nm] filled with lead and caesium [mmol/L]."""
        ...

    def read_tip(self) -> float:
        """Diameter of the orifice, from its micrograph [nm]."""
        ...

    def set_pressure(self, pressure: float) -> None:
        """Set the pressure inside, relative to outside [kPa]."""
        ...

    def read_pressure(self) -> float:
        """Measured pressure [kPa]."""
        ...

    def immerse(self) -> None:
        """Bring the tip into bromobenzene."""
        ...

    def retract(self) -> None:
        """Take it out: growth ends."""
        ...


class Laser(Identifiable, SafeState, Protocol):
    """The 405 nm laser that splits bromobenzene and excites the dots."""

    def set_irradiance(self, irradiance: float) -> None:
        """Set the irradiance at the tip [W/cm2]; 0 closes the shutter."""
        ...

    def read_irradiance(self) -> float:
        """Irradiance by the power meter [W/cm2]."""
        ...


class FrameSpectrometer(Identifiable, Protocol):
    """A spectrometer that records frames at even intervals."""

    def record(self, name: str, frames: int, interval: float, exposure: float) -> Spectrum:
        """Record `frames` readings; that time passes on the clock."""
        ...


class PhotonCounter(Identifiable, Protocol):
    """Time-correlated single photon counting."""

    def acquire(self, name: str, counts: int) -> Spectrum:
        """Count until about `counts` photons have come."""
        ...


class Microscope(Identifiable, Protocol):
    """A transmission electron microscope."""

    def image(self, name: str, dots: int) -> Spectrum:
        """Measure the sizes of `dots` dots on a grid."""
        ...


class MassSpectrometer(Identifiable, Protocol):
    """Inductively coupled plasma mass spectrometry."""

    def digest(self, name: str, repeats: int) -> Spectrum:
        """Digest the dots and measure Cs and Pb `repeats` times."""
        ...


@dataclass(frozen=True)
class MicropipetteRig:
    """The instruments of the bench."""

    holder: PipetteHolder
    laser: Laser
    spectrometer: FrameSpectrometer
    counter: PhotonCounter
    microscope: Microscope
    mass: MassSpectrometer
    clock: Clock

    def instruments(self) -> tuple[Identifiable, ...]:
        """Every instrument that identifies itself."""
        return (
            self.holder,
            self.laser,
            self.spectrometer,
            self.counter,
            self.microscope,
            self.mass,
        )

    def to_safe_state(self) -> None:
        """Close the laser's shutter, take the pipette out, release the pressure."""
        self.laser.to_safe_state()
        self.holder.to_safe_state()


@dataclass(frozen=True)
class GrowthPlan:
    """What one growth is to be; units as in the station's declaration."""

    tip: float
    lead: float
    caesium: float
    irradiance: float
    pressure: float
    reaction_time: float
    interval: float
    exposure: float

    @property
    def frames(self) -> int:
        """Frames that fit into the reaction time, at least one."""
        return max(int(self.reaction_time / self.interval + 1e-9), 1)


@dataclass(frozen=True)
class GrowthRecord:
    """What came back: raw data and read-backs."""

    spectra: tuple[Spectrum, ...]
    readings: Mapping[str, float]


DARK_FRAMES = 16
PHOTONS = 60_000
DOTS = 200
REPEATS = 5
PREPARATION = 600.0  # s to fill, seal and immerse a pipette (assumed)


def run_growth(
    rig: MicropipetteRig, plan: GrowthPlan, progress: Callable[[str], None] | None = None
) -> GrowthRecord:
    """Carry the plan out; every instrument is left safe."""
    say = progress or (lambda _: None)
    say("loading the pipette")
    rig.laser.set_irradiance(0.0)
    rig.holder.load(plan.tip, plan.lead, plan.caesium)
    rig.holder.set_pressure(plan.pressure)
    rig.clock.wait(PREPARATION)
    rig.holder.immerse()
    readings: dict[str, Any] = {
        "tip_diameter": rig.holder.read_tip(),
        "pressure": rig.holder.read_pressure(),
    }
    dark = rig.spectrometer.record("dark", DARK_FRAMES, plan.exposure, plan.exposure)
    say("growing")
    rig.laser.set_irradiance(plan.irradiance)
    emission = rig.spectrometer.record("pl", plan.frames, plan.interval, plan.exposure)
    rest = plan.reaction_time - plan.frames * plan.interval
    rig.clock.wait(max(rest, 0.0))
    readings["laser_irradiance"] = rig.laser.read_irradiance()
    rig.holder.retract()
    rig.laser.set_irradiance(0.0)
    say("examining the dots")
    found = (
        rig.counter.acquire("decay", PHOTONS),
        rig.microscope.image("tem", DOTS),
        rig.mass.digest("icp", REPEATS),
    )
    rig.to_safe_state()
    return GrowthRecord((dark, emission, *found), readings)
