"""Compiled exchange of diffuse light between cells of a plane layer with reflecting surfaces."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
DIFFUSIVITY = 1.66
"""Elsasser's diffusivity factor (Elsasser 1942, Harvard Meteorol. Stud. 6)."""
MIRROR = 0.60
"""Share of diffuse light that a surface of index 1.5 reflects inwards (Duntley 1942: 0.596)."""


@njit(cache=True)
def reabsorbed(
    own: Array, edges: Array, source: Array, first: Array, again: Array
) -> tuple[Array, Array]:
    """Light from each cell that the cells absorb, for two spectra.

    Half goes each way; the layer's surfaces reflect part of it once or more (image sources).
    Every path is a product of what its pieces let through.

    Args:
        own: Absorption coefficient at each energy, shape (m,) [1/mm].
        edges: Boundaries of the cells from the reader's side, shape (cells + 1,) [mm].
        source: Light that starts in each cell, shape (cells,).
        first: Its weights over the energies, shape (m,).
        again: Weights of light of another spectrum, shape (m,).

    Returns:
        Light of `source` and `first` absorbed in cell i, shape (cells,), and the share of `again`
        from cell j absorbed in cell i, shape (j, i).
    """
    cells = source.shape[0]
    once, kernel = np.zeros(cells), np.zeros((cells, cells))
    hop = np.empty((cells, cells))
    for e in range(own.shape[0]):
        if first[e] == 0.0 and again[e] == 0.0:
            continue
        _hops(DIFFUSIVITY * own[e], edges, hop)
        for j in range(cells):
            for i in range(cells):
                once[i] += first[e] * source[j] * hop[j, i]
                kernel[j, i] += again[e] * hop[j, i]
    return once, kernel


@njit(cache=True)
def _hops(alpha: float, edges: Array, hop: Array) -> None:
    """Fill `hop` with the probability that light from cell j is absorbed in cell i, (j, i)."""
    cells = hop.shape[0]
    half, inner, stop = np.empty(cells), np.empty(cells), np.empty(cells)
    for i in range(cells):
        path = 0.5 * alpha * (edges[i + 1] - edges[i])
        half[i], inner[i] = math.exp(-path), -math.expm1(-path)
        stop[i] = 0.5 * inner[i] * (2.0 - inner[i])
    # From the reader's side to a cell's near face, and from the bottom to its far one.
    top, bottom = np.ones(cells), np.ones(cells)
    for i in range(1, cells):
        top[i] = top[i - 1] * half[i - 1] ** 2
        k = cells - 1 - i
        bottom[k] = bottom[k + 1] * half[k + 1] ** 2
    whole = top[-1] * half[-1] ** 2
    rounds = 1.0 / (1.0 - (MIRROR * whole) ** 2)
    for j in range(cells):
        upper, lower = MIRROR * rounds * top[j] * half[j], MIRROR * rounds * bottom[j] * half[j]
        for i in range(cells):
            twice = upper * bottom[i] if j < i else lower * top[i]
            hop[j, i] = upper * top[i] + lower * bottom[i] + 2.0 * MIRROR * whole * twice
        through = half[j]
        for i in range(j + 1, cells):
            hop[j, i] += through
            through *= half[i] ** 2
        through = half[j]
        for i in range(j - 1, -1, -1):
            hop[j, i] += through
            through *= half[i] ** 2
        for i in range(cells):
            hop[j, i] *= stop[i]
        hop[j, j] += inner[j]
