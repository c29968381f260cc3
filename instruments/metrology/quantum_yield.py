"""In-line quantum yield: an absorptance-corrected ratio to a recorded reference dye.

    PLQY = PLQY_ref * (N / N_ref) * (f_ref / f) * (n² / n_ref²) / e

with photon rates N, absorptances f = 1 - 10^-A at the excitation (so that the primary inner
filter is exact at any optical density), refractive indices n, and the share e of emitted light
that is not reabsorbed on its way out, from the measured absorbance under the emission line
(relative method of Brouwer 2011, Pure Appl. Chem. 83, 2213).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from instruments.metrology.absorption import LN10, absorptance, escape_factor, mean_absorbance
from instruments.metrology.lineshape import HC, Line, shape, smooth
from instruments.station import Spectrum


@dataclass(frozen=True, slots=True)
class QuantumYield:
    """The yield, its counting error and what was corrected.

    Attributes:
        value: Yield [-]; noise may take it above one.
        se: Standard error without the calibration's own uncertainty [-].
        absorbance: At the excitation [AU].
        escape: Share of the emission that left without reabsorption [-].
    """

    value: float
    se: float
    absorbance: float
    escape: float


def dye_rate(dye: Spectrum, dark: Spectrum, lowest: float) -> tuple[float, float]:
    """Photoelectrons per second from the reference dye above `lowest` [nm], standard error."""
    inside = dye.axis >= lowest
    level = float(np.mean(dark.values.astype(np.float64)))
    counts = dye.values[inside].astype(np.float64) - level
    variance = float(np.sum(np.clip(dye.values[inside], 0.0, None), dtype=np.float64))
    variance += len(counts) * float(dye.settings["read_noise"]) ** 2
    seconds = float(dye.settings["integration_time"])
    return float(counts.sum()) / seconds, float(np.sqrt(variance)) / seconds


def escape(line: Line, absorbance: Spectrum) -> float:
    """Share of the line's photons that leave the cell, from the absorbance under the line."""
    axis = absorbance.axis
    parameters = line.parameters.copy()
    parameters[4] = 0.0
    seen = shape(axis, parameters, line.reference)[0]
    tail = axis > HC / (line.energy - 0.3)
    values = absorbance.values.astype(np.float64)
    baseline = float(np.median(values[tail])) if tail.any() else 0.0
    factor = escape_factor(smooth(values, 15) - baseline)
    return float(seen.sum() / (seen / factor).sum())


def quantum_yield(
    rate: tuple[float, float],
    reference: tuple[float, float],
    line: Line,
    absorbance: Spectrum,
    settings: dict[str, float],
) -> QuantumYield:
    """Compute the yield from photon rates [1/s] with standard errors and the absorbance.

    Args:
        rate: Photoelectron rate of the line's emission and its standard error.
        reference: The same of the reference dye.
        line: The fitted emission line.
        absorbance: Decadic absorbance over the optical path.
        settings: `excitation` [nm], `dye_quantum_yield`, `dye_absorbance`, `dye_index`,
            `solvent_index`.
    """
    optical, optical_se = mean_absorbance(absorbance, settings["excitation"], 4.0)
    absorbed = absorptance(optical)
    leaving = escape(line, absorbance)
    ratio = rate[0] / reference[0]
    index = (settings["solvent_index"] / settings["dye_index"]) ** 2
    value = settings["dye_quantum_yield"] * ratio * index / leaving
    value *= absorptance(settings["dye_absorbance"]) / absorbed
    slope = LN10 * 10.0**-optical / absorbed
    relative = np.hypot(rate[1] / rate[0], reference[1] / reference[0])
    relative = float(np.hypot(relative, slope * optical_se))
    return QuantumYield(value, abs(value) * relative, optical, leaving)
