"""Compiled mixtures of lines and absorption edges: each class where it differs from its limits.

Energies [eV]; what lies beyond some standard deviations of a line or an edge is its limit to
rounding, and costs nothing.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
_LINE = 8.6  # standard deviations beyond which a Gaussian is below 1e-16
_EDGE = 8.6  # beyond which the error function is -1 or 1


@njit(cache=True)
def lines(energy: Array, centre: Array, sigma: Array, weight: Array) -> Array:
    """Sum of Gaussians of unit height times `weight`, shape (m,), at `energy`."""
    total = np.zeros(energy.shape[0])
    for j in range(centre.shape[0]):
        for i in range(energy.shape[0]):
            reduced = (energy[i] - centre[j]) / sigma[j]
            if abs(reduced) < _LINE:
                total[i] += weight[j] * math.exp(-0.5 * reduced * reduced)
    return total


@njit(cache=True)
def _edge(e: float, x: float, matched: float, sigma: float, share: float, peak: float) -> float:
    """Gaussian 1S, error-function step and square-root continuum, in arbitrary units."""
    reduced = (e - x) / sigma
    if reduced < -_EDGE:
        return 0.0
    root = math.sqrt(max(e - x, 0.0) / (matched - x))
    band = share + (1.0 - share) * root
    if reduced > _EDGE:
        return band
    step = 0.5 * (1.0 + math.erf(reduced / math.sqrt(2.0)))
    return peak * share * math.exp(-0.5 * reduced * reduced) + step * band


@njit(cache=True)
def edges(
    energy: Array,
    solid: Array,
    exciton: Array,
    matched: Array,
    matched_solid: Array,
    weight: Array,
    shape: tuple[float, float, float],
) -> Array:
    """Sum of the classes' absorption coefficients times `weight`, shape (m,) [1/cm].

    Args:
        energy: Shape (m,) [eV].
        solid: Coefficient of the solid there, shape (m,) [1/cm].
        exciton: 1S energies, shape (n,) [eV].
        matched: Energies from which dots absorb as the solid, shape (n,) [eV].
        matched_solid: Coefficient of the solid there, shape (n,) [1/cm].
        weight: Shape (n,).
        shape: Standard deviation of the 1S [eV], share of the step, strength of the 1S.
    """
    sigma, share, peak = shape
    total = np.zeros(energy.shape[0])
    for j in range(exciton.shape[0]):
        whole = _edge(matched[j], exciton[j], matched[j], sigma, share, peak)
        scale = weight[j] * matched_solid[j] / whole
        for i in range(energy.shape[0]):
            if energy[i] >= matched[j]:
                total[i] += weight[j] * solid[i]
            else:
                total[i] += scale * _edge(energy[i], exciton[j], matched[j], sigma, share, peak)
    return total
