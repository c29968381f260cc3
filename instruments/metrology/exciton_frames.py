"""The first exciton in a series of absorbance frames, and what size it stands for.

Each frame: a baseline and the edge of reference samples (Gaussian exciton, broadened step and
square-root continuum in fixed proportions, physics specification 2.3) from the clear side to a
little above the exciton, where higher transitions have no part. Followed from the last frame back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import erf

from surrogate_sim.materials import emission_energy, stokes_shift

Array = NDArray[np.float64]
HC = 1239.841984
_FWHM = 2.0 * math.sqrt(2.0 * math.log(2.0))
_ABOVE = 0.5  # widths above the exciton up to which the edge is fitted
_EXCITON, _STEP = 1.0, 0.35  # exciton over step, step over plateau, of reference samples
_MATCHED, _LEAST_SPAN = 3.1, 0.35  # eV, where the edge meets the plateau
_WIDTHS = (0.07, 0.55)  # eV, least and greatest FWHM that is taken for an exciton
_RIDGE, _DAMPING = 1e-7 * np.eye(2), 1e-8 * np.eye(4)  # keep a featureless frame solvable
_REACH = 0.15  # eV from the foot of the edge within which the exciton is sought
SEEN = 8.0  # height of the step over what the fit leaves
CLEAR = 5.0  # depth of a minimum of the second derivative over its noise
_STRIDE, _SMOOTHING = 0.005, 0.030  # eV, of the second derivative; well below a line's width
_GRID = np.arange(2.30, 3.25, _STRIDE)  # eV, from large dots to the smallest of the ladder
_RIPPLE = 0.35  # of the deepest minimum: less is noise or the foot of a neighbour


@dataclass(frozen=True, slots=True)
class ExcitonFrame:
    """Exciton energy, FWHM [eV] with standard errors, and height [AU]; NaN where none is seen.

    `peak` is where the spectrum bends most at the first exciton [eV], whatever its width.
    """

    energy: float
    energy_se: float
    width: float
    width_se: float
    height: float
    peak: float = math.nan


NONE = ExcitonFrame(math.nan, math.nan, math.nan, math.nan, math.nan)


def apparent_edge(energy: float) -> float:
    """Edge of the cube whose first exciton has this `energy` [eV] at room temperature, in [nm].

    The published calibration was made with cubes (seed 001). NaN beyond 2 to 40 nm.
    """

    def excess(edge: float) -> float:
        return float(emission_energy(edge) + stokes_shift(edge)) - energy

    if not excess(40.0) < 0.0 < excess(1.5):
        return math.nan
    return float(brentq(excess, 1.5, 40.0, xtol=1e-6))


def follow(wavelengths: Array, frames: Array, noise: float) -> list[ExcitonFrame]:
    """Fit every frame, the last one first; each starts where its successor was found.

    Args:
        wavelengths: Shape (n,), rising [nm].
        frames: Absorbance, shape (t, n).
        noise: Standard deviation of a reading [AU].
    """
    energy = HC / wavelengths[::-1]
    found: list[ExcitonFrame] = []
    start: tuple[float, float] | None = None
    for values in frames[::-1, ::-1].astype(np.float64):
        frame = fit(energy, values, noise, start)
        if not math.isnan(frame.energy):
            start = (frame.energy, frame.width)
        found.append(frame)
    peaks = first_peaks(wavelengths, frames, noise)
    return [replace(f, peak=float(p)) for f, p in zip(found[::-1], peaks, strict=True)]


def first_peaks(wavelengths: Array, frames: Array, noise: float) -> Array:
    """Energy of the first exciton by the second derivative, shape (t,) [eV]; NaN where none is.

    The lowest minimum of the second derivative that stands out of the noise and is no ripple
    beside the deepest one. Neighbouring sizes that the spectrum only blurs stay apart in it,
    which is why seed 001 maps it.

    Args:
        wavelengths: Shape (n,), rising [nm].
        frames: Absorbance, shape (t, n).
        noise: Standard deviation of a reading [AU].
    """
    operator = _curvature(HC / wavelengths)
    curves = frames.astype(np.float64) @ operator.T
    error = noise * np.linalg.norm(operator, axis=1)
    return np.array([_lowest_minimum(curve, error) for curve in curves])


def _curvature(energy: Array) -> Array:
    """Matrix from readings at `energy` to the smoothed second derivative on `_GRID`."""
    order = np.argsort(energy)
    margin = int(4.0 * _SMOOTHING / _STRIDE)
    wide = _GRID[0] + _STRIDE * np.arange(-margin, len(_GRID) + margin)
    unit = np.eye(len(energy))[:, order]
    even = np.array([np.interp(wide, energy[order], row) for row in unit]).T
    offset = _STRIDE / _SMOOTHING * np.arange(-margin, margin + 1)
    kernel = (offset**2 - 1.0) * np.exp(-0.5 * offset**2)
    return np.array([kernel @ even[i : i + len(kernel)] for i in range(len(_GRID))])


def _lowest_minimum(curve: Array, error: Array) -> float:
    deepest = float(curve.min())
    for i in range(2, len(curve) - 2):
        around = curve[i - 2 : i + 3]
        if curve[i] > around.min() or curve[i] > -CLEAR * error[i] or curve[i] > _RIPPLE * deepest:
            continue
        bend = curve[i - 1] - 2.0 * curve[i] + curve[i + 1]
        shift = 0.5 * (curve[i - 1] - curve[i + 1]) / bend if bend > 0.0 else 0.0
        return float(_GRID[i] + shift * _STRIDE)
    return math.nan


def fit(
    energy: Array, values: Array, noise: float, start: tuple[float, float] | None
) -> ExcitonFrame:
    """Fit one frame.

    Args:
        energy: Shape (n,), rising [eV].
        values: Absorbance, shape (n,).
        noise: Standard deviation of a reading [AU].
        start: Energy and FWHM to start from [eV]; None starts at the foot of the edge alone.
    """
    near = _foot(energy, values, noise)
    if math.isnan(near):
        return NONE
    guesses = [(near, 0.13), (near, 0.25)]
    if start is not None and abs(start[0] - near) < _REACH:
        guesses.insert(0, start)
    found = (NONE, math.inf)
    for guess in guesses:
        point, cost = _refine(energy, values, np.array(guess), near)
        frame = _frame(energy, values, point, noise) if cost < found[1] else NONE
        found = (frame, cost) if not math.isnan(frame.energy) else found
        if guess == start and not math.isnan(frame.energy):
            break
    return found[0]


def _foot(energy: Array, values: Array, noise: float) -> float:
    """Where the absorbance reaches the share of that at 3.1 eV which the exciton has [eV]."""
    dark = float(np.median(values[:12]))
    plateau = float(np.mean(values[(energy > 3.07) & (energy < 3.13)])) - dark
    if plateau < SEEN * noise:
        return math.nan
    smooth = np.convolve(values - dark, np.full(5, 0.2), mode="same")
    above = np.flatnonzero(smooth[3:-3] > 0.35 * plateau)
    return float(energy[3:-3][above[0]]) if len(above) else math.nan


def _basis(energy: Array, point: Array) -> Array:
    """The edge with its exciton, 1 where it meets the plateau, and the baseline, shape (n, 2)."""
    centre, sigma = float(point[0]), float(point[1]) / _FWHM
    offset = energy - centre
    bell = np.exp(-0.5 * (offset / sigma) ** 2)
    rise = 0.5 * (1.0 + erf(offset / (math.sqrt(2.0) * sigma)))
    root = _root(offset / sigma) * math.sqrt(sigma / max(_MATCHED - centre, _LEAST_SPAN))
    edge = _STEP * (_EXCITON * bell + rise) + (1.0 - _STEP) * root
    return np.column_stack([edge, np.ones_like(offset)])


_TABLE = np.linspace(-6.0, 12.0, 721)
_POINTS = np.linspace(-6.0, 6.0, 601)
_WEIGHT = np.exp(-0.5 * _POINTS**2) / np.exp(-0.5 * _POINTS**2).sum()
_VALUES = np.sqrt(np.maximum(_TABLE[:, None] + _POINTS[None, :], 0.0)) @ _WEIGHT


def _root(reduced: Array) -> Array:
    """Square root, 0 below 0, broadened by a Gaussian of unit deviation."""
    far = np.sqrt(np.maximum(reduced, 1.0))
    return np.where(reduced < _TABLE[-1], np.interp(reduced, _TABLE, _VALUES), far)


def _solve(energy: Array, values: Array, point: Array) -> tuple[float, Array, Array]:
    """Mean square left (raised by amplitudes below zero), amplitudes and basis."""
    basis = _basis(energy, point)
    normal = basis.T @ basis
    normal += _RIDGE
    amplitude = np.asarray(np.linalg.solve(normal, basis.T @ values), np.float64)
    left = values - basis @ amplitude
    penalty = 4.0 if amplitude[0] < 0.0 else 1.0
    return float(left @ left) / len(left) * penalty, amplitude, basis


def _refine(energy: Array, values: Array, start: Array, near: float) -> tuple[Array, float]:
    """Gauss and Newton over centre and width, twice: the window is set anew in between."""
    point, cost = start, math.inf
    for _ in range(2):
        inside = _window(energy, point)
        if inside.sum() < 15:
            return start, math.inf
        e, v = energy[inside], values[inside]
        best = _solve(e, v, point)
        for _ in range(8):
            moved = _improve(e, v, point, best, near)
            if moved is None:
                break
            step, (point, best) = float(np.abs(moved[0] - point).max()), moved
            if step < 5e-5:
                break
        cost = best[0]
    return point, cost


def _window(energy: Array, point: Array) -> NDArray[np.bool_]:
    """From the clear side to a little above the exciton, below where the next level sets in."""
    centre, width = float(point[0]), float(point[1])
    return (energy > centre - max(0.25, 1.5 * width)) & (energy < centre + _ABOVE * width)


def _slopes(energy: Array, point: Array, amplitude: Array, basis: Array) -> Array:
    """Derivatives by centre, width and amplitudes, shape (n, 4)."""
    columns = []
    for i in range(2):
        moved = point.copy()
        moved[i] += 1e-4
        columns.append((_basis(energy, moved) @ amplitude - basis @ amplitude) / 1e-4)
    return np.column_stack([*columns, basis])


def _improve(
    energy: Array, values: Array, point: Array, best: tuple[float, Array, Array], near: float
) -> tuple[Array, tuple[float, Array, Array]] | None:
    """One damped step; None where nothing better is near."""
    _, amplitude, basis = best
    jacobian = _slopes(energy, point, amplitude, basis)
    normal = jacobian.T @ jacobian
    step = np.linalg.solve(normal + _DAMPING, jacobian.T @ (values - basis @ amplitude))[:2]
    step = np.clip(step, [-0.05, -0.05], [0.05, 0.05])
    for factor in (1.0, 0.3):
        trial = point + factor * step
        trial[0] = min(max(trial[0], near - _REACH), near + _REACH)
        trial[1] = min(max(trial[1], _WIDTHS[0]), _WIDTHS[1])
        found = _solve(energy, values, trial)
        if found[0] < best[0] * (1.0 - 1e-9):
            return trial, found
    return None


def _frame(energy: Array, values: Array, point: Array, noise: float) -> ExcitonFrame:
    inside = _window(energy, point)
    if inside.sum() < 15:
        return NONE
    cost, amplitude, basis = _solve(energy[inside], values[inside], point)
    step = _STEP * float(amplitude[0])
    spread = max(math.sqrt(cost), noise)
    centre, width = float(point[0]), float(point[1])
    outside = not _WIDTHS[0] * 1.01 < width < _WIDTHS[1] * 0.99
    if outside or step < SEEN * spread:
        return NONE
    jacobian = _slopes(energy[inside], point, amplitude, basis)
    variance = np.diag(np.linalg.pinv(jacobian.T @ jacobian)) * spread**2
    return ExcitonFrame(centre, math.sqrt(variance[0]), width, math.sqrt(variance[1]), step)


def band_maximum(wavelengths: Array, values: Array, low: float, high: float) -> float:
    """Energy of the highest point of a band between `low` and `high` [eV], by a parabola.

    Args:
        wavelengths: Shape (n,), rising [nm].
        values: Absorbance, shape (n,).
        low: [eV]
        high: [eV]
    """
    energy, smooth = HC / wavelengths, np.convolve(values, np.full(5, 0.2), mode="same")
    inside = np.flatnonzero((energy > low) & (energy < high))
    top = int(inside[np.argmax(smooth[inside])])
    near = slice(max(top - 6, 2), min(top + 7, len(energy) - 2))
    curve = np.polyfit(energy[near] - energy[top], smooth[near], 2)
    if curve[0] >= 0.0:
        return math.nan
    return float(energy[top] - 0.5 * curve[1] / curve[0])
