"""In-line quantum yield: a ratio to a recorded reference dye, corrected for both inner filters.

    PLQY = PLQY_ref * (N / N_ref) * (f_ref / f) * (n² / n_ref²)

with absorptances f = 1 - 10^-A at the excitation, so that the primary inner filter is exact at
any optical density, refractive indices n, and photon rates N, that of the dots before
reabsorption: the line is fitted through the front-face transmission of the measured absorbance
(relative method of Brouwer 2011, Pure Appl. Chem. 83, 2213).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instruments.metrology.absorption import LN10, absorptance, front_face, mean_absorbance
from instruments.metrology.lineshape import LINE_SPAN, FitError, smooth
from instruments.station import Spectrum


def dye_rate(dye: Spectrum, dark: Spectrum, lowest: float) -> tuple[float, float]:
    """Photoelectrons per second from the reference dye above `lowest` [nm], standard error."""
    inside = dye.axis >= lowest
    level = float(np.mean(dark.values.astype(np.float64)))
    counts = dye.values[inside].astype(np.float64) - level
    variance = float(np.sum(np.clip(dye.values[inside], 0.0, None), dtype=np.float64))
    variance += len(counts) * float(dye.settings["read_noise"]) ** 2
    seconds = float(dye.settings["integration_time"])
    return float(counts.sum()) / seconds, float(np.sqrt(variance)) / seconds


def excitation_absorbance(
    absorbance: Spectrum, excitation: float, red: float
) -> tuple[float, float]:
    """Absorbance at `excitation` [nm] above the level beyond `red` [nm], and standard error.

    Raises:
        FitError: not above three times its noise.
    """
    value, noise = mean_absorbance(absorbance, excitation, 4.0)
    value -= red_level(absorbance, red)
    if value <= 3.0 * noise:
        raise FitError(
            f"a quantum yield needs a clear absorbance at {excitation:g} nm, but {value:.2g} was "
            f"measured with a noise of {noise:.2g}; raise the concentration or the optical path"
        )
    return value, noise


def red_level(absorbance: Spectrum, red: float) -> float:
    """Median absorbance beyond `red` [nm], where dots are clear: film and lamp drift."""
    tail = absorbance.axis > red
    return float(np.median(absorbance.values[tail].astype(np.float64))) if tail.any() else 0.0


def transmission(absorbance: Spectrum, excitation: float, red: float) -> NDArray[np.float64]:
    """Share of the emitted light that leaves a front-face cell, shape (n,).

    Ones where the absorbance at the excitation is not clear of its noise.

    Args:
        absorbance: Decadic absorbance.
        excitation: [nm].
        red: Wavelength beyond which the dots are clear [nm].
    """
    try:
        strength, _ = excitation_absorbance(absorbance, excitation, red)
    except FitError:
        return np.ones(len(absorbance.axis))
    values = smooth(absorbance.axis, absorbance.values.astype(np.float64), 0.5 * LINE_SPAN)
    values -= red_level(absorbance, red)
    return front_face(strength, values) / absorptance(strength)


def quantum_yield(
    rate: tuple[float, float],
    reference: tuple[float, float],
    optical: tuple[float, float],
    settings: Mapping[str, Any],
) -> tuple[float, float]:
    """Return the yield and its standard error, without the calibration's own uncertainty.

    Args:
        rate: Photoelectron rate of the dots' emission before reabsorption, standard error.
        reference: The same of the reference dye.
        optical: Absorbance at the excitation and its standard error.
        settings: `dye_quantum_yield`, `dye_absorbance`, `dye_index`, `solvent_index`.
    """
    absorbed = absorptance(optical[0])
    index = (settings["solvent_index"] / settings["dye_index"]) ** 2
    dye = settings["dye_quantum_yield"] * absorptance(settings["dye_absorbance"])
    value = dye * index * rate[0] / reference[0] / absorbed
    slope = LN10 * (1.0 - absorbed) / absorbed
    relative = np.hypot(rate[1] / rate[0], reference[1] / reference[0])
    return value, abs(value) * float(np.hypot(relative, slope * optical[1]))
