"""A 96-well plate with state: wells are filled, time passes, and their light is read.

The plant is deterministic: what a hidden laboratory adds (batches, row and column offsets,
evaporation, drift of the lamp) are constants of its seed and functions of the recorded state.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate_sim import larp, larp_light
from surrogate_sim.larp import Charge, Plate
from surrogate_sim.larp_ageing import Aged, age
from surrogate_sim.larp_samples import Grains, decay_curve, grains
from surrogate_sim.materials import HC
from surrogate_sim.parameters import TwinParameters

Array = NDArray[np.float64]
ROWS, COLUMNS = 8, 12
WELLS = ROWS * COLUMNS
PLATES_PER_BATCH = 4
"""Plates that one batch of stock solutions serves (assumed: 10 to 20 mL of each)."""
_AGES: Array = np.array([0, 10, 30, 60, 120, 210, 320, 440, 570, 700, 1000], float) * 60.0
"""Ages [s] at which the light of a well is computed; in between it is interpolated."""
_STATE = {"clock": 0.0, "plates": 0}
HALF_DAY = 43200.0


class LarpPlant:
    """One deck with plate, stocks and reader.

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
            self._clock, self._plates = float(known["clock"]), int(known["plates"])
        except (TypeError, ValueError) as error:
            raise ValueError(f"a plate's state holds clock and plates, got {state!r}") from error
        if set(known) != set(_STATE) or not math.isfinite(self._clock) or self._plates < 0:
            raise ValueError(f"a plate's state holds clock and plates, but got {state!r}")
        self._begin()

    def _begin(self) -> None:
        self._charges: dict[int, tuple[Charge, float, float]] = {}
        self._made: tuple[dict[int, int], Plate] | None = None
        self._light: dict[int, Array] = {}

    # --- acting -------------------------------------------------------------------------------

    def new_plate(self) -> None:
        """Put a fresh plate on the deck."""
        self._begin()
        self._plates += 1

    def fill(self, well: int, charge: Charge, spread: float = 1.0) -> None:
        """Charge a well now; `spread` multiplies the spread of its mixing times.

        Raises:
            ValueError: no such well, or one that is already filled or read.
        """
        if not 0 <= well < WELLS or well in self._charges or self._made is not None:
            raise ValueError(
                f"a well must be one of 0 to {WELLS - 1}, empty, on a plate not yet read, but got "
                f"{well}; take a new plate"
            )
        self._charges[well] = (self._from_batch(charge), self._clock, spread)

    def advance(self, seconds: float) -> None:
        """Let time pass [s].

        Raises:
            ValueError: time does not run backwards.
        """
        if not (math.isfinite(seconds) and seconds >= 0.0):
            raise ValueError(f"time must pass by at least 0 s, but got {seconds}")
        self._clock += seconds

    def _from_batch(self, charge: Charge) -> Charge:
        c, batch = self._p.own, str((self._plates - 1) // PLATES_PER_BATCH)
        strength = c["batch_spread"] * self._p.keyed_normal("stock", batch)
        water = c["batch_acidity"] * self._p.keyed_normal("ligands", f"{charge.pair} {batch}")
        return replace(
            charge,
            concentration=charge.concentration * math.exp(strength),
            acidity=charge.acidity + water,
        )

    # --- reading ------------------------------------------------------------------------------

    def emission(self, well: int, wavelengths: Array) -> Array:
        """Light of a well now, per nm and relative to a yield of one, shape of `wavelengths`.

        Zero where nothing was injected.
        """
        if well not in self._charges:
            return np.zeros_like(wavelengths)
        c = self._p.own
        row, column = divmod(well, COLUMNS)
        lean = self._p.keyed_normal("row", str(row)) + 0.5 * self._p.keyed_normal(
            "column", str(column)
        )
        bias = self._p.keyed_normal("row gain", str(row))
        frames = self._frames(well)
        at = min(max(self._clock - self._charges[well][1], 0.0), float(_AGES[-1]))
        k = min(int(np.searchsorted(_AGES, at, "right")) - 1, len(_AGES) - 2)
        part = (at - _AGES[k]) / (_AGES[k + 1] - _AGES[k])
        shape = (1.0 - part) * frames[k] + part * frames[k + 1]
        energy = HC / (wavelengths - c["row_peak"] * lean)
        per_energy = np.interp(energy, larp_light.ENERGY, shape, left=0.0, right=0.0)
        gain = math.exp(c["row_gain"] * bias) * self._lamp()
        return np.asarray(gain * per_energy * energy / wavelengths)

    def _lamp(self) -> float:
        if self._p.seed is None:
            return 1.0
        return math.exp(-self._p.own["lamp_drift"] * self._clock / 86400.0)

    def _frames(self, well: int) -> Array:
        if well not in self._light:
            index, plate = self._react()
            more = 1.0 + self._evaporation(well) * _AGES / HALF_DAY
            self._light[well] = larp.light(plate, _AGES, index[well], self._p, more)
        return self._light[well]

    def _evaporation(self, well: int) -> float:
        row, column = divmod(well, COLUMNS)
        edge = row in (0, ROWS - 1) or column in (0, COLUMNS - 1)
        return self._p.own["evaporation_edge"] if edge and self._p.seed is not None else 0.0

    def _react(self) -> tuple[dict[int, int], Plate]:
        if self._made is None:
            order = sorted(self._charges)
            charges = [self._charges[w][0] for w in order]
            spread = np.array([self._charges[w][2] for w in order])
            index = {w: i for i, w in enumerate(order)}
            self._made = (index, larp.react(charges, self._p, spread))
        return self._made

    def _aged(self, well: int) -> tuple[int, Plate, Aged]:
        index, plate = self._react()
        seconds = np.full(len(index), self._clock - self._charges[well][1])
        return index[well], plate, age(plate.settled, seconds, self._p.own)

    def grains(self, well: int) -> Grains | None:
        """Particles of a well now, for microscope and diffractometer; None in an empty one."""
        if well not in self._charges:
            return None
        index, plate, aged = self._aged(well)
        return grains(plate, aged, index, self._p)

    def decay(self, well: int, time: Array) -> Array:
        """Decay of a well's emission after a pulse, shape of `time` [ns]; zero if empty."""
        if well not in self._charges:
            return np.zeros_like(time)
        index, plate, aged = self._aged(well)
        return decay_curve(plate, aged, index, time, self._p)

    def truth(self, well: int) -> dict[str, float]:
        """Hidden state of a well now, plain numbers by name; empty for an empty well."""
        if well not in self._charges:
            return {}
        i, plate, aged = self._aged(well)
        solution = plate.settled.solution
        found = grains(plate, aged, i, self._p)
        units = float(plate.settled.units[i])
        return {
            "units_mmol_per_litre": 1e3 * units,
            "mean_edge_nm": float(found.edge @ found.number) if units > 0.0 else math.nan,
            "coverage": float(solution.coverage[i]),
            "free_amine_mmol_per_litre": 1e3 * float(solution.amine[i]),
            "free_lead_bromide_mmol_per_litre": 1e3 * float(solution.lead_bromide[i]),
            "cs4_share": float(aged.converted[i]),
            "enclosed_share": float(aged.enclosed[i]),
            "lost_share": float(aged.lost[i]),
        }

    @property
    def clock(self) -> float:
        """Seconds since the laboratory's start."""
        return self._clock

    def state(self) -> dict[str, Any]:
        """What carries to the next run: clock [s] and the number of plates used."""
        found: dict[str, Any] = json.loads(
            json.dumps({"clock": self._clock, "plates": self._plates})
        )
        return found
