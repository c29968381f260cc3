"""Stages of a growth that is watched through its emission, as seed 000 tells them apart.

Stage 1 ends where the peak's fast red-shift gives way to a slow one; stage 2 ends where the
line is narrowest; what follows, wider and redder, is stage 3, ripening.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
CURVATURE = 0.5
"""What a smooth red-shift departs from two straight lines [nm]: no frame counts as better."""


@dataclass(frozen=True)
class Stages:
    """Times from the start of the reaction [s]; NaN where the record does not tell.

    Attributes:
        first_end: End of stage 1.
        first_error: Standard error of `first_end`, spacing of frames included: a bend
            between two is known to interval / sqrt(12) at best.
        second_end: End of stage 2: where the line is narrowest.
        narrowest: FWHM there, a mean over a twentieth of the record [nm].
        narrowest_error: Scatter of that mean [nm].
        ripens: The line has become wider again by more than its scatter.
    """

    first_end: float
    first_error: float
    second_end: float
    narrowest: float
    narrowest_error: float
    ripens: bool


def find_stages(time: Array, peak: Array, width: Array, peak_error: Array) -> Stages:
    """Find the stages in peak and FWHM [nm] over `time` [s], shape (frames,) each.

    Args:
        time: Increasing; frames without a line left out.
        peak: Peak wavelength.
        width: FWHM.
        peak_error: Standard error of `peak`.
    """
    if len(time) < 8:
        return Stages(np.nan, np.nan, np.nan, np.nan, np.nan, False)
    smooth, scatter = _smoothed(time, width)
    lowest = int(np.argmin(smooth))
    ripens = bool(smooth[-1] - smooth[lowest] > 3.0 * scatter)
    last = lowest if ripens else len(time) - 1
    inside = slice(0, max(last + 1, 8))
    bend, error = bend_time(time[inside], peak[inside], peak_error[inside])
    error = float(np.hypot(error, np.median(np.diff(time)) / np.sqrt(12.0)))
    end = float(time[lowest]) if ripens else np.nan
    return Stages(bend, error, end, float(smooth[lowest]), scatter, ripens)


def bend_time(time: Array, value: Array, error: Array) -> tuple[float, float]:
    """Bend of two joined straight lines and its standard error, of least squares.

    Args:
        time: Shape (frames,), increasing.
        value: Shape (frames,).
        error: Shape (frames,), standard errors.
    """
    weight = 1.0 / np.hypot(error, CURVATURE)
    candidates = np.linspace(time[0], time[-1], 202)[1:-1]
    losses = np.array([_loss(time, value, weight, b)[0] for b in candidates])
    best = int(np.argmin(losses))
    near = candidates[max(best - 1, 0)], candidates[min(best + 1, len(candidates) - 1)]
    fine = np.linspace(*near, 21)
    bend = float(fine[int(np.argmin([_loss(time, value, weight, b)[0] for b in fine]))])
    loss, slopes = _loss(time, value, weight, bend)
    design = np.stack(
        [
            np.ones_like(time),
            time,
            np.maximum(time - bend, 0.0),
            -slopes[2] * (time > bend),
        ],
        axis=1,
    )
    normal = (design * weight[:, None] ** 2).T @ design
    scale = max(loss / max(len(time) - 4, 1), 1.0)
    return bend, float(np.sqrt(max(np.linalg.pinv(normal)[3, 3] * scale, 0.0)))


def _loss(time: Array, value: Array, weight: Array, bend: float) -> tuple[float, Array]:
    design = np.stack([np.ones_like(time), time, np.maximum(time - bend, 0.0)], axis=1)
    scaled = design * weight[:, None]
    slopes: Array = np.asarray(
        np.linalg.solve(scaled.T @ scaled, scaled.T @ (value * weight)), dtype=np.float64
    )
    residual = (value - design @ slopes) * weight
    return float(residual @ residual), slopes


def _smoothed(time: Array, values: Array) -> tuple[Array, float]:
    """Mean over a twentieth of the record, and the scatter of that mean."""
    count = len(values)
    half = max(count // 40, 1)
    total = np.concatenate([[0.0], np.cumsum(values)])
    index = np.arange(count)
    low, high = np.maximum(index - half, 0), np.minimum(index + half + 1, count)
    smooth = (total[high] - total[low]) / (high - low)
    step = np.std(np.diff(values[count // 2 :], 2)) / np.sqrt(6.0)  # of a parabola, none
    return smooth, float(step / np.sqrt(2 * half + 1))
