"""Compiled mixtures of lines and absorption edges: each class where it differs from its limits.

A row is one ensemble. Energies [eV]; what lies beyond some standard deviations of a line or an
edge is its limit to rounding, and costs nothing.
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
    """Sum of Gaussians of unit height times `weight`, all (rows, n), at `energy`: (rows, m)."""
    rows, classes = centre.shape
    total = np.zeros((rows, energy.shape[0]))
    for k in range(rows):
        for j in range(classes):
            for i in range(energy.shape[0]):
                reduced = (energy[i] - centre[k, j]) / sigma[k, j]
                if abs(reduced) < _LINE:
                    total[k, i] += weight[k, j] * math.exp(-0.5 * reduced * reduced)
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
    """Sum of the classes' absorption coefficients times `weight`, shape (rows, m) [1/cm].

    Args:
        energy: Shape (m,) [eV].
        solid: Coefficient of the solid there, shape (m,) [1/cm].
        exciton: 1S energies, shape (rows, n) [eV].
        matched: Energies from which dots absorb as the solid, shape (rows, n) [eV].
        matched_solid: Coefficient of the solid there, shape (rows, n) [1/cm].
        weight: Shape (rows, n).
        shape: Standard deviation of the 1S [eV], share of the step, strength of the 1S.
    """
    sigma, share, peak = shape
    rows, classes = exciton.shape
    total = np.zeros((rows, energy.shape[0]))
    for k in range(rows):
        for j in range(classes):
            x, high = exciton[k, j], matched[k, j]
            scale = weight[k, j] * matched_solid[k, j] / _edge(high, x, high, sigma, share, peak)
            for i in range(energy.shape[0]):
                if energy[i] >= high:
                    total[k, i] += weight[k, j] * solid[i]
                else:
                    total[k, i] += scale * _edge(energy[i], x, high, sigma, share, peak)
    return total
