"""A flow line as built, and what carries of it from trial to trial, read back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from surrogate_sim.flow import Composition

_STATE: dict[str, Any] = {"clock": 0.0, "film": 0.0, "drawn": {}}


@dataclass(frozen=True, slots=True)
class Line:
    """Geometry: bore, length, junction and optical path [mm], volumes [µL]."""

    bore: float
    length: float
    junction: float
    dead_volume: float
    cell_volume: float
    optical_path: float

    @property
    def area(self) -> float:
        """Cross-section [mm2]."""
        return math.pi / 4.0 * self.bore**2

    def volume_to(self, position: float) -> float:
        """Volume from the inlets to a cell at `position` [mm], in [µL]."""
        return self.dead_volume + self.area * position + self.cell_volume


def formula_concentration(inlets: Mapping[str, Composition], flows: Mapping[str, float]) -> float:
    """Concentration of CsPb formula units in a mixture of inlets' flows [mmol/L]."""
    lead = sum(q * inlets[n].lead for n, q in flows.items())
    caesium = sum(q * inlets[n].caesium for n, q in flows.items())
    return min(lead, caesium) / max(sum(flows.values()), 1e-300)


def restored(state: Mapping[str, Any] | None) -> tuple[float, float, dict[str, float]]:
    """Return clock [s], film [nm] and the volume drawn of each inlet [µL]; zeros of None.

    Raises:
        ValueError: a state that is not one.
    """
    known = {**_STATE, **(state or {})}
    try:
        drawn = {str(k): float(v) for k, v in known["drawn"].items()}
        numbers = float(known["clock"]), float(known["film"])
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"a plant's state holds clock, film and drawn, but got {state!r}"
        ) from error
    if set(known) != set(_STATE) or not all(map(math.isfinite, numbers)):
        raise ValueError(f"a plant's state holds clock, film and drawn, but got {state!r}")
    return *numbers, drawn
