"""A flow line with state: pumps, carrier, heater and optics act on it; time moves by `advance`.

Flows in [µL/s], positions in [mm], temperatures in [degC]. What the probe sees is what was fed
one probe volume earlier, washed out through dead volume and dispersion, so that a measurement
taken too early sees a mixture with what was in the line before. The plant is deterministic: a
hidden laboratory's batches, biases, drift and fouling are constants drawn once from its seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from surrogate_sim import hydrodynamics, optics
from surrogate_sim.flow import Composition, Conditions, Product, mix, mixing_spread, product
from surrogate_sim.flow_formation import Model
from surrogate_sim.materials import HC
from surrogate_sim.parameters import FlowParameters
from surrogate_sim.plants._flow_faults import ripple, uneven
from surrogate_sim.plants._flow_state import Line, formula_concentration, restored
from surrogate_sim.plants._transport import Segment, StreamHistory
from surrogate_sim.plants._troubles import Troubles

Carrier = hydrodynamics.Carrier
Stage = Literal["synthesis", "exchange"]
Array = NDArray[np.float64]
KELVIN = 273.15
_ENERGY = np.linspace(1.2, 3.6, 601)
_FOULING = {"none": "", "gas": "fouling_gas", "fluorinated_oil": "fouling_oil"}
_RESTING = ""
"""Stands for the pure solvent that the line holds before anything is fed."""


class FlowPlant:
    """One reactor line.

    Args:
        line: Geometry.
        inlets: Nominal contents of each inlet's stock.
        stages: Whether an inlet enters the synthesis feed or joins at the exchange junction.
        parameters: Constants of the laboratory; with a seed, its hidden effects are on.
        state: What `state()` of an earlier plant gave; the line then holds pure solvent.
        model: What solves the formation of dots.
        octadecene: Inlets whose solvent is octadecene; toluene is that of the others.

    Raises:
        ValueError: inlets and stages that do not match, or a state that is not one.
    """

    def __init__(
        self,
        line: Line,
        inlets: Mapping[str, Composition],
        stages: Mapping[str, Stage],
        parameters: FlowParameters,
        state: Mapping[str, Any] | None = None,
        *,
        model: Model = "reduced",
        octadecene: frozenset[str] = frozenset(),
    ) -> None:
        if set(inlets) != set(stages):
            raise ValueError(
                f"every inlet needs a stage, but got inlets {sorted(inlets)} and stages "
                f"{sorted(stages)}; name the same"
            )
        self._line, self._stages, self._p = line, dict(stages), parameters
        self._model: Model = model
        self._octadecene = octadecene
        self._channel: int | None = None
        self._inlets = {name: self._batch(name, c) for name, c in inlets.items()}
        self._clock, self._film, self._drawn = restored(state)
        bias = parameters.flow["pump_bias"]
        self._bias = {n: 1.0 + bias * parameters.keyed_normal("pump", n) for n in inlets}
        self._moving: tuple[str, ...] = ()
        self._setpoints = dict.fromkeys(inlets, 0.0)
        self._flows = dict.fromkeys(inlets, 0.0)
        self._carrier: Carrier = "none"
        self._carrier_flow = 0.0
        self._heater = self._setpoint = parameters.flow["ambient"]
        self._exchange_heater = self._exchange_setpoint = parameters.flow["ambient"]
        self._position = 0.5 * line.length
        self._history = StreamHistory(Segment(0.0, {_RESTING: 1.0}, "none"))
        self._troubles = Troubles()
        self._cached: Product | None = None
        self._last: tuple[tuple[object, ...], Product] | None = None
        self._absorbed: tuple[Product, Array] | None = None
        self._shone: tuple[Product, float, Array] | None = None

    def _batch(self, name: str, nominal: Composition) -> Composition:
        """Contents of this laboratory's batch: concentrations off by about 2 %."""
        factor = 1.0 + self._p.flow["batch_spread"] * self._p.keyed_normal("batch", name)
        species = ("lead", "caesium", "bromide", "chloride", "iodide", "zinc")
        return replace(nominal, **{s: getattr(nominal, s) * factor for s in species})

    # --- acting -------------------------------------------------------------------------------

    def suffer(self, troubles: Troubles) -> None:
        """Let these befall the line from now on."""
        self._troubles = troubles
        troubles.begin(self._clock)

    def set_flow(self, inlet: str, flow: float) -> None:
        """Set an inlet's flow [µL/s]; the real one follows with the syringe's compliance.

        Raises:
            ValueError: unknown inlet, or a flow that is negative or not finite.
        """
        if inlet not in self._setpoints:
            raise ValueError(
                f"an inlet must be one of {', '.join(self._setpoints)}, but got {inlet!r}"
            )
        if not (math.isfinite(flow) and flow >= 0.0):
            raise ValueError(f"a flow must be at least 0 µL/s, but got {flow} for {inlet!r}")
        self._setpoints[inlet] = flow

    def set_carrier(self, carrier: Carrier, flow: float) -> None:
        """Set the segmenting phase and its flow [µL/s].

        Raises:
            ValueError: unknown carrier, or a flow that does not fit it.
        """
        if carrier not in hydrodynamics.FLUID_PAIRS:
            known = ", ".join(hydrodynamics.FLUID_PAIRS)
            raise ValueError(f"a carrier must be one of {known}, but got {carrier!r}")
        if not (math.isfinite(flow) and flow >= 0.0) or (carrier == "none" and flow > 0.0):
            raise ValueError(f"{carrier!r} cannot flow at {flow} µL/s; give 0 without carrier")
        self._carrier, self._carrier_flow = carrier, flow
        self._cached = None

    def set_temperature(self, setpoint: float) -> None:
        """Set the heater [degC]; the tube follows with a first-order lag.

        Raises:
            ValueError: not a temperature.
        """
        if not (math.isfinite(setpoint) and setpoint > -KELVIN):
            raise ValueError(f"a setpoint must be a temperature in degC, but got {setpoint}")
        self._setpoint = setpoint

    def set_exchange_temperature(self, setpoint: float) -> None:
        """Set the heater behind the junction [degC].

        Raises:
            ValueError: not a temperature.
        """
        if not (math.isfinite(setpoint) and setpoint > -KELVIN):
            raise ValueError(f"a setpoint must be a temperature in degC, but got {setpoint}")
        self._exchange_setpoint = setpoint

    def set_channel(self, channel: int | None) -> None:
        """Look at one of the parallel lines, from 0; None is a line that is fed alone."""
        self._channel = channel
        self._cached = None

    def set_probe(self, position: float) -> None:
        """Move the optical cell to `position` [mm].

        Raises:
            ValueError: off the tube.
        """
        if not 0.0 < position <= self._line.length:
            raise ValueError(
                f"the probe must be within 0 to {self._line.length} mm, but got {position} mm"
            )
        self._position = position
        self._cached = None

    def advance(self, seconds: float) -> None:
        """Let time pass [s]: pumps settle, stock is drawn, the heater and the film move.

        Raises:
            ValueError: time does not run backwards.
        """
        if not (math.isfinite(seconds) and seconds >= 0.0):
            raise ValueError(f"time must pass by at least 0 s, but got {seconds}")
        self._cached = None
        self._moving = tuple(n for n, q in self._setpoints.items() if q or self._flows[n])
        left = seconds
        while left > 0.0:
            step = min(left, 0.4 * self._p.flow["pump_time"]) if self._settling() else left
            step = min(step, self._troubles.until_change(self._clock, self._flows))
            self._step(step)
            left -= step
        self._history.forget(20.0 * (self._line.dead_volume + self._line.area * self._line.length))

    def _settling(self) -> bool:
        return any(abs(self._flows[n] - self._target(n)) > 1e-9 for n in self._moving)

    def _target(self, inlet: str) -> float:
        return self._setpoints[inlet] * self._bias[inlet] * self._troubles.open_share

    def _step(self, seconds: float) -> None:
        f = self._p.flow
        follow = 1.0 - math.exp(-seconds / f["pump_time"])
        for name in self._moving:
            flow, target = self._flows[name], self._target(name)
            moved = flow + (target - flow) * follow
            self._flows[name] = target if abs(target - moved) < 1e-4 * (target + 1e-3) else moved
            if not self._troubles.has_air(name):
                self._drawn[name] = self._drawn.get(name, 0.0) + self._flows[name] * seconds
        moving = {n: self._flows[n] for n in self._moving if self._flows[n] > 0.0}
        used = self._troubles.liquid(moving)
        self._history.feed(self._total() * seconds, used, self._carrier)
        warmed = -math.expm1(-seconds / f["heater_time"])
        self._heater += (self._setpoint - self._heater) * warmed
        self._exchange_heater += (self._exchange_setpoint - self._exchange_heater) * warmed
        self._clock += seconds
        self._troubles.pass_time(self._clock, seconds, self._flows, self._history.total)
        if self._p.seed is not None:
            name = _FOULING[self._carrier]
            solids = formula_concentration(self._inlets, used)
            self._film += f["fouling_rate"] * (f[name] if name else 1.0) * solids * seconds

    def _total(self) -> float:
        return sum(self._flows.values()) + self._carrier_flow * self._troubles.open_share

    # --- reading ------------------------------------------------------------------------------

    def flow(self, inlet: str) -> float:
        """True present flow of liquid [µL/s]; none while the inlet brings air."""
        return 0.0 if self._troubles.has_air(inlet) else self._flows[inlet]

    def temperature(self) -> float:
        """True temperature of the tube [degC]."""
        return self._heater

    def exchange_temperature(self) -> float:
        """True temperature of the tube behind the junction [degC]."""
        return self._exchange_heater

    def velocity(self) -> float:
        """True velocity of the whole stream [mm/s], through what the film leaves open."""
        open_bore = self._line.bore - 2e-6 * self._film
        return (
            self._total()
            * self._troubles.swelling(self._history.total, self._line.volume_to(self._position))
            * uneven(self._p, self._channel, "carrier")
            / (math.pi / 4.0 * open_bore**2)
        )

    def decay(self, time: Array) -> Array:
        """Emission after a pulse at the probe, shape of `time` [ns], 1 at 0; 0 without dots."""
        made = self._at_probe()
        if made is None or made.units <= 0.0:
            return np.zeros_like(time)
        c = self._p.materials
        share = optics.absorbed_share(made.ensemble, HC / 405.0, c) / made.lifetime
        rate = 1.0 / made.lifetime[:, None]
        lost = made.traps[:, None] * np.expm1(-c["trap_rate"] * time)[None, :]
        return np.asarray(share @ np.exp(-rate * time + lost) / share.sum())

    def emission(self, wavelengths: Array, excitation: float = 365.0) -> Array:
        """Photons per second and nm that reach the detector, shape of `wavelengths` [nm].

        Front-face geometry; the inner filter and reabsorption of the cell are included.
        """
        made = self._at_probe()
        if made is None or made.units <= 0.0:
            return np.zeros_like(wavelengths)
        leaving = self._leaving(made, HC / excitation)
        energy = HC / wavelengths
        per_energy = np.interp(energy, _ENERGY, leaving, left=0.0, right=0.0)
        rate = self._p.flow["photon_rate"] * self._lamp()
        return np.asarray(rate * per_energy * energy / wavelengths)

    def _leaving(self, made: Product, light: float) -> Array:
        """Photons that leave the cell per photon of `light` [eV], at `_ENERGY` [1/eV]."""
        if self._shone is None or self._shone[0] is not made or self._shone[1] != light:
            shape = optics.emission_shape(made.ensemble, _ENERGY, light, self._p.materials)
            dark = self._dark(made)
            left = shape * optics.escape(float(np.interp(light, _ENERGY, dark)), dark)
            self._shone = (made, light, left)
        return self._shone[2]

    def _lamp(self) -> float:
        """Excitation left after drift, over that of a new lamp."""
        if self._p.seed is None:
            return 1.0
        return math.exp(-self._p.flow["lamp_drift"] * self._clock / 86400.0)

    def absorbance(self, wavelengths: Array) -> Array:
        """Decadic absorbance over the optical path, the film's baseline included."""
        baseline = self._p.flow["fouling_absorbance"] * self._film
        made = self._at_probe()
        if made is None or made.units <= 0.0:
            return np.full_like(wavelengths, baseline)
        return np.asarray(np.interp(HC / wavelengths, _ENERGY, self._dark(made)) + baseline)

    def _dark(self, made: Product) -> Array:
        """Decadic absorbance of the dots over the optical path at `_ENERGY`."""
        if self._absorbed is None or self._absorbed[0] is not made:
            path = self._line.optical_path
            found = optics.absorbance(made.ensemble, _ENERGY, path, self._p.materials)
            self._absorbed = (made, found)
        return self._absorbed[1]

    def truth(self) -> dict[str, Any]:
        """Hidden true state: mean edge [nm], fractions, quantum yield, film [nm]."""
        made = self._at_probe()
        found: dict[str, Any] = {"clock": self._clock, "film": self._film}
        if made is None or made.units <= 0.0:
            return {**found, "units": 0.0}
        e, c = made.ensemble, self._p.materials
        weight = optics.absorbed_share(e, HC / 365.0, c)
        return {
            **found,
            "units": made.units,
            "edge": made.mean_edge,
            "dispersion": made.dispersion,
            "coverage": made.coverage,
            "chloride": float(np.mean(e.chloride)),
            "iodide": float(np.mean(e.iodide)),
            "plqy": float(weight @ e.quantum_yield),
        }

    def snapshot(self) -> FlowPlant:
        """Return the plant as it stands; what is done to this one later leaves that one alone."""
        still = copy(self)
        own: dict[str, Any] = {"_flows": dict(self._flows), "_history": self._history.copy()}
        own["_troubles"] = self._troubles.copy()
        vars(still).update(own)
        return still

    def state(self) -> dict[str, Any]:
        """What carries to the next trial: clock [s], film [nm], volume drawn per inlet [µL]."""
        drawn = {name: volume for name, volume in sorted(self._drawn.items()) if volume > 0.0}
        return {"clock": self._clock, "film": self._film, "drawn": drawn}

    def _at_probe(self) -> Product | None:
        """Dots in the cell now; None where the cell holds no reagents."""
        if self._cached is None:
            self._cached = self._compute()
        return self._cached

    def _compute(self) -> Product | None:
        f = self._p.flow
        name = "washout_single" if self._carrier == "none" else "washout_segmented"
        volume = self._line.volume_to(self._position)
        shares = {n: v * self._departure(n) for n, v in self._history.at(volume, f[name]).items()}
        contents = {**self._inlets, _RESTING: Composition()}
        feed_parts = [(v, contents[n]) for n, v in shares.items() if self._is_feed(n)]
        salt_parts = [(v, contents[n]) for n, v in shares.items() if not self._is_feed(n)]
        feed = mix(feed_parts)
        if feed.lead <= 0.0 or feed.caesium <= 0.0 or self._total() <= 0.0:
            return None
        fed, salted = sum(v for v, _ in feed_parts), sum(v for v, _ in salt_parts)
        share = fed / (fed + salted)
        hot = sum(v for n, v in shares.items() if n in self._octadecene)
        at = self._conditions(share, hot > 0.5 * (fed + salted))
        held = (
            *(f"{v / (fed + salted):.5e}{n}" for n, v in sorted(shares.items())),
            *(f"{t:.5e}" for t in (at.mixing_time, at.growth_time, at.exchange_time)),
            *(f"{t:.5e}" for t in (at.temperature, at.at_probe)),
        )
        if self._last is None or self._last[0] != held:
            made = product(feed, mix(feed_parts + salt_parts), share, at, self._p)
            self._last = (held, made)
        return self._last[1]

    def _departure(self, inlet: str) -> float:
        """What a reading's share of an inlet is over its mean."""
        if inlet == _RESTING:
            return 1.0
        delivered = self._flows[inlet] * self._clock
        return uneven(self._p, self._channel, inlet) * ripple(self._p, inlet, delivered)

    def _is_feed(self, inlet: str) -> bool:
        return self._stages.get(inlet, "synthesis") == "synthesis"

    def _conditions(self, share: float, octadecene: bool) -> Conditions:
        pair = hydrodynamics.fluid_pair("octadecene" if octadecene else "toluene", self._carrier)
        f, line = self._p.flow, self._line
        velocity = max(self.velocity(), 1e-3)
        liquid = sum(self._flows.values())
        before = velocity * (self._carrier_flow + share * liquid) / self._total()
        salted = share < 1.0 - 1e-9
        first = min(line.junction, self._position) if salted else self._position
        behind = max(self._position - line.junction, 0.0) if salted else 0.0
        mixing = hydrodynamics.mixing_time(pair, before, line.bore, kappa=f["song_kappa"])
        return Conditions(
            mixing_time=mixing,
            growth_time=first / before,
            exchange_time=behind / velocity,
            spread=hydrodynamics.residence_quantiles(pair, velocity, line.bore, self._position),
            temperature=self._heater + KELVIN,
            mixing_spread=mixing_spread(mixing, pair.two_phase, f),
            entry=f["ambient"] + KELVIN,
            exchange_temperature=self._exchange_heater + KELVIN if salted else None,
            octadecene=octadecene,
            model=self._model,
        )


__all__ = ["Composition", "FlowPlant", "Line", "Troubles"]
