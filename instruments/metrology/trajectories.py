"""Sigmoid fits of single-particle fluorescence trajectories, all particles at once.

Each rise is fitted by B + A / (1 + exp(-(t - t0) / w)), as in seed 003. The switching time is the
fit's 10 to 90 % rise, 2 ln(9) w: the paper leaves its own definition to the supplementary
material, so a constant factor between the two is possible. Residuals are weighted down where a
particle blinks (Huber's weights), and the window ends soon after the rise, since light falls
again when the crystal degrades or its line leaves the filter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.special import expit

Array = NDArray[np.float64]
RISE = float(2.0 * np.log(9.0))
"""10 to 90 % rise of a logistic function over its width."""
_CELLS = 96
_BEFORE, _AFTER = 3.0, 1.5
"""Window around the rise in switching times."""
_SHRINK = 0.3
"""Most that the window shrinks in one pass, so that a blink does not catch it."""
_HUBER = 1.5


@dataclass(frozen=True)
class Rises:
    """Fitted rises, every array of shape (n,).

    Attributes:
        height: A, in the trajectories' unit.
        height_se: Its standard error.
        centre: t0 [s].
        width: 10 to 90 % rise [s].
        width_se: Its standard error [s].
    """

    height: Array
    height_se: Array
    centre: Array
    width: Array
    width_se: Array

    @property
    def onset(self) -> Array:
        """Time of 10 % of the rise, shape (n,) [s]."""
        return self.centre - 0.5 * self.width


def fit_rises(times: Array, traces: Array) -> Rises:
    """Fit every trajectory.

    Args:
        times: Shape (t,), middles of the frames, evenly spaced [s].
        traces: Shape (n, t).
    """
    step = float(times[1] - times[0])
    span = step * len(times)
    borders = np.append(times - 0.5 * step, times[-1] + 0.5 * step)
    total = np.concatenate([np.zeros((len(traces), 1)), np.cumsum(traces, axis=1)], axis=1)
    centre, top = _step_and_top(times, traces)
    width = np.clip(1.5 * (top - centre), span / 60.0, span / 4.0)
    solution = errors = np.zeros((len(traces), 4))
    for _ in range(5):
        low = np.maximum(centre - _BEFORE * width, borders[0])
        high = np.minimum(centre + _AFTER * width, borders[-1])
        short = high - low < 12.0 * step
        low = np.where(short, np.maximum(centre - 8.0 * step, borders[0]), low)
        high = np.where(short, np.minimum(centre + 4.0 * step, borders[-1]), high)
        cells, values = _resampled(borders, total, low, high)
        solution, errors = _fit(cells, values, centre, width / RISE)
        # Cells narrower than a frame repeat what one frame says.
        errors = errors * np.sqrt(np.maximum(1.0, step * _CELLS / (high - low)))[:, None]
        centre = np.clip(solution[:, 2], times[0], times[-1])
        width = np.clip(RISE * solution[:, 3], np.maximum(_SHRINK * width, 2.0 * step), span)
    return Rises(
        solution[:, 0], errors[:, 0], solution[:, 2], RISE * solution[:, 3], RISE * errors[:, 3]
    )


def _step_and_top(times: Array, traces: Array) -> tuple[Array, Array]:
    """Time of the best single step up to each trajectory's maximum, and of that [s]."""
    frames = len(times)
    smoothing = max(3, frames // 60)
    top = np.argmax(uniform_filter1d(traces, smoothing, axis=1), axis=1)
    last = np.clip(top + smoothing, 4, frames)
    count = np.arange(1, frames)[None, :]
    running = np.cumsum(traces, axis=1)
    whole = np.take_along_axis(running, last[:, None] - 1, axis=1)
    after = np.maximum(last[:, None] - count, 1)
    before = running[:, :-1]
    contrast = (whole - before) / after - before / count
    gain = np.where(count < last[:, None], np.maximum(contrast, 0.0) ** 2 * count * after, -1.0)
    return times[np.argmax(gain, axis=1)], times[top]


def _resampled(borders: Array, total: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Means of each trajectory in equal cells between `low` and `high`: times and values."""
    share = np.linspace(0.0, 1.0, _CELLS + 1)
    edges = low[:, None] + (high - low)[:, None] * share[None, :]
    step = borders[1] - borders[0]
    sums = np.stack([np.interp(e, borders, t) for e, t in zip(edges, total, strict=True)])
    cell = (high - low)[:, None] / _CELLS / step
    return 0.5 * (edges[:, 1:] + edges[:, :-1]), np.diff(sums, axis=1) / cell


def _fit(times: Array, values: Array, centre: Array, width: Array) -> tuple[Array, Array]:
    """Levenberg-Marquardt with Huber weights: height, base, centre, width; and their errors."""
    span = times[:, -1] - times[:, 0]
    quiet = np.quantile(values, 0.15, axis=1)
    parameters = np.stack(
        [np.quantile(values, 0.9, axis=1) - quiet, quiet, centre, np.minimum(width, span / 4)], 1
    )
    damping = np.full(len(values), 1e-2)
    weights = np.ones_like(values)
    cost = np.full(len(values), np.inf)
    residual, jacobian = _residual(times, values, parameters)
    for i in range(24):
        if i % 4 == 0:
            weights = _huber(residual)
            cost = (weights * residual**2).sum(axis=1)
        weighted = (jacobian * weights[:, :, None]).transpose(0, 2, 1)
        normal = weighted @ jacobian
        gradient = weighted @ residual[:, :, None]
        scale = np.einsum("nii->ni", normal) + 1e-12
        damped = normal + (damping[:, None] * scale)[:, :, None] * np.eye(4)
        trial = parameters + np.linalg.solve(damped, gradient)[:, :, 0]
        trial[:, 3] = np.clip(trial[:, 3], span / 2000.0, span)
        trial[:, 2] = np.clip(trial[:, 2], times[:, 0], times[:, -1])
        tried, slopes = _residual(times, values, trial)
        found = (weights * tried**2).sum(axis=1)
        better = found < cost
        damping = np.where(better, np.maximum(damping * 0.3, 1e-8), damping * 5.0)
        parameters = np.where(better[:, None], trial, parameters)
        residual = np.where(better[:, None], tried, residual)
        jacobian = np.where(better[:, None, None], slopes, jacobian)
        cost = np.where(better, found, cost)
    return parameters, _errors(jacobian, weights, residual)


def _residual(times: Array, values: Array, parameters: Array) -> tuple[Array, Array]:
    height, base, centre, width = (p[:, None] for p in parameters.T)
    scaled = (times - centre) / width
    rise = expit(scaled)
    slope = height * rise * (1.0 - rise) / width
    jacobian = np.stack([rise, np.ones_like(rise), -slope, -slope * scaled], axis=2)
    return values - base - height * rise, jacobian


def _huber(residual: Array) -> Array:
    spread = 1.4826 * np.median(np.abs(residual), axis=1, keepdims=True) + 1e-12
    return np.asarray(np.minimum(1.0, _HUBER * spread / np.maximum(np.abs(residual), 1e-12)))


def _errors(jacobian: Array, weights: Array, residual: Array) -> Array:
    """Standard errors, shape (n, 4); infinite where the fit does not determine a parameter."""
    normal = (jacobian * weights[:, :, None]).transpose(0, 2, 1) @ jacobian
    scale = np.sqrt(np.einsum("nii->ni", normal)) + 1e-12
    scaled = normal / scale[:, :, None] / scale[:, None, :] + 1e-12 * np.eye(4)
    variance = (weights * residual**2).sum(axis=1) / (residual.shape[1] - 4)
    inverse = np.linalg.pinv(scaled, hermitian=True)
    diagonal = np.einsum("nii->ni", inverse) / scale**2
    return np.asarray(np.sqrt(np.maximum(diagonal * variance[:, None], 0.0)))
