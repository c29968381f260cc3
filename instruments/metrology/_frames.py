"""Gaussian fits of many frames of one line at once, as seed 000 read its spectra.

Every frame is fitted with height, position, full width at half maximum (nm) and a flat
background on the wavelength axis, by damped Gauss-Newton steps on all frames together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

Array = NDArray[np.float64]
BOXCAR = 18.0
"""Width of the running mean that looks for a line [nm]: that of the narrowest line."""
EDGE = 4.0
"""A maximum this near an end of the axis [nm] may lie beyond it."""
NARROWEST = 8.0
"""FWHM below which a line is noise [nm]: half of what a single dot emits."""
_LN16 = 4.0 * float(np.log(2.0))
_ROUNDS = 25


@dataclass(frozen=True)
class FittedFrames:
    """One fitted Gaussian per frame.

    Attributes:
        values: Shape (frames, 4): height [counts], position [nm], FWHM [nm], background; NaN
            where no line was found.
        errors: Shape (frames, 4), standard errors by counting statistics. A line is not quite
            Gaussian; that bias is the same in every repeat and not part of them.
        area_errors: Shape (frames,), standard errors of height times FWHM [counts nm].
        signal: Shape (frames,), highest running mean over its noise.
    """

    values: Array
    errors: Array
    area_errors: Array
    signal: Array


def fit_frames(
    axis: Array, counts: Array, *, read_noise: float, binning: int, least_signal: float
) -> FittedFrames:
    """Fit every frame.

    Args:
        axis: Shape (n,), evenly spaced [nm].
        counts: Shape (frames, n), dark subtracted, means of `binning` pixels.
        read_noise: Of one pixel [counts].
        binning: Pixels in each mean.
        least_signal: Frames whose `signal` is lower hold no line.
    """
    pixel = float(axis[1] - axis[0])
    width = max(int(round(BOXCAR / pixel)), 1)
    flat = uniform_filter1d(counts, width, axis=1, mode="nearest")
    level = np.median(flat, axis=1, keepdims=True)
    floor = read_noise**2 / binning
    noise = np.sqrt((floor + np.clip(level, 0.0, None) / binning) / width)
    signal = ((flat - level) / noise).max(axis=1)
    values = np.full((len(counts), 4), np.nan)
    errors = np.full((len(counts), 4), np.nan)
    areas = np.full(len(counts), np.nan)
    found = np.flatnonzero(signal >= least_signal)
    if found.size:
        start = _guess(axis, flat[found], level[found, 0])
        variance = np.clip(flat[found], 0.0, None) / binning + floor
        values[found], errors[found], areas[found] = _refine(axis, counts[found], variance, start)
    inside = np.abs(values[:, 1] - 0.5 * (axis[0] + axis[-1])) < 0.5 * np.ptp(axis) - EDGE
    likely = (values[:, 2] > NARROWEST) & (errors[:, 1] < BOXCAR) & (values[:, 0] > 0.0)
    bad = ~(inside & likely)
    values[bad], errors[bad] = np.nan, np.nan
    return FittedFrames(values, errors, areas, signal)


def _guess(axis: Array, flat: Array, level: Array) -> Array:
    top = flat.argmax(axis=1)
    height = flat[np.arange(len(flat)), top] - level
    above = ((flat - level[:, None]) > 0.5 * height[:, None]).sum(axis=1)
    width = np.clip(above * (axis[1] - axis[0]), 8.0, 60.0)
    return np.stack([height, axis[top], width, level], axis=1)


def _model(axis: Array, p: Array) -> tuple[Array, Array]:
    """Return counts, shape (frames, n), and slopes, shape (frames, n, 4)."""
    reduced = (axis[None, :] - p[:, 1:2]) / p[:, 2:3]
    bell = np.exp(-_LN16 * reduced**2)
    slope = 2.0 * _LN16 * p[:, 0:1] * bell * reduced / p[:, 2:3]
    jacobian = np.stack([bell, slope, slope * reduced, np.ones_like(bell)], axis=2)
    return p[:, 0:1] * bell + p[:, 3:4], jacobian


def _refine(
    axis: Array, counts: Array, variance: Array, start: Array
) -> tuple[Array, Array, Array]:
    p = start
    damping = np.full(len(p), 1e-2)
    weight = 1.0 / variance
    cost = _cost(axis, counts, weight, p)
    for _ in range(_ROUNDS):
        model, jacobian = _model(axis, p)
        normal = np.einsum("fni,fn,fnj->fij", jacobian, weight, jacobian, optimize=True)
        right = np.einsum("fni,fn->fi", jacobian, weight * (counts - model))
        stiff = normal + damping[:, None, None] * np.eye(4) * np.einsum("fii->fi", normal)[:, None]
        trial = p + np.linalg.solve(stiff, right[:, :, None])[:, :, 0]
        trial[:, 2] = np.clip(trial[:, 2], 3.0, 120.0)
        trial[:, 1] = np.clip(trial[:, 1], axis[0], axis[-1])
        reached = _cost(axis, counts, weight, trial)
        better = reached < cost
        done = bool(np.all(np.abs(reached - cost)[better] < 1e-9 * cost[better]))
        p = np.where(better[:, None], trial, p)
        cost = np.where(better, reached, cost)
        damping = np.where(better, damping * 0.2, damping * 6.0)
        if done:
            break
    _, jacobian = _model(axis, p)
    normal = np.einsum("fni,fn,fnj->fij", jacobian, weight, jacobian, optimize=True)
    covariance = np.linalg.pinv(normal)
    spread = np.einsum("fii->fi", covariance)
    slope = np.stack([p[:, 2], 0.0 * p[:, 0], p[:, 0], 0.0 * p[:, 0]], axis=1)
    area = np.einsum("fi,fij,fj->f", slope, covariance, slope)
    return p, np.sqrt(np.maximum(spread, 0.0)), np.sqrt(np.maximum(area, 0.0))


def _cost(axis: Array, counts: Array, weight: Array, p: Array) -> Array:
    bell = np.exp(-_LN16 * ((axis[None, :] - p[:, 1:2]) / p[:, 2:3]) ** 2)
    residual = counts - p[:, 0:1] * bell - p[:, 3:4]
    return np.asarray((weight * residual**2).sum(axis=1))
