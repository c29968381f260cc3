"""One Gaussian process per observable: fit by maximum a posteriori, predict, condition.

Matern 5/2 kernel with one lengthscale per parameter (the indicators of a categorical share one),
a constant mean profiled out by generalised least squares, the stated measurement variance plus
an inferred one. Same model as BoTorch's `SingleTaskGP` over given noise; the marginal likelihood
and its gradient are written out (Rasmussen and Williams 2006, eqs. 5.8 and 5.9) because that is
an order of magnitude faster at some hundred observations, which replays need.

Observations of several sites (labs that run the same station) share an unknown offset each: a
random effect, whose variance is learnt with the rest. A prediction is that of a site whose offset
is the mean one, so that sites are corrected for rather than averaged.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from agents.encoding import Array, Indices

ITERATIONS = 60
REFITS = 10
"""Hyperparameters are learnt from the first observations, anew with every tenth more of them; the
latest ones are conditioned on all the same. They change little from one to the next, and the fit
is most of a proposal's time."""
KEPT = 16
_KNOWN: dict[tuple[bytes, ...], Array] = {}
"""Hyperparameters by the data that they were learnt from: a cache, and nothing but."""
# Log-normal priors. Lengthscales grow with the root of the dimension (Hvarfner et al. 2024, ICML,
# "Vanilla Bayesian optimization performs great in high dimensions"); location and width are
# assumed: half that root, within a factor e, since campaigns have tens of trials to learn from.
LENGTHSCALE_FACTOR, LENGTHSCALE_SPREAD = 0.5, 1.0
# Inferred noise beside the stated errors, on standardised values, assumed: a tenth or so of the
# spread, which synthesis repeats show, within a wide range.
NOISE_LOCATION, NOISE_SPREAD = -3.0, 1.5
SIGNAL_SPREAD = 1.0
# Variance of sites' offsets on standardised values, assumed: a third of the spread, within a wide
# range, from equal labs to labs that differ by more than recipes do.
SITE_LOCATION, SITE_SPREAD = -2.2, 1.5
LOG_BOUNDS = ((math.log(0.02), math.log(200.0)), (-5.0, 4.0), (math.log(1e-5), 0.0))
SITE_BOUNDS = (math.log(1e-5), 3.0)
NOWHERE = -1  # the site of what was measured at none that is known
JITTER = 1e-8
BELIEVED = 1e-5  # variance of what is believed, standardised: enough to tell equal points apart
ROOT5 = math.sqrt(5.0)


def _unchanged(columns: Tensor) -> Tensor:
    return columns


@dataclass(frozen=True)
class Process:
    """A fitted process. Standardised inside, natural units outside.

    Attributes:
        inputs: From columns (..., D) to what the kernel sees (..., I).
        seen: (n, I) inputs of the observations.
        values: (n,) standardised observations.
        variances: (n,) their stated variances, standardised, without the inferred noise.
        lengthscales: (I,) in inputs.
        signal: Prior variance, standardised.
        noise: Inferred noise variance, standardised.
        level: Prior mean, standardised.
        shift: Mean of the observations in natural units.
        spread: Their standard deviation in natural units.
        factor: (n, n) Cholesky factor of the covariance of the observations.
        weights: (n,) inverse covariance times (values - level).
        log: Whether the observations are logarithms of the observable.
        sites: (n,) where each was measured, `NOWHERE` where that is not known; None where all
            were at one site.
        site: Prior variance of a site's offset, standardised.
    """

    inputs: Callable[[Tensor], Tensor]
    seen: Tensor
    values: Tensor
    variances: Tensor
    lengthscales: Tensor
    signal: float
    noise: float
    level: float
    shift: float
    spread: float
    factor: Tensor
    weights: Tensor
    log: bool = False
    sites: Tensor | None = None
    site: float = 0.0

    def predict(self, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance of the noise-free value at columns (..., D), each (...)."""
        cross = self.signal * _matern(
            _squared_distances(
                self.inputs(columns) / self.lengthscales, self.seen / self.lengthscales
            )
        )
        mean = self.level + cross @ self.weights
        flat = cross.reshape(-1, cross.shape[-1])
        half = torch.linalg.solve_triangular(self.factor, flat.mT, upper=False)
        variance = (self.signal - half.square().sum(0)).clamp_min(1e-9 * self.signal)
        return (
            self.shift + self.spread * mean,
            self.spread**2 * variance.reshape(mean.shape),
        )

    @property
    def noise_variance(self) -> float:
        """Inferred variance of a measurement beyond its stated error, in natural units."""
        return self.noise * self.spread**2

    def believing(self, columns: Tensor, *, measured: bool = False) -> Process:
        """Return the process as if columns (k, D) had been seen to give what it predicts.

        The mean stays as it is; the variance near the points falls ("kriging believer",
        Ginsbourger et al. 2010). They are believed without scatter: a batch that allows for it
        fills up with repeats of its first recipe. `measured` allows for it: what a measurement
        teaches is less than the value itself.
        """
        mean, _ = self.predict(columns)
        nowhere = torch.full((len(columns),), NOWHERE)
        scatter = 0.0 if measured else BELIEVED - self.noise
        stated = columns.new_full((len(columns),), scatter)
        return _solved(
            replace(
                self,
                seen=torch.cat([self.seen, self.inputs(columns)]),
                values=torch.cat([self.values, (mean - self.shift) / self.spread]),
                variances=torch.cat([self.variances, stated]),
                sites=None if self.sites is None else torch.cat([self.sites, nowhere]),
            )
        )


def fit_process(
    columns: Array,
    values: Array,
    errors: Array,
    groups: Indices,
    inputs: Callable[[Tensor], Tensor] = _unchanged,
    sites: Indices | None = None,
) -> Process:
    """Fit one process.

    Args:
        columns: (n, D) model columns.
        values: (n,) observations in natural units.
        errors: (n,) their standard errors, zero where none is stated.
        groups: (I,) which lengthscale each input uses.
        inputs: From columns to inputs (I = D where they are the same).
        sites: (n,) where each was measured; see `Process.sites`.

    Returns:
        The process at the maximum of the posterior of its hyperparameters (`REFITS`).
    """
    shift = float(values.mean())
    spread = float(values.std()) or 1.0
    x = inputs(torch.as_tensor(columns, dtype=torch.float64))
    y = torch.as_tensor((values - shift) / spread, dtype=torch.float64)
    variances = torch.as_tensor((errors / spread) ** 2, dtype=torch.float64)
    learnt = len(values) - len(values) % max(1, len(values) // REFITS)
    of_sites = None if sites is None else sites[:learnt]
    theta = _hyperparameters(x[:learnt], values[:learnt], errors[:learnt], groups, of_sites)
    count = len(theta) - (2 if sites is None else 3)
    lengthscales = torch.as_tensor(np.exp(theta[:count])[groups], dtype=torch.float64)
    empty = x.new_empty(0)
    draft = Process(
        inputs,
        x, y, variances, lengthscales, math.exp(theta[count]), math.exp(theta[count + 1]),
        0.0, shift, spread, empty, empty,
    )  # fmt: skip
    if sites is not None:
        draft = replace(draft, sites=torch.as_tensor(sites), site=math.exp(theta[-1]))
    covariance = _covariance(draft)
    level = _level(torch.linalg.cholesky(covariance), y)
    return _solved(replace(draft, level=float(level)))


def _hyperparameters(
    x: Tensor, values: Array, errors: Array, groups: Indices, sites: Indices | None
) -> Array:
    """Return (log lengthscales, signal, noise and, of several sites, offsets) as `_Posterior`."""
    where = b"" if sites is None else sites.tobytes()
    key = (x.numpy().tobytes(), values.tobytes(), errors.tobytes(), groups.tobytes(), where)
    if key in _KNOWN:
        return _KNOWN[key]
    spread = float(values.std()) or 1.0
    objective = _Posterior(
        x,
        torch.as_tensor((values - values.mean()) / spread, dtype=torch.float64),
        torch.as_tensor((errors / spread) ** 2, dtype=torch.float64),
        groups,
        None if sites is None else torch.as_tensor(sites),
    )
    found = minimize(
        objective,
        objective.start,
        jac=True,
        method="L-BFGS-B",
        bounds=objective.bounds,
        options={"maxiter": ITERATIONS, "ftol": 1e-6, "gtol": 1e-3},
    )
    if len(_KNOWN) >= KEPT:
        _KNOWN.clear()
    _KNOWN[key] = np.asarray(found.x)
    return _KNOWN[key]


def log_likelihood(process: Process, values: Array, errors: Array) -> float:
    """Return the log marginal likelihood of other values at a process's hyperparameters.

    Args:
        process: Whose inputs, lengthscales, signal and noise (both relative) are used.
        values: (n,) observations, standardised here.
        errors: (n,) their standard errors.
    """
    spread = float(values.std()) or 1.0
    y = torch.as_tensor((values - values.mean()) / spread, dtype=torch.float64)
    variances = torch.as_tensor((errors / spread) ** 2, dtype=torch.float64)
    factor = torch.linalg.cholesky(_covariance(replace(process, variances=variances)))
    residual = (y - _level(factor, y))[:, None]
    misfit = float((residual * torch.cholesky_solve(residual, factor)).sum())
    volume = float(factor.diagonal().log().sum()) + len(y) * math.log(spread)
    return -0.5 * misfit - volume


class _Posterior:
    """Negative log posterior of (log lengthscales, log signal, log noise), with its gradient.

    Of several sites, the logarithm of their offsets' variance comes last.
    """

    def __init__(
        self, x: Tensor, y: Tensor, variances: Tensor, groups: Indices, sites: Tensor | None
    ) -> None:
        self.count = int(groups.max()) + 1 if len(groups) else 0
        self.y, self.variances = y, variances
        index = torch.as_tensor(groups, dtype=torch.long)
        squares = (x[:, None, :] - x[None, :, :]).square().permute(2, 0, 1)
        self.squares = x.new_zeros(self.count, len(y), len(y)).index_add(0, index, squares)
        location = math.log(LENGTHSCALE_FACTOR * math.sqrt(max(1, self.count)))
        self.location = np.array([location] * self.count + [0.0, NOISE_LOCATION])
        self.width = np.array([LENGTHSCALE_SPREAD] * self.count + [SIGNAL_SPREAD, NOISE_SPREAD])
        first, signal, noise = LOG_BOUNDS
        self.bounds = [first] * self.count + [signal, noise]
        self.alike = None if sites is None else _alike(sites)
        if self.alike is not None:
            self.location = np.append(self.location, SITE_LOCATION)
            self.width = np.append(self.width, SITE_SPREAD)
            self.bounds.append(SITE_BOUNDS)
        self.start = self.location.copy()
        self.eye = torch.eye(len(y), dtype=torch.float64)

    def __call__(self, theta: Array) -> tuple[float, Array]:
        inverse = torch.as_tensor(np.exp(-2.0 * theta[: self.count]), dtype=torch.float64)
        signal, noise = (math.exp(t) for t in theta[self.count : self.count + 2])
        radius = torch.tensordot(inverse, self.squares, dims=1).sqrt() * ROOT5
        decay = torch.exp(-radius)
        kernel = signal * (1.0 + radius + radius.square() / 3.0) * decay
        covariance = kernel + torch.diag(self.variances + noise + JITTER * signal)
        offsets = None if self.alike is None else math.exp(theta[-1]) * self.alike
        factor = torch.linalg.cholesky(covariance if offsets is None else covariance + offsets)
        level = _level(factor, self.y)
        residual = self.y - level
        inverted = torch.cholesky_inverse(factor)
        weights = inverted @ residual
        value = 0.5 * float(residual @ weights) + float(factor.diagonal().log().sum())
        slope = inverted - torch.outer(weights, weights)
        gradient = np.empty_like(theta)
        shaped = slope * decay * (1.0 + radius) * (signal * 5.0 / 3.0)
        by_group = (self.squares * shaped).sum(dim=(1, 2)) * inverse
        gradient[: self.count] = 0.5 * by_group.numpy()
        gradient[self.count] = 0.5 * float((slope * kernel).sum())
        gradient[self.count + 1] = 0.5 * noise * float(slope.diagonal().sum())
        if offsets is not None:
            gradient[-1] = 0.5 * float((slope * offsets).sum())
        scaled = (theta - self.location) / self.width
        return value + 0.5 * float(scaled @ scaled), gradient + scaled / self.width


def similarity(points: Tensor) -> Tensor:
    """Return the kernel (n, n) between points (n, I) already divided by their lengthscales."""
    return _matern(torch.cdist(points, points).square())


def _matern(squared: Tensor) -> Tensor:
    radius = squared.clamp_min(1e-16).sqrt() * ROOT5
    return (1.0 + radius + radius.square() / 3.0) * torch.exp(-radius)


def _squared_distances(left: Tensor, right: Tensor) -> Tensor:
    product = left @ right.mT
    return left.square().sum(-1, keepdim=True) + right.square().sum(-1) - 2.0 * product


def _alike(sites: Tensor) -> Tensor:
    """Return (n, n), 1 where two observations are of the same known site, else 0."""
    return ((sites[:, None] == sites[None, :]) & (sites[:, None] != NOWHERE)).to(torch.float64)


def _covariance(process: Process) -> Tensor:
    scaled = process.seen / process.lengthscales
    kernel = process.signal * _matern(torch.cdist(scaled, scaled).square())
    if process.sites is not None:
        kernel = kernel + process.site * _alike(process.sites)
    extra = process.variances + process.noise + JITTER * process.signal
    return kernel + torch.diag(extra)


def _level(factor: Tensor, y: Tensor) -> Tensor:
    ones = torch.ones_like(y)[:, None]
    solved = torch.cholesky_solve(ones, factor)[:, 0]
    return (solved @ y) / solved.sum()


def _solved(process: Process) -> Process:
    factor = torch.linalg.cholesky(_covariance(process))
    residual = (process.values - process.level)[:, None]
    return replace(process, factor=factor, weights=torch.cholesky_solve(residual, factor)[:, 0])
