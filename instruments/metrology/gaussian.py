"""Gaussian lines on a wavelength axis, many frames at once, as seed 002 fits its plate reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
FWHM = float(2.0 * np.sqrt(2.0 * np.log(2.0)))
_ROUNDS = 40
_NARROWEST, _WIDEST = 2.0, 60.0  # nm, standard deviation


@dataclass(frozen=True)
class Gaussians:
    """Fitted lines; every field has shape (frames,), NaN where a frame gave none.

    Attributes:
        height: Counts above the background.
        centre: [nm].
        fwhm: [nm].
        background: Counts.
        height_se: Standard error from counting, or from the residual where that is larger.
        centre_se: [nm].
        fwhm_se: [nm].
        noise: Root mean square of the residual [counts].
    """

    height: Array
    centre: Array
    fwhm: Array
    background: Array
    height_se: Array
    centre_se: Array
    fwhm_se: Array
    noise: Array


def fit_gaussians(axis: Array, counts: Array, usable: NDArray[np.bool_]) -> Gaussians:
    """Fit A exp(-(x - mu)^2 / 2 s^2) + b to every frame by Levenberg and Marquardt's method.

    Args:
        axis: Wavelengths, shape (n,) [nm].
        counts: Shape (frames, n).
        usable: Shape (frames, n); False where the reader gave no number.
    """
    weight = usable.astype(float)
    data = np.where(usable, counts, 0.0)
    p = _guess(axis, data, usable)
    bell, cost = _cost(axis, data, weight, p)
    damping = np.full(len(p), 1e-3)
    for _ in range(_ROUNDS):
        trial = p + _step(axis, data, weight, p, bell, damping)
        sane = (trial[:, 2] > _NARROWEST) & (trial[:, 2] < _WIDEST)
        there, after = _cost(axis, data, weight, np.where(sane[:, None], trial, p))
        after = np.where(sane, after, np.inf)
        better = after < cost
        p, bell = (np.where(better[:, None], n, o) for n, o in ((trial, p), (there, bell)))
        done = bool(np.all((cost - after <= 1e-9 * cost) & better))
        cost = np.where(better, after, cost)
        damping = np.where(better, damping * 0.2, damping * 8.0).clip(1e-12, 1e12)
        if done:
            break
    return _summary(axis, data, weight, p, bell, cost)


def _guess(axis: Array, data: Array, usable: NDArray[np.bool_]) -> Array:
    # Where the top overflowed, the middle of the gap is the best guess of the centre.
    gap = ~usable
    filled = np.where(gap, data.max(axis=1, keepdims=True) * 1.1 + 1.0, data)
    top = filled.max(axis=1, keepdims=True)
    near = filled >= top - 1e-9
    centre = (near * axis).sum(axis=1) / near.sum(axis=1)
    base = np.percentile(filled, 15, axis=1)
    height = np.maximum(top[:, 0] - base, 1.0)
    above = (filled - base[:, None] > 0.5 * height[:, None]).sum(axis=1)
    width = np.clip(above * (axis[1] - axis[0]) / FWHM, 2.0 * _NARROWEST, 0.5 * _WIDEST)
    return np.stack([height, centre, width, base], axis=1)


def _cost(axis: Array, data: Array, weight: Array, p: Array) -> tuple[Array, Array]:
    """Bells of unit height, shape (f, n), and the weighted squares that they leave, shape (f,)."""
    bell = np.exp(-0.5 * ((axis[None, :] - p[:, 1:2]) / p[:, 2:3]) ** 2)
    return bell, np.asarray((weight * (data - p[:, :1] * bell - p[:, 3:4]) ** 2).sum(axis=1))


def _jacobian(axis: Array, p: Array, bell: Array) -> Array:
    reduced = (axis[None, :] - p[:, 1:2]) / p[:, 2:3]
    slope = p[:, :1] * bell * reduced / p[:, 2:3]
    return np.stack([bell, slope, slope * reduced, np.ones_like(bell)], axis=2)


def _step(axis: Array, data: Array, weight: Array, p: Array, bell: Array, damping: Array) -> Array:
    jacobian = _jacobian(axis, p, bell)
    residual = weight * (data - p[:, :1] * bell - p[:, 3:4])
    normal = _normal(jacobian, weight)
    diagonal = np.einsum("faa->fa", normal)
    normal = normal + (damping[:, None] * diagonal + 1e-12)[:, :, None] * np.eye(4)
    right = np.einsum("fna,fn->fa", jacobian, residual)
    return np.asarray(np.linalg.solve(normal, right[:, :, None])[:, :, 0])


def _normal(jacobian: Array, weight: Array) -> Array:
    """Weighted normal matrices, shape (f, 4, 4)."""
    return np.asarray((jacobian * weight[:, :, None]).transpose(0, 2, 1) @ jacobian)


def _summary(
    axis: Array, data: Array, weight: Array, p: Array, bell: Array, cost: Array
) -> Gaussians:
    """Errors of an unweighted fit to counts: counting variance, or the residual where larger."""
    jacobian = _jacobian(axis, p, bell)
    inverse = np.linalg.pinv(_normal(jacobian, weight))
    variance = weight * np.maximum(data, 1.0)
    excess = np.maximum(cost / np.maximum(variance.sum(axis=1), 1.0), 1.0)
    middle = _normal(jacobian, variance * excess[:, None])
    se = np.sqrt(np.maximum(np.einsum("fab,fbc,fca->fa", inverse, middle, inverse), 0.0))
    noise = np.sqrt(cost / np.maximum(weight.sum(axis=1) - 4.0, 1.0))
    return Gaussians(
        p[:, 0],
        p[:, 1],
        FWHM * p[:, 2],
        p[:, 3],
        se[:, 0],
        se[:, 1],
        FWHM * se[:, 2],
        noise,
    )
