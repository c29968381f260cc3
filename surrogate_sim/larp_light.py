"""Light of a well: absorption, emission, reabsorption and re-emission at plate optical density.

Nothing here is fitted. A well of a few mM absorbs the excitation within a fraction of a
millimetre, but its own light travels millimetres; what is absorbed again is emitted again, by
the larger dots, from deeper down. The plane layer is solved for diffuse light with Elsasser's
diffusivity factor (Elsasser 1942, Harvard Meteorol. Stud. 6): 2 E3(x) = exp(-1.66 x).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from surrogate_sim import optics
from surrogate_sim.materials import HC, ROOM
from surrogate_sim.optics import Ensemble

Array = NDArray[np.float64]
ENERGY: Array = np.linspace(2.05, 2.95, 91)
"""Photon energies of the emission [eV]."""
STEP = float(ENERGY[1] - ENERGY[0])
_DIFFUSIVITY = 1.66
_MIRROR = 0.60
"""Share of diffuse light that a surface of index 1.5 reflects inwards (Duntley 1942: 0.596)."""
_CELLS = 14
_LN10 = float(np.log(10.0))
_FWHM = float(2.0 * np.sqrt(2.0 * np.log(2.0)))


def ensemble(units: Array, edge: Array, yields: Array) -> Ensemble:
    """Return bromide dots: units [mM], edges [nm] and quantum yields, all of shape (k,)."""
    zero = np.zeros_like(edge)
    return Ensemble(edge, units, zero, zero, yields, np.full_like(edge, ROOM))


def emitted(
    dots: Ensemble, excitation: float, depth: float, disorder: float, c: Mapping[str, float]
) -> Array:
    """Photons per absorbable photon and eV that leave towards the reader, shape (91,).

    Args:
        dots: The dots.
        excitation: Wavelength of the excitation, which enters at the reader's side [nm].
        depth: Of the liquid [mm].
        disorder: FWHM of the shifts by charges and ligands on untreated surfaces [eV].
        c: Material constants.
    """
    light = HC / excitation
    grid = np.append(ENERGY, light)
    coefficients = optics.absorbance(dots, grid, 1.0, c) * _LN10  # 1/mm, natural
    own, taken = coefficients[:-1], float(coefficients[-1])
    if taken <= 0.0:
        return np.zeros_like(ENERGY)
    blur = max(disorder / _FWHM / STEP, 1e-6)
    first = gaussian_filter1d(optics.emission_shape(dots, ENERGY, light, c), blur)
    edges = _edges(taken, depth)
    source = np.exp(-taken * edges[:-1]) - np.exp(-taken * edges[1:])
    outward = _outward(own, edges)
    # Reabsorbed light: by its mean energy it excites the larger dots more than the lamp does.
    total = float(first.sum()) * STEP
    if total <= 0.0:
        return np.zeros_like(ENERGY)
    middle = float((first * ENERGY).sum()) * STEP / total
    again = gaussian_filter1d(optics.emission_shape(dots, ENERGY, middle, c), blur)
    hops = _hops(own, edges)
    once = source @ np.einsum("e,eji->ji", first * STEP, hops)
    kernel = np.einsum("e,eji->ji", again * STEP, hops)
    absorbed = np.linalg.solve(np.eye(_CELLS) - kernel.T, once)
    return np.asarray(first * (outward @ source) + again * (outward @ absorbed))


def _edges(taken: float, depth: float) -> Array:
    """Cell boundaries [mm], fine where the excitation is absorbed, shape (15,)."""
    finest = min(0.25 / taken, depth / (2.0 * _CELLS))
    return np.concatenate([[0.0], np.geomspace(finest, depth, _CELLS)])


def _outward(own: Array, edges: Array) -> Array:
    """Mean transmission from each cell straight to the reader, shape (energies, cells)."""
    low, width = edges[:-1], np.diff(edges)
    path = own[:, None] * width[None, :]
    mean = -np.expm1(-path) / np.maximum(path, 1e-12)
    return np.asarray(np.exp(-own[:, None] * low[None, :]) * np.where(path > 1e-9, mean, 1.0))


def _hops(own: Array, edges: Array) -> Array:
    """Probability that light from cell j is absorbed in cell i, shape (energies, j, i).

    Half goes each way; the layer's surfaces reflect part of it once or more (image sources).
    """
    middle, width = 0.5 * (edges[:-1] + edges[1:]), np.diff(edges)
    depth = float(edges[-1])
    alpha = _DIFFUSIVITY * own[:, None, None]
    span = np.abs(middle[:, None] - middle[None, :])
    below = middle[:, None] + middle[None, :]
    stop = -np.expm1(-alpha * width[None, None, :])
    near = 0.5 * width[None, :]
    same = np.eye(len(middle), dtype=bool)

    def from_(distance: Array) -> Array:
        return np.asarray(0.5 * stop * np.exp(-alpha * np.maximum(distance - near, 0.0)))

    direct = np.where(same, -np.expm1(-alpha * 0.5 * width[None, None, :]), from_(span))
    once = _MIRROR * (from_(below) + from_(2.0 * depth - below))
    twice = _MIRROR**2 * 2.0 * from_(2.0 * depth - span)
    rounds = 1.0 / (1.0 - _MIRROR**2 * np.exp(-2.0 * alpha * depth))
    return np.asarray(direct + (once + twice) * rounds)
