"""Calibration of the batch twin: least squares with priors on the C numbers of seed 001 alone.

Run it again with `python -m orchestrator.twins.rows._topo_fit`; it prints what belongs into
`surrogate_sim/data/topo_batch.toml`. Where its steps came to rest, coalescence at larger sizes
left the small crystals that TP-06, TP-10 and TP-12 miss by, so coalescence, conversion, ripening
and what goes with them were then set by hand, within their priors, to meet every band.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from orchestrator.twins.checks import Check
from orchestrator.twins.rows.topo_batch import ROWS
from surrogate_sim.parameters import TwinParameters, twin_parameters

Array = NDArray[np.float64]
USED = (
    "TP-01", "TP-02", "TP-03", "TP-04", "TP-06", "TP-07", "TP-08", "TP-09", "TP-12", "TP-13",
    "TP-14", "TP-17", "TP-18", "TP-19", "TP-22", "TP-23", "TP-24", "TP-25",
)  # fmt: skip
"""Rows with a C number that the fit reads; the lattice ratios of TP-25 are taken over."""


@dataclass(frozen=True)
class Prior:
    """Centre and standard deviation of the logarithm."""

    centre: float
    deviation: float


PRIORS: dict[str, Prior] = {
    "conversion": Prior(8.0, 0.7),
    "ripening": Prior(2.0, 0.5),
    "coalescence": Prior(0.15, 0.5),
    "coalescence_size": Prior(6.5, 0.06),
    "release": Prior(0.3, 0.7),
    "agglomerate_solubility": Prior(0.002, 0.3),
    "conversion_spread": Prior(0.5, 0.2),
    "exchange_dopa": Prior(2400.0, 0.7),
    "exchange_oleate": Prior(36.0, 0.7),
    "growth": Prior(10.0, 1.0),
    "coalescence_warming": Prior(1.3, 0.3),
    "stack_gap": Prior(4.4, 0.1),
    "compression_time": Prior(100.0, 0.5),
    "higher_strength": Prior(0.3, 0.3),
}
"""Fitted constants of the twin."""


def residual(check: Check) -> float:
    """Distance from the published value in units of a quarter of the band; 4 where missing."""
    if not math.isfinite(check.ours):
        return 4.0
    published = check.published if check.published is not None else 0.5 * (check.low + check.high)
    return (check.ours - published) / (0.25 * (check.high - check.low))


def residuals(parameters: TwinParameters) -> Array:
    """Distances of the C numbers, then of the fitted constants from their priors."""
    found = [
        residual(check) for row in USED for check in ROWS[row](parameters) if check.use == "C"
    ]
    found += [
        math.log(parameters.own[name] / prior.centre) / prior.deviation
        for name, prior in PRIORS.items()
    ]
    return np.array(found)


def calibrate(start: TwinParameters, evaluations: int = 4) -> dict[str, float]:
    """Fit the constants; returns their values by name."""
    names = list(PRIORS)
    origin = np.log([start.own[n] for n in names])

    def moved(x: Array) -> TwinParameters:
        values = np.exp(origin + np.asarray(x, np.float64))
        return start.replacing(**{n: float(v) for n, v in zip(names, values, strict=True)})

    found = least_squares(
        lambda x: residuals(moved(x - 1.0)), np.ones(len(names)), diff_step=0.03, x_scale=0.1,
        max_nfev=evaluations,
    )  # fmt: skip
    best = moved(found.x - 1.0)  # shifted by one so that steps are relative to one
    return {n: best.own[n] for n in names}


if __name__ == "__main__":
    for key, value in calibrate(twin_parameters("topo_batch")).items():
        print(f"{key} = {value:.5g}")
