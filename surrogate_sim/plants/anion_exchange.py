"""The bench of an exchange experiment as a plant: batch, flow cell under a microscope, cuvette.

What carries from trial to trial is the clock alone: a hidden lab's TMSI ages on it, and is
replaced by the next lot after a month, as the paper did.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate_sim import exchange_cuvette, exchange_light
from surrogate_sim import exchange_kinetics as kinetics
from surrogate_sim.nanocrystal_batch import Batch, given, synthesised
from surrogate_sim.parameters import TwinParameters

Array = NDArray[np.float64]
_CLASSES = 15
_DAY = 86400.0


@dataclass(frozen=True)
class Field:
    """What the microscope would see without noise.

    Attributes:
        light: Shape (n, t), photoelectrons per second from each nanocrystal, blinking included.
        background: Photoelectrons per second in a particle's pixels.
    """

    light: Array
    background: float


class ExchangePlant:
    """The state of the bench during one attempt.

    Args:
        parameters: The lab's constants.
        generator: Chance of nature in this attempt: which crystals, their events, their blinking.
        state: What `state` returned after the last attempt; None is a new laboratory.

    Raises:
        ValueError: a state that is not one of this plant.
    """

    def __init__(
        self,
        parameters: TwinParameters,
        generator: np.random.Generator,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        self._parameters = parameters
        self._own, self._materials = parameters.own, parameters.materials
        self._generator = generator
        self._clock = _clock(state)
        self._batch: Batch | None = None
        self._concentration = 0.0
        self._edges = np.zeros(0)
        self._final: dict[str, float] = {}
        self._cuvette: exchange_cuvette.Cuvette | None = None

    @property
    def clock(self) -> float:
        """Seconds since the laboratory's start."""
        return self._clock

    def state(self) -> dict[str, Any]:
        """What carries to the next attempt, JSON-able."""
        return {"clock": self._clock}

    def advance(self, seconds: float) -> None:
        """Let time pass on the bench; the cuvette, if it holds anything, goes on reacting."""
        if self._cuvette is not None and seconds > 0.0:
            times = np.array([0.0, seconds])
            self._cuvette = exchange_cuvette.advance(self._cuvette, times, self._own).final
        self._clock += seconds

    @property
    def batch(self) -> Batch:
        """The batch at hand.

        Raises:
            ValueError: none yet.
        """
        if self._batch is None:
            raise ValueError("a batch must be made or taken before it is used; none is there")
        return self._batch

    def take_batch(self, edge: float, dispersion: float) -> None:
        """Take a batch of the given mean edge [nm] and relative dispersion from the shelf."""
        self._batch = given(edge, dispersion, self._own)

    def synthesise(
        self, zinc_bromide: float, celsius: float, seconds: float, washing: str
    ) -> None:
        """Make a batch (see `nanocrystal_batch.synthesised`)."""
        self._batch = synthesised(zinc_bromide, celsius, seconds, washing, self._own)

    def tmsi_strength(self) -> float:
        """Active share of the TMSI, relative to its label: 1 in the nominal laboratory."""
        p = self._parameters
        if p.seed is None:
            return 1.0
        life = p.own["tmsi_half_life"]
        lot, age = divmod(self._clock, life)
        deviation = p.own["tmsi_lot_sd"] * p.keyed_normal("tmsi_lot", str(int(lot)))
        return float(math.exp(deviation) * 0.5 ** (age / life))

    def lamp(self) -> float:
        """Excitation left after a hidden lab's drift, 1 in the nominal laboratory."""
        if self._parameters.seed is None:
            return 1.0
        return math.exp(-self._own["lamp_drift"] * self._clock / _DAY)

    def mount(self, count: int) -> None:
        """Spin-coat single nanocrystals and mount them in the flow cell."""
        self._edges = self.batch.sample(count, self._generator)

    def inject(self, concentration: float) -> None:
        """Start the flow of TMSI [umol/L] towards the flow cell."""
        self._concentration = concentration * self.tmsi_strength()

    def watch(self, times: Array) -> Field:
        """Follow the mounted crystals; `times` are the middles of the frames, shape (t,) [s]."""
        own, c = self._own, self._concentration
        dead = own["dead_volume"] / own["injection_rate"]
        worth = kinetics.operational_time(times, dead, own["front_ramp"], c, own)
        events = kinetics.event_times(self._edges, c, own, self._generator)
        shell = kinetics.shell_composition(worth, events)
        pace = kinetics.rates(self._edges, c, own)
        core = kinetics.core_composition(times, shell, pace.core_time)
        iodide = (1.0 - pace.core[:, None]) * shell + pace.core[:, None] * core
        bright = exchange_light.brightness_over(self._edges, iodide, own, self._materials)
        step = times[1] - times[0] if len(times) > 1 else 1.0
        fading = own["photodegradation"] * float(kinetics.coverage(c, own)) ** 2
        bright *= np.exp(-fading * step * np.cumsum(iodide, axis=1))
        bright *= self._emitting(times, step)
        self._clock += float(times[-1]) + 0.5 * step
        self._final = {
            "mean_iodide_fraction": float(iodide[:, -1].mean()),
            "mean_edge_nm": float(self._edges.mean()),
            "edge_dispersion": float(self._edges.std() / self._edges.mean()),
        }
        scale = self.lamp()
        return Field(own["camera_rate"] * scale * bright, own["camera_background"] * scale)

    def _emitting(self, times: Array, step: float) -> Array:
        """Share of each frame in which each crystal is on, shape (n, t): a two-state telegraph."""
        on, off = self._own["blink_on_time"], self._own["blink_off_time"]
        borders = np.append(times - 0.5 * step, times[-1] + 0.5 * step)
        span = float(borders[-1] - borders[0])
        pairs = int(span / (on + off) + 6.0 * math.sqrt(span / (on + off) + 1.0)) + 6
        n = len(self._edges)
        lit = on * self._generator.standard_exponential((n, pairs))
        dark = off * self._generator.standard_exponential((n, pairs))
        ends = np.zeros((n, 2 * pairs + 1))
        ends[:, 1::2], ends[:, 2::2] = lit, dark
        np.cumsum(ends, axis=1, out=ends)
        total = np.zeros_like(ends)
        total[:, 1::2] = lit
        np.cumsum(total, axis=1, out=total)
        phase = self._generator.random(n) * (on + off)
        return np.stack(
            [
                np.diff(np.interp(borders + p, e, s)) / step
                for p, e, s in zip(phase, ends, total, strict=True)
            ]
        )

    def fill_cuvette(self) -> None:
        """Dilute the batch with hexane as for emission spectra."""
        own = self._own
        edge, share = self.batch.classes(_CLASSES)
        stock = self.batch.formula_units * 1e3 / own["batch_volume"]  # umol/L
        units = share * stock / own["dilution"] * own["cuvette_volume"]
        self._cuvette = exchange_cuvette.Cuvette.filled(edge, units, own["cuvette_volume"])

    def add_tmsi(self, volume: float, concentration: float) -> None:
        """Add TMSI to the cuvette: `volume` [uL] at `concentration` [umol/L]."""
        strength = concentration * self.tmsi_strength()
        self._cuvette = self._filled().with_iodide(volume * 1e-3, strength)

    def shake(self) -> None:
        """Shake the cuvette."""
        self.advance(self._own["shaking_time"])

    def emission(self, times: Array, wavelength: Array, excitation: float) -> Array:
        """Emission while the cuvette is scanned, shape (m,) [photons/(s nm)].

        Args:
            times: Shape (m,), when each wavelength is read, from now on, rising [s].
            wavelength: Shape (m,) [nm].
            excitation: Wavelength of the excitation [nm].
        """
        start = np.concatenate([[0.0], times]) if times[0] > 0.0 else times
        course = exchange_cuvette.advance(self._filled(), start, self._own)
        own, skip = self._own, len(start) - len(times)
        light = exchange_light.spectrum(
            wavelength,
            excitation,
            course.edge[skip:],
            course.iodide[skip:],
            course.amount[skip:],
            own,
            self._materials,
        )
        self._cuvette = course.final
        self._clock += float(times[-1])
        return np.asarray(own["fluorimeter_rate"] * self.lamp() * light)

    def _filled(self) -> exchange_cuvette.Cuvette:
        if self._cuvette is None:
            raise ValueError("a cuvette must be filled before it is used; fill it")
        return self._cuvette

    def truth(self) -> dict[str, float]:
        """Hidden state as plain numbers by name."""
        found = {
            "batch_mean_edge_nm": self.batch.mean,
            "batch_dispersion": self.batch.dispersion,
            "batch_formula_units_umol": self.batch.formula_units,
            "tmsi_strength": self.tmsi_strength(),
            "lamp": self.lamp(),
            **self._final,
        }
        if self._cuvette is not None:
            held = self._cuvette.composition(self._own)
            units = self._cuvette.units()
            found["cuvette_iodide_fraction"] = float(held @ units / units.sum())
            found["cuvette_mean_edge_nm"] = float(self._cuvette.edge @ units / units.sum())
            for element, (crystal, solution) in self._cuvette.balance(self._own).items():
                found[f"{element}_in_crystals_nmol"] = crystal
                found[f"{element}_in_solution_nmol"] = solution
        return found


def _clock(state: Mapping[str, Any] | None) -> float:
    value = 0.0 if not state else state.get("clock")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0.0:
        raise ValueError(
            f"a station state must hold a clock of at least 0 s, but got {value!r}; "
            "restore the state that a measurement ended with"
        )
    return float(value)
