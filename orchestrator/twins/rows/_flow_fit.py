"""Calibration of the flow twin: least squares with priors on the C numbers of seed 004 alone.

`dotpilot twin calibrate flow_synthesis` runs it. Orderings among the C numbers count by how far
they fall short of their least difference, in the units given here.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from orchestrator.twins.checks import Check
from orchestrator.twins.rows.flow_synthesis import ROWS
from surrogate_sim.parameters import TwinParameters

Array = NDArray[np.float64]
USED = ("FL-01", "FL-02", "FL-06", "FL-07", "FL-08", "FL-09", "FL-15", "FL-22")
"""Rows with a C number that the fit reads; the others have no free constant here."""
_SHORTFALL = {"eV": 0.002, "nm": 0.5, "": 0.02}
PRIORS: dict[str, tuple[float, float, bool]] = {
    "burst": (5e9, 2.0, True),
    "mixing_spread_two": (0.6, 0.4, True),
    "mixing_spread_one": (0.8, 0.4, True),
    "complexation_time": (1.0, 0.7, True),
    "activation_energy": (0.5, 0.05, False),
    "octadecene_conversion": (1.0, 0.5, True),
    "octadecene_solubility": (1e-3, 2.0, True),
    "octadecene_enthalpy": (0.4, 0.1, False),
    "opening_temperature": (125.0, 12.0, False),
    "opening_enthalpy": (0.9, 0.15, False),
    "site_share": (0.15, 0.05, False),
}
"""Centre, standard deviation, whether of the logarithm."""


def residual(check: Check) -> float:
    """Distance from the published value in quarters of the band; what an ordering falls short."""
    if not math.isfinite(check.ours):
        return 4.0
    if math.isinf(check.high):
        return min(check.ours - check.low, 0.0) / _SHORTFALL[check.unit]
    published = check.published if check.published is not None else 0.5 * (check.low + check.high)
    return (check.ours - published) / (0.25 * (check.high - check.low))


def residuals(parameters: TwinParameters) -> Array:
    """Distances of the C numbers."""
    return np.array([residual(c) for row in USED for c in ROWS[row](parameters) if c.use == "C"])
