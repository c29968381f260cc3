"""The bench of a micropipette: one pipette at a time, and what it leaves for the next.

Instruments act on it (load, pressure, light, time) and read from it (light, decays, sizes,
composition). A hidden lab has pipettes whose orifice differs from the asked one, batches of
precursor solution, and a laser that fades; the nominal lab has none of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate_sim import micropipette as physics
from surrogate_sim.interface_growth import Growth
from surrogate_sim.materials import lattice
from surrogate_sim.parameters import TwinParameters

Array = NDArray[np.float64]
PIPETTES_PER_BATCH = 20
"""Pipettes that 4 mL of solution fill before it is made anew (assumed)."""
_GRID = 240  # times at which spectra are computed; between them they are interpolated


@dataclass(frozen=True)
class Pipette:
    """A loaded pipette: true orifice [nm] and concentrations [mmol/L], focus of its tip."""

    tip: float
    lead: float
    caesium: float
    focus: float


class MicropipettePlant:
    """State of the bench.

    Args:
        parameters: The lab.
        state: What `state()` gave; None for a new bench.

    Raises:
        ValueError: a state with unknown or missing entries.
    """

    def __init__(self, parameters: TwinParameters, state: Mapping[str, Any] | None = None) -> None:
        self.parameters = parameters
        known = {"clock": 0.0, "pipettes": 0}
        given = dict(state or known)
        if set(given) != set(known):
            raise ValueError(
                f"a bench's state holds {', '.join(known)}, but got {', '.join(sorted(given))}; "
                "restore a state that this station recorded"
            )
        self.clock, self.pipettes = float(given["clock"]), int(given["pipettes"])
        self._pipette: Pipette | None = None
        self._pressure = 0.0
        self._set_light = 0.0
        self._immersed = False
        self._setting: physics.Setting | None = None
        self._grown = 0.0

    def state(self) -> dict[str, Any]:
        """What carries over to the next growth, JSON-able."""
        return {"clock": self.clock, "pipettes": self.pipettes}

    def load(self, tip: float, lead: float, caesium: float) -> None:
        """Take a fresh pipette; its contents and orifice are the lab's own."""
        c, draw = self.parameters.own, self.parameters.keyed_normal
        name = str(self.pipettes)
        batch = str(self.pipettes // PIPETTES_PER_BATCH)
        self._pipette = Pipette(
            tip * float(np.exp(c["tip_scatter"] * draw("tip", name))),
            lead * float(np.exp(c["batch_scatter"] * draw("lead batch", batch))),
            caesium * float(np.exp(c["batch_scatter"] * draw("caesium batch", batch))),
            float(np.exp(c["focus_scatter"] * draw("focus", name))),
        )
        self.pipettes += 1
        self._immersed, self._setting, self._grown = False, None, 0.0

    def pipette(self) -> Pipette:
        """Return the loaded pipette.

        Raises:
            ValueError: none is loaded.
        """
        if self._pipette is None:
            raise ValueError("a pipette must be loaded first, but the holder is empty; load one")
        return self._pipette

    def set_pressure(self, pressure: float) -> None:
        """Set the pressure inside [kPa]."""
        self._pressure = pressure

    def pressure(self) -> float:
        """Pressure inside [kPa]."""
        return self._pressure

    def immerse(self) -> None:
        """Bring the tip into bromobenzene."""
        self.pipette()
        self._immersed = True

    def retract(self) -> None:
        """Take the tip out; growth ends."""
        self._immersed = False

    def set_irradiance(self, asked: float) -> None:
        """Set the laser [W/cm2]; what arrives has faded with the bench's hours."""
        self._set_light = asked

    def irradiance(self) -> float:
        """What arrives at the tip [W/cm2]."""
        if self.parameters.seed is None:
            return self._set_light
        fade = self.parameters.own["laser_fade"] * self.clock / 86400.0
        return self._set_light * float(np.exp(-fade))

    def advance(self, seconds: float) -> None:
        """Let time pass; dots grow while the tip is immersed and lit."""
        if self.growing():
            if self._setting is None:
                self._setting = self._now()
            self._grown += seconds
        self.clock += seconds

    def growing(self) -> bool:
        """Whether dots grow now."""
        return self._immersed and self._set_light > 0.0

    def _now(self) -> physics.Setting:
        loaded = self.pipette()
        return physics.Setting(
            loaded.tip, loaded.lead, loaded.caesium, self.irradiance(), self._pressure
        )

    def growth(self, times: Array) -> Growth:
        """Return the dots at `times` of lit growth [s], shape (t,)."""
        setting = self._setting or self._now()
        if self._setting is None and not self.growing():
            none = np.zeros((len(times), physics.CLASSES))
            return Growth(times, none, none[0], np.zeros(len(times)))
        return physics.follow(setting, self.parameters, times)

    def light(self, axis: Array, frames: int, interval: float, exposure: float) -> Array:
        """Detected photons per second and nm in each of the coming frames, (frames, n).

        Computed at up to 240 times, closer at the start, and interpolated between them. Light
        falls as dots bleach, in proportion to the irradiance.
        """
        middle = np.asarray(
            self._grown + 0.5 * exposure + interval * np.arange(frames), dtype=np.float64
        )
        if not self.growing():
            return np.zeros((frames, len(axis)))
        times = _thinned(middle)
        grown = self.growth(times)
        shapes = np.array(
            [physics.emission(v, grown.number, axis, self.parameters) for v in grown.volume]
        )
        c = self.parameters.own
        light = self.irradiance()
        bright = c["photon_rate"] * self.pipette().focus * light / c["reference_irradiance"]
        bleached = np.exp(-c["bleaching"] * light * middle)
        if len(times) == frames:
            return np.asarray(shapes * (bright * bleached)[:, None])
        right = np.clip(np.searchsorted(times, middle), 1, len(times) - 1)
        share = (middle - times[right - 1]) / (times[right] - times[right - 1])
        rows = shapes[right - 1] * (1.0 - share)[:, None] + shapes[right] * share[:, None]
        return np.asarray(rows * (bright * bleached)[:, None])

    def dots(self) -> tuple[Array, Array]:
        """Volumes [nm3] and numbers of the dots as they are now, shape (classes,) each."""
        grown = self.growth(np.array([self._grown]))
        return grown.volume[-1], grown.number

    def decay(self, time: Array) -> Array:
        """Emission of the dots after a pulse at `time` [ns]; zeros without dots."""
        volume, number = self.dots()
        if not np.any(volume > 0.0):
            return np.zeros_like(time)
        return physics.decays(volume, number, time, self.parameters)

    def composition(self) -> tuple[float, float]:
        """Caesium and lead in the dots [formula units]."""
        volume, number = self.dots()
        return physics.composition(volume, number, self.parameters)

    def truth(self) -> dict[str, float]:
        """Hidden numbers of the growth as it stands."""
        volume, number = self.dots()
        alive = volume > 0.0
        edge = np.cbrt(volume[alive])
        loaded = self.pipette()
        found = {
            "tip_diameter_nm": loaded.tip,
            "lead_mM": loaded.lead,
            "caesium_mM": loaded.caesium,
            "dots": float(number[alive].sum()),
            "unit_volume_nm3": float(lattice(constants=self.parameters.materials)) ** 3,
        }
        if edge.size:
            found["mean_edge_nm"] = float(edge.mean())
            found["edge_dispersion"] = float(edge.std() / edge.mean())
        return found


def _thinned(middle: Array) -> Array:
    """Up to `_GRID` times that cover `middle`, the first tenth of them at its first frames."""
    if len(middle) <= _GRID:
        return middle
    index = np.unique(np.round(np.geomspace(1, len(middle), _GRID)).astype(int) - 1)
    even = np.linspace(0, len(middle) - 1, _GRID // 2).astype(int)
    return np.asarray(middle[np.unique(np.concatenate([index, even]))])
