"""Small-angle scattering to sizes: agglomerates and a Gaussian population of spheres, per frame.

As in seed 001: the pattern is the sum of 3.0 nm agglomerates, of crystals with a Gaussian size
distribution and of a background. Amplitudes are linear and solved exactly; mean and deviation are
found by Gauss and Newton, frame after frame from the last one back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ELECTRON_RADIUS = 2.8179403e-6  # nm (CODATA 2018)
_PER_MICROMOLAR = 6.02214076e-7  # particles per nm3
_NARROWEST, _WIDEST = 0.15, 0.25  # nm; share of the mean, wider is no population of its own
_SMALLEST, _LARGEST, _STEP = 1.5, 30.0, 0.1
CARRIED = 0.05
"""Relative error of a size that is carried over from an earlier frame."""
_BROAD = 0.14
SIGNIFICANT = 6.0  # amplitude over its error from which crystals are seen


@dataclass(frozen=True, slots=True)
class Populations:
    """What one frame holds; NaN where no crystals are seen.

    Attributes:
        size: Mean diameter [nm].
        size_se: Its standard error.
        deviation: Standard deviation of the diameter [nm].
        deviation_se: Its standard error.
        number: Crystals [µmol/L].
        number_se: Its standard error, without that of the intensity scale.
        agglomerates: Amplitude of the agglomerates, their intensity at q = 0 [1/cm].
        cube_moment: Mean cube of the diameter [nm3].
        fit_quality: Reduced chi square.
    """

    size: float
    size_se: float
    deviation: float
    deviation_se: float
    number: float
    number_se: float
    agglomerates: float
    cube_moment: float
    fit_quality: float


_NAN = math.nan
UNKNOWN = Populations(_NAN, _NAN, _NAN, _NAN, _NAN, _NAN, _NAN, _NAN, _NAN)
"""A frame of which nothing is known."""


def form(q: Array, diameter: Array) -> Array:
    """Normalised intensity of spheres, shape (q, d): (3 (sin x - x cos x) / x^3)^2, x = q d/2."""
    x = np.maximum(0.5 * q[:, None] * diameter[None, :], 1e-4)
    return np.asarray((3.0 * (np.sin(x) - x * np.cos(x)) / x**3) ** 2)


class PatternFit:
    """Fits frames that share one axis.

    Args:
        q: Shape (n,) [1/nm].
        sensitivity: Counts per 1/cm in each bin, shape (n,).
        contrast: Electron density difference of crystal and solvent [1/nm3].
        agglomerate: Diameter of the agglomerates [nm]; None fits crystals alone.
        spread: Relative spread of the agglomerates' diameter.
    """

    def __init__(
        self, q: Array, sensitivity: Array, contrast: float, agglomerate: float | None,
        spread: float = 0.1,
    ) -> None:  # fmt: skip
        self.q, self.sensitivity = q, sensitivity
        self.sizes = np.arange(_SMALLEST, _LARGEST, _STEP)
        volume = math.pi / 6.0 * self.sizes**3
        strength = _PER_MICROMOLAR * (ELECTRON_RADIUS * contrast * volume) ** 2 * 1e7
        self.table = form(q, self.sizes) * strength * sensitivity[:, None]
        columns = [sensitivity]
        if agglomerate is not None:
            small = np.linspace(0.6, 1.4, 33) * agglomerate
            share = np.exp(-0.5 * ((small / agglomerate - 1.0) / spread) ** 2) * small**6
            columns.append(form(q, small) @ (share / share.sum()) * sensitivity)
        self.fixed = np.column_stack(columns)

    def crystals(self, size: float, deviation: float) -> Array:
        """Counts of 1 µmol/L of crystals, shape (n,)."""
        weight = np.exp(-0.5 * ((self.sizes - size) / deviation) ** 2)
        return np.asarray(self.table @ (weight / weight.sum()))

    def frame(
        self,
        counts: Array,
        start: tuple[float, float] | None,
        use: NDArray[np.bool_] | None = None,
    ) -> tuple[Populations, Array]:
        """Fit one frame.

        Args:
            counts: Shape (n,).
            start: Mean and deviation to start from [nm]; searched for where None.
            use: Bins that enter, shape (n,); all where None.

        Returns:
            What it holds, and the model in counts, shape (n,).
        """
        rows = np.ones(len(counts), bool) if use is None else use
        weight = rows / np.maximum(_smooth(counts), 3.0)
        guess = start or self._search(counts, weight)
        if guess is None:
            amplitude = _nonnegative(self.fixed, counts, weight)
            model = self.fixed @ amplitude
            quality = float(weight @ (counts - model) ** 2) / max(int(rows.sum()) - 2, 1)
            cluster = float(amplitude[1]) if len(amplitude) > 1 else 0.0
            return replace(UNKNOWN, agglomerates=cluster, fit_quality=quality), model
        starts = [guess]
        if starts[0][1] > _BROAD * starts[0][0]:
            starts.append((4.5, 0.4))  # the first crystals are narrow; broad fits hide them
        fits = [self._descend(np.array([s, math.log(w)]), counts, weight) for s, w in starts]
        point, best = min(fits, key=lambda f: f[1][0])
        return self._result(point, best, weight, int(rows.sum()))

    def amplitudes(
        self, counts: Array, known: Populations, use: NDArray[np.bool_]
    ) -> tuple[Populations, Array]:
        """Fit the amplitudes alone, sizes being `known`; bins `use` enter.

        Agglomerates are taken to be gone once crystals assemble.

        Returns:
            The known sizes with these amplitudes, their errors widened as they were not
            measured, and the model in counts.
        """
        weight = use / np.maximum(_smooth(counts), 3.0)
        basis = np.column_stack([self.crystals(known.size, known.deviation), self.sensitivity])
        amplitude = _nonnegative(basis, counts, weight)
        model = basis @ amplitude
        left = float(weight @ (counts - model) ** 2) / max(int(use.sum()) - 2, 1)
        number = float(amplitude[0])
        return replace(
            known,
            number=number,
            number_se=3.0 * CARRIED * number,
            size_se=CARRIED * known.size,
            deviation_se=3.0 * CARRIED * known.deviation,
            agglomerates=0.0,
            fit_quality=left,
        ), model

    def _descend(
        self, point: Array, counts: Array, weight: Array
    ) -> tuple[Array, tuple[float, Array, Array]]:
        """Gauss and Newton from one start to a minimum."""
        best = self._solve(point, counts, weight)
        for _ in range(12):
            moved = self._improve(point, best, counts, weight)
            if moved is None:
                break
            step = float(np.abs(moved[0] - point).max())
            point, best = moved
            if step < 1e-4:
                break
        return point, best

    def _search(self, counts: Array, weight: Array) -> tuple[float, float] | None:
        """A first guess from a coarse table; None where no crystals stand out of the noise."""
        grid = [(d, s * d) for d in np.geomspace(2.0, 18.0, 16) for s in (0.08, 0.2)]
        costs = [self._solve(np.array([d, math.log(s)]), counts, weight)[0] for d, s in grid]
        empty = self.fixed @ _nonnegative(self.fixed, counts, weight)
        if float(weight @ (counts - empty) ** 2) - min(costs) < SIGNIFICANT**2:
            return None
        return grid[int(np.argmin(costs))]

    def _solve(self, point: Array, counts: Array, weight: Array) -> tuple[float, Array, Array]:
        """Cost, amplitudes (crystals first) and model for a mean and log deviation."""
        basis = np.column_stack([self.crystals(point[0], math.exp(point[1])), self.fixed])
        amplitude = _nonnegative(basis, counts, weight)
        model = basis @ amplitude
        return float(weight @ (counts - model) ** 2), amplitude, model

    def _improve(
        self, point: Array, best: tuple[float, Array, Array], counts: Array, weight: Array
    ) -> tuple[Array, tuple[float, Array, Array]] | None:
        """One damped Gauss-Newton step; None where nothing better is near."""
        jacobian = self._jacobian(point, best, weight)
        left = np.sqrt(weight) * (counts - best[2])
        step = np.linalg.lstsq(jacobian, left, rcond=None)[0][:2]
        step = np.clip(step, [-1.0, -0.7], [1.0, 0.7])
        for factor in (1.0, 0.4, 0.1):
            trial = point + factor * step
            size = float(np.clip(trial[0], _SMALLEST, _LARGEST - 4.0))
            lowest, highest = math.log(_NARROWEST), math.log(_WIDEST * size)
            trial = np.array([size, float(np.clip(trial[1], lowest, highest))])
            found = self._solve(trial, counts, weight)
            if found[0] < best[0] - 1e-6 * best[0]:
                return trial, found
        return None

    def _jacobian(self, point: Array, best: tuple[float, Array, Array], weight: Array) -> Array:
        """Weighted derivatives by mean, log deviation and each amplitude, shape (n, 2 + k)."""
        number = best[1][0]
        here = self.crystals(point[0], math.exp(point[1]))
        by_size = (self.crystals(point[0] + 0.01, math.exp(point[1])) - here) / 0.01 * number
        by_width = (self.crystals(point[0], math.exp(point[1] + 0.01)) - here) / 0.01 * number
        columns = np.column_stack([by_size, by_width, here, self.fixed])
        return np.asarray(columns * np.sqrt(weight)[:, None])

    def _result(
        self, point: Array, best: tuple[float, Array, Array], weight: Array, used: int
    ) -> tuple[Populations, Array]:
        cost, amplitude, model = best
        jacobian = self._jacobian(point, best, weight)
        scale = np.maximum(np.linalg.norm(jacobian, axis=0), 1e-30)
        normal = np.linalg.pinv((jacobian / scale).T @ (jacobian / scale))
        quality = cost / max(used - len(scale), 1)
        errors = np.sqrt(np.maximum(np.diag(normal), 0.0) * max(quality, 1.0)) / scale
        size, deviation = float(point[0]), math.exp(float(point[1]))
        cluster = float(amplitude[2]) if len(amplitude) > 2 else 0.0
        if amplitude[0] < SIGNIFICANT * errors[2] or amplitude[0] <= 0.0:
            nan = math.nan
            return Populations(nan, nan, nan, nan, nan, nan, cluster, nan, quality), model
        cube = size**3 + 3.0 * size * deviation**2
        return Populations(
            size, float(errors[0]), deviation, float(errors[1]) * deviation, float(amplitude[0]),
            float(errors[2]), cluster, cube, quality,
        ), model  # fmt: skip


def _nonnegative(basis: Array, counts: Array, weight: Array) -> Array:
    """Weighted least squares; amplitudes below zero are dropped one by one."""
    active = list(range(basis.shape[1]))
    while active:
        part = basis[:, active]
        scale = np.sqrt(weight @ part**2) + 1e-30
        scaled = part / scale
        normal = scaled.T @ (scaled * weight[:, None])
        normal[np.diag_indices_from(normal)] += 1e-12
        found = np.linalg.solve(normal, scaled.T @ (weight * counts)) / scale
        lowest = int(np.argmin(found * scale))
        if found[lowest] >= 0.0:
            out = np.zeros(basis.shape[1])
            out[active] = found
            return out
        active.pop(lowest)
    return np.zeros(basis.shape[1])


def _smooth(counts: Array) -> Array:
    """Mean of five bins, so that a chance low count gets no undue weight."""
    padded = np.pad(counts, 2, mode="edge")
    return np.asarray(np.convolve(padded, np.full(5, 0.2), mode="valid"))
