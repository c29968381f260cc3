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

from surrogate_sim import _layer_kernels, optics
from surrogate_sim.materials import HC, ROOM
from surrogate_sim.optics import Ensemble

Array = NDArray[np.float64]
ENERGY: Array = np.linspace(2.05, 2.95, 91)
"""Photon energies of the emission [eV]."""
STEP = float(ENERGY[1] - ENERGY[0])
_CELLS = 14
_LN10 = float(np.log(10.0))
_FWHM = float(2.0 * np.sqrt(2.0 * np.log(2.0)))


def ensemble(units: Array, edge: Array, yields: Array) -> Ensemble:
    """Return bromide dots: units [mM], edges [nm] and quantum yields, all of one shape."""
    zero = np.zeros_like(edge)
    return Ensemble(edge, units, zero, zero, yields, np.full_like(edge, ROOM))


def emitted(
    dots: Ensemble, excitation: float, depth: Array, disorder: float, c: Mapping[str, float]
) -> Array:
    """Photons per absorbable photon and eV that leave towards the reader, shape (frames, 91).

    Args:
        dots: The dots of each frame, fields of shape (frames, k).
        excitation: Wavelength of the excitation, which enters at the reader's side [nm].
        depth: Of the liquid, shape (frames,) [mm].
        disorder: FWHM of the shifts by charges and ligands on untreated surfaces [eV].
        c: Material constants.
    """
    light = HC / excitation
    grid = np.append(ENERGY, light)
    coefficients = optics.absorbance(dots, grid, 1.0, c) * _LN10  # 1/mm, natural
    own = np.ascontiguousarray(coefficients[:, :-1])
    # Without dots nothing is emitted, whatever the depth at which light would be absorbed.
    taken = np.where(coefficients[:, -1] > 0.0, coefficients[:, -1], 1.0)
    blur = max(disorder / _FWHM / STEP, 1e-6)
    first = gaussian_filter1d(optics.emission_shape(dots, ENERGY, light, c), blur)
    edges = _edges(taken, depth)
    reached = np.exp(-taken[:, None] * edges)
    source = reached[:, :-1] - reached[:, 1:]
    # Reabsorbed light: by its mean energy it excites the larger dots more than the lamp does.
    total = first.sum(axis=1)
    middle = (first * ENERGY).sum(axis=1) / np.where(total > 0.0, total, 1.0)
    middle = np.where(total > 0.0, middle, light)
    again = gaussian_filter1d(optics.emission_shape(dots, ENERGY, middle, c), blur)
    absorbed = _absorbed(own, edges, source, first * STEP, again * STEP)
    outward = _outward(own, edges)
    leaving = outward @ np.stack([source, absorbed], axis=2)
    return np.asarray(first * leaving[:, :, 0] + again * leaving[:, :, 1])


def _absorbed(own: Array, edges: Array, source: Array, first: Array, again: Array) -> Array:
    """Light that each cell absorbs again, after any number of hops, shape (frames, cells)."""
    hops = [
        _layer_kernels.reabsorbed(*frame)
        for frame in zip(own, edges, source, first, again, strict=True)
    ]
    once, kernel = (np.stack(parts) for parts in zip(*hops, strict=True))
    balance = np.eye(_CELLS) - kernel.transpose(0, 2, 1)
    return np.asarray(np.linalg.solve(balance, once[:, :, None])[:, :, 0])


def _edges(taken: Array, depth: Array) -> Array:
    """Cell boundaries [mm], fine where the excitation is absorbed, shape (frames, 15)."""
    finest = np.minimum(0.25 / taken, depth / (2.0 * _CELLS))
    inner = np.geomspace(finest, depth, _CELLS, axis=1)
    return np.concatenate([np.zeros((len(inner), 1)), inner], axis=1)


def _outward(own: Array, edges: Array) -> Array:
    """Mean transmission from each cell straight to the reader, shape (frames, energies, cells)."""
    low, width = edges[:, None, :-1], np.diff(edges)[:, None, :]
    path = own[:, :, None] * width
    mean = -np.expm1(-path) / np.maximum(path, 1e-12)
    return np.asarray(np.exp(-own[:, :, None] * low) * np.where(path > 1e-9, mean, 1.0))
