"""In-line quantum yield: a ratio to a recorded reference dye, corrected for both inner filters.

    PLQY = PLQY_ref * (N / N_ref) * (f_ref / F) * (n² / n_ref²)

with photon rates N, the dye's absorptance f_ref = 1 - 10^-A_ref, refractive indices n, and F,
the mean over the emission line of A/(A + a) (1 - 10^-(A + a)): A is the measured absorbance at
the excitation and a under the line, so that excitation filtering and reabsorption are exact for
front-face detection (relative method of Brouwer 2011, Pure Appl. Chem. 83, 2213).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from instruments.metrology.absorption import absorptance, front_face, mean_absorbance
from instruments.metrology.lineshape import HC, FitError, Line, shape, smooth
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


def emitted_share(line: Line, absorbance: Spectrum, excitation: float) -> float:
    """Mean over the line of the front-face factor F, weighted by the light before reabsorption.

    Args:
        line: The fitted line, as seen.
        absorbance: Decadic absorbance; its level far to the red is taken as the baseline.
        excitation: Absorbance at the excitation.
    """
    axis = absorbance.axis
    parameters = line.parameters.copy()
    parameters[4] = 0.0
    seen = shape(axis, parameters, line.reference)[0]
    values = absorbance.values.astype(np.float64)
    factor = front_face(excitation, smooth(values, 31) - red_baseline(absorbance, line))
    return float(seen.sum() / (seen / factor).sum())


def red_baseline(absorbance: Spectrum, line: Line) -> float:
    """Median absorbance more than 0.3 eV below the emission line, where dots are clear."""
    tail = absorbance.axis > HC / (line.energy - 0.3)
    return float(np.median(absorbance.values[tail].astype(np.float64))) if tail.any() else 0.0


def quantum_yield(
    rate: tuple[float, float],
    reference: tuple[float, float],
    line: Line,
    absorbance: Spectrum,
    settings: Mapping[str, Any],
) -> QuantumYield:
    """Compute the yield from photon rates [1/s] with standard errors and the absorbance.

    Args:
        rate: Photoelectron rate of the line's emission and its standard error.
        reference: The same of the reference dye.
        line: The fitted emission line.
        absorbance: Decadic absorbance over the optical path.
        settings: `excitation` [nm], `dye_quantum_yield`, `dye_absorbance`, `dye_index`,
            `solvent_index`.

    Raises:
        FitError: the line absorbs nothing at the excitation.
    """
    optical, optical_se = mean_absorbance(absorbance, settings["excitation"], 4.0)
    optical -= red_baseline(absorbance, line)
    if optical <= 0.0:
        raise FitError(
            f"a quantum yield needs a positive absorbance at {settings['excitation']:g} nm, but "
            f"{optical:.2g} was measured; raise the concentration or the optical path"
        )
    share = emitted_share(line, absorbance, optical)
    slope = (emitted_share(line, absorbance, optical + 1e-4) - share) / 1e-4
    index = (settings["solvent_index"] / settings["dye_index"]) ** 2
    dye = settings["dye_quantum_yield"] * absorptance(settings["dye_absorbance"])
    value = dye * index * rate[0] / reference[0] / share
    relative = np.hypot(rate[1] / rate[0], reference[1] / reference[0])
    relative = float(np.hypot(relative, slope / share * optical_se))
    return QuantumYield(value, abs(value) * relative, optical, share / absorptance(optical))
