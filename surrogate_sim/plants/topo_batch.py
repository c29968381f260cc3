"""A stirred vessel in a beam: stocks are charged, caesium is injected, time moves by `advance`.

Concentrations [mM], temperatures [degC], times [s]. A hidden laboratory's batches of stock,
temperature and intensity scale are off, and product settles on its windows; a nominal one has
none of that. The plant is deterministic: noise belongs to the instruments.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate_sim import scattering, topo_light
from surrogate_sim.materials import HC
from surrogate_sim.parameters import TwinParameters
from surrogate_sim.topo_batch import Contents, Reaction
from surrogate_sim.topo_chemistry import Charge, Ligand

Array = NDArray[np.float64]
KELVIN = 273.15
ROOM_CELSIUS = 25.0
SAXS_RESOLUTION = 0.01
"""FWHM of the small-angle detector [1/nm]."""
WAXS_RESOLUTION = 0.25
"""FWHM of the wide-angle detector [1/nm]."""
_STATE = {"clock": 0.0, "runs": 0, "deposit": 0.0}
_AMORPHOUS = (20.5, 5.0)  # centre and FWHM of the agglomerates' halo [1/nm]
_SOLVENT = (14.0, 6.0)  # of the solvent's halo [1/nm]


class TopoPlant:
    """One vessel with windows for light and X-rays.

    Args:
        parameters: Constants of the laboratory; with a seed, its hidden effects are on.
        state: What `state()` of an earlier plant gave.

    Raises:
        ValueError: a state that is not one.
    """

    def __init__(self, parameters: TwinParameters, state: Mapping[str, Any] | None = None) -> None:
        self._p = parameters
        known = {**_STATE, **(state or {})}
        try:
            numbers = [float(known[name]) for name in _STATE]
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"a vessel's state holds {', '.join(_STATE)}, got {state!r}"
            ) from error
        if set(known) != set(_STATE) or not all(map(math.isfinite, numbers)):
            raise ValueError(f"a vessel's state holds {', '.join(_STATE)}, but got {state!r}")
        self._clock, self._runs, self._deposit = numbers[0], int(numbers[1]), numbers[2]
        self._temperature = self._setpoint = ROOM_CELSIUS
        self._charge: tuple[Ligand, float, float, float] | None = None
        self._reaction: Reaction | None = None
        self._injected = math.inf
        self._last: dict[str, float] = {}

    # --- acting -------------------------------------------------------------------------------

    def set_temperature(self, setpoint: float) -> None:
        """Set the heater [degC]; the vessel follows with a first-order lag."""
        self._setpoint = setpoint

    def charge(self, ligand: Ligand, caesium: float, lead: float, topo: float) -> None:
        """Fill the vessel; concentrations are those after the injection [mM]."""
        self._charge, self._reaction = (ligand, caesium, lead, topo), None

    def inject(self, until: float) -> None:
        """Add the caesium; the reaction can be read up to `until` [s] later.

        Raises:
            ValueError: nothing has been charged.
        """
        if self._charge is None:
            raise ValueError("a vessel must be charged before caesium is injected; call charge()")
        ligand, caesium, lead, topo = self._charge
        made = Charge(
            ligand,
            caesium * self._batch(f"caesium_{ligand}"),
            lead * self._batch("lead"),
            topo * self._batch("topo"),
            self.temperature() + KELVIN,
        )
        self._reaction = Reaction(made, self._p, until)
        self._injected = self._clock

    def advance(self, seconds: float) -> None:
        """Let time pass [s].

        Raises:
            ValueError: time does not run backwards.
        """
        if not (math.isfinite(seconds) and seconds >= 0.0):
            raise ValueError(f"time must pass by at least 0 s, but got {seconds}")
        follow = -math.expm1(-seconds / self._p.own["settling_time"])
        self._temperature += (self._setpoint - self._temperature) * follow
        self._clock += seconds

    def drain(self) -> None:
        """Empty and rinse the vessel; a little product stays on the windows of a real one."""
        self._last = self.truth()
        if self._reaction is not None and self._p.seed is not None:
            last = self._reaction.at(np.array([self._since()]))
            self._deposit += float(last.bound.sum())
        self._runs += 1
        self._charge, self._reaction, self._injected = None, None, math.inf

    def _batch(self, stock: str) -> float:
        lot = int(self._runs // self._p.own["batch_runs"])
        spread = self._p.own["batch_spread"] * self._p.keyed_normal("batch", f"{stock}_{lot}")
        return math.exp(spread)

    # --- reading ------------------------------------------------------------------------------

    def temperature(self) -> float:
        """True temperature of the vessel [degC]."""
        bias = self._p.own["temperature_bias"] * self._p.keyed_normal("temperature", "bias")
        return self._temperature + bias

    def measured_temperature(self) -> float:
        """What an ideal thermometer of this laboratory shows [degC]."""
        return self._temperature

    def absorbance(self, wavelengths: Array, times: Array, path: float) -> Array:
        """Decadic absorbance over `path` [mm], shape (t, wavelengths)."""
        known, kelvin = self._at(times), self.temperature() + KELVIN
        found = topo_light.absorbance(
            HC / wavelengths, known.diameter, known.bound, known.agglomerate,
            known.lead_bromide, kelvin, path, self._p.own, self._p.materials,
        )  # fmt: skip
        return np.asarray(found + self._p.own["fouling_absorbance"] * self._deposit)

    def small_angle(self, q: Array, times: Array) -> Array:
        """Scattered intensity, shape (t, q) [1/cm]."""
        known, own = self._at(times), self._p.own
        contrast = own["density_crystal"] - own["density_solvent"]
        dots = known.number @ scattering.sphere_intensity(q, known.diameter, contrast).T
        dots = dots * self._arranged(q, times)
        cluster = self._agglomerates(q, contrast)
        fouling = own["fouling_scatter"] * self._deposit * (0.2 / q) ** 4
        total = (
            dots
            + np.maximum(known.agglomerate, 0.0)[:, None] * cluster
            + own["saxs_background"]
            + fouling
        )
        scale = math.exp(own["scale_spread"] * self._p.keyed_normal("saxs", "scale"))
        return np.asarray(scale * total)

    def wide_angle(self, q: Array, times: Array) -> Array:
        """Pattern in counts of one frame, shape (t, q)."""
        known, own = self._at(times), self._p.own
        pattern = scattering.lattice_pattern(q, known.diameter, WAXS_RESOLUTION)
        amorphous = (
            0.3 * np.maximum(known.agglomerate, 0.0)[:, None] * scattering.halo(q, *_AMORPHOUS)
        )
        solvent = own["waxs_background"] * scattering.halo(q, *_SOLVENT)
        crystal = np.maximum(known.bound, 0.0) @ pattern.T
        return np.asarray(own["waxs_sensitivity"] * (crystal + amorphous) + solvent)

    def truth(self) -> dict[str, float]:
        """Hidden state now, as numbers by name; an empty vessel tells what it held at the end."""
        found = {"clock_s": self._clock, "deposit_mM": self._deposit}
        if self._reaction is None:
            return self._last | found
        now = np.array([self._since()])
        known, charge = self._reaction.at(now), self._reaction.charge
        values = {
            "mean_size_nm": known.mean, "size_deviation_nm": known.deviation,
            "number_uM": known.total, "bound_mM": known.bound.sum(axis=1),
            "monomer_mM": known.monomer, "agglomerate_mM": known.agglomerate,
        }  # fmt: skip
        found |= {name: float(value[0]) for name, value in values.items()}
        found["yield"] = found["bound_mM"] / charge.caesium
        found["assembled"] = float(self._reaction.arrangement(now)["assembled"][0])
        found["temperature_degC"] = charge.temperature - KELVIN
        return found

    def state(self) -> dict[str, Any]:
        """What carries to the next trial: clock [s], runs, deposit on the windows [mM]."""
        return {"clock": self._clock, "runs": self._runs, "deposit": self._deposit}

    def _since(self) -> float:
        return max(self._clock - self._injected, 0.0)

    def _at(self, times: Array) -> Contents:
        if self._reaction is None:
            raise ValueError("nothing has been injected; call inject() first")
        if float(times[-1]) > self._since() + 1e-6:
            raise ValueError(
                f"the reaction is {self._since():g} s old, but was asked for {times[-1]:g} s; wait"
            )
        return self._reaction.at(times)

    def _agglomerates(self, q: Array, contrast: float) -> Array:
        """Scattering of 1 mM of formula units in agglomerates, shape of `q` [1/cm]."""
        own = self._p.own
        mean, packing = own["agglomerate_diameter"], own["agglomerate_packing"]
        sizes = np.linspace(0.5 * mean, 1.5 * mean, 41)
        share = scattering.gaussian_weights(sizes, mean, own["agglomerate_spread"] * mean)
        one = scattering.sphere_intensity(q, sizes, packing * contrast) @ share
        cell = self._p.materials["lattice_bromide"] ** 3
        units = packing * math.pi / 6.0 * float(share @ sizes**3) / cell
        return np.asarray(1e3 / units * one)

    def _arranged(self, q: Array, times: Array) -> Array | float:
        """Structure factor, shape (t, q); 1 where nothing has assembled."""
        reaction = self._reaction
        if reaction is None or math.isinf(reaction.assembly.onset):
            return 1.0
        own, known = self._p.own, reaction.arrangement(times)
        disorder, domain = reaction.assembly.disorder, reaction.assembly.domain
        out = np.ones((len(times), len(q)))
        for i in np.flatnonzero(known["assembled"] > 1e-3):
            spacing = float(known["spacing"][i])
            axes = (spacing, spacing * own["axis_second"], spacing * own["axis_third"])
            members = float(known["stacked"][i])
            ordered = scattering.stack_factor(q, axes, disorder, members, SAXS_RESOLUTION)
            share = float(known["crystalline"][i])
            if share > 1e-3:
                crystal = scattering.crystal_factor(q, axes, domain, disorder, SAXS_RESOLUTION)
                ordered = (1.0 - share) * ordered + share * crystal
            out[i] = 1.0 + float(known["assembled"][i]) * (ordered - 1.0)
        return out
