"""Calibration of the anion exchange twin on its C rows, by least squares with priors.

`residuals` is what is minimised, with the departure of each parameter from its prior in standard
deviations: numbers of C rows in units of a third of their bands where the row is of tier 1 (half
for incubation, which is read by eye), and of two thirds where it is of tier 2. Run the
module to fit again; it prints the values that belong into the twin's parameter file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from orchestrator.twins.rows.anion_exchange import incubation, peaks, scanned, switching, value
from surrogate_sim.parameters import TwinParameters, twin_parameters

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Prior:
    """Prior of one fitted parameter; `scale` is of the logarithm where `logarithmic`."""

    name: str
    centre: float
    scale: float
    logarithmic: bool

    def standard(self, value: float) -> float:
        """Departure from the prior in its standard deviations."""
        if self.logarithmic:
            return math.log(value / self.centre) / self.scale
        return (value - self.centre) / self.scale

    def value(self, standard: float) -> float:
        """Inverse of `standard`."""
        if self.logarithmic:
            return self.centre * math.exp(self.scale * standard)
        return self.centre + self.scale * standard


KINETICS = (
    Prior("supply_time", 5700.0, 0.7, True),
    Prior("supply_size_exponent", 1.0, 0.5, False),
    Prior("adsorption_constant", 0.008, 0.5, True),
    Prior("cooperativity", 2.7, 1.5, False),
    Prior("cooperativity_length", 12.0, 4.0, False),
)
CUVETTE = (
    Prior("core_diffusivity", 0.003, 0.5, True),
    Prior("etch_rate", 0.0015, 0.5, True),
    Prior("exchange_constant", 300.0, 1.0, True),
)
_AWAY = 10.0
"""Shift of the standard departures, so that a relative step is an absolute one."""
LAST_CHANGE = 1435.0
"""When the paper's last spectrum of 13.1 nm was taken [s]: three relaxation times of the core."""


def residuals(parameters: TwinParameters) -> Array:
    """Return the residuals of all C numbers that kinetics and cuvette parameters can move."""
    return np.concatenate([_kinetic(parameters), _cuvette(parameters)])


def _kinetic(p: TwinParameters) -> Array:
    found = (
        (incubation(p, 5.1), 393.0, 0.10),
        (incubation(p, 13.1), 891.0, 0.10),
        (switching(p, 5.1, 5.0), 135.6, 0.05),
        (switching(p, 5.1, 50.0), 18.1, 0.05),
        (switching(p, 13.1, 5.0), 14.1, 0.05),
    )
    return np.array([math.log(ours / published) / sd for ours, published, sd in found])


def _cuvette(p: TwinParameters) -> Array:
    found = peaks(scanned(p, 5.1, 315.0))
    ratio = value(scanned(p, 13.1, 1435.0), "exchange_time") / (LAST_CHANGE / 3.0)
    shift = float(found[-1] - found[0])
    return np.array(
        [(float(found[0]) - 622.0) / 1.33, (shift + 7.0) / 2.67, math.log(ratio) / 0.2]
    )


def fit(priors: tuple[Prior, ...], start: TwinParameters) -> TwinParameters:
    """Fit the parameters of `priors`, the others held.

    The kinetics answer for the cuvette's numbers too: 5.1 nm must be done by its first scan.
    """
    part = residuals if priors is KINETICS else _cuvette

    def moved(shifted: Array) -> TwinParameters:
        pairs = zip(priors, shifted - _AWAY, strict=True)
        return start.replacing(**{p.name: p.value(float(s)) for p, s in pairs})

    def total(shifted: Array) -> Array:
        return np.concatenate([part(moved(shifted)), shifted - _AWAY])

    first = np.array([p.standard(start.own[p.name]) for p in priors]) + _AWAY
    found = least_squares(total, first, diff_step=0.1 / _AWAY, max_nfev=8)
    return moved(found.x)


def main() -> None:
    """Fit in turn and print."""
    lab = fit(CUVETTE, fit(KINETICS, twin_parameters("anion_exchange")))
    for prior in (*KINETICS, *CUVETTE):
        print(f"{prior.name} = {lab.own[prior.name]:.5g}")
    print(np.round(residuals(lab), 2))


if __name__ == "__main__":
    main()
