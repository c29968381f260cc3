"""Multi-exponential fits of photon-counting decays by maximum likelihood.

The model is a sum of exponentials convolved with a Gaussian instrument response on a flat
background, in counts; the statistics are Poisson. The number of components is the one with the
lowest Bayesian information criterion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import erf, erfcx

Array = NDArray[np.float64]
_FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))


@dataclass(frozen=True)
class Decay:
    """A fitted decay.

    Attributes:
        lifetimes: Shape (k,), increasing [ns].
        amplitudes: Shape (k,), shares of the emission at time 0, which add up to 1.
        mean: Amplitude-weighted mean lifetime [ns].
        fast_error: Standard error of the shortest lifetime [ns].
        mean_error: Standard error of the mean [ns].
    """

    lifetimes: Array
    amplitudes: Array
    mean: float
    fast_error: float
    mean_error: float


def pile_up_corrected(counts: Array, pulses: float) -> Array:
    """Undo the loss of photons that come after the first of a pulse (Coates 1968).

    Args:
        counts: Shape (n,), first photons in each channel.
        pulses: Laser pulses in the acquisition.
    """
    before = np.concatenate([[0.0], np.cumsum(counts)[:-1]])
    return np.asarray(-pulses * np.log1p(-counts / (pulses - before)))


def response(time: Array, lifetime: float, start: float, width: float) -> Array:
    """Exponential of unit area after `start`, seen with a Gaussian of FWHM `width` [ns].

    Args:
        time: Shape (n,) [ns].
        lifetime: [ns].
        start: Arrival of the pulse [ns].
        width: FWHM of the instrument [ns].
    """
    sigma = width / _FWHM
    delay = time - start
    argument = (sigma / lifetime - delay / sigma) / np.sqrt(2.0)
    early = argument > 0.0
    bell = np.exp(-0.5 * (delay / sigma) ** 2)
    rising = bell * erfcx(np.where(early, argument, 0.0))
    exponent = np.where(early, 0.0, 0.5 * (sigma / lifetime) ** 2 - delay / lifetime)
    falling = np.exp(exponent) * (1.0 - erf(np.where(early, 0.0, argument)))
    return np.asarray(np.where(early, rising, falling) / (2.0 * lifetime))


def fit_decay(time: Array, counts: Array, *, start: float, width: float, most: int = 3) -> Decay:
    """Fit one to `most` components and return the best supported.

    Args:
        time: Shape (n,), centres of even channels [ns].
        counts: Shape (n,).
        start: Arrival of the pulse [ns].
        width: FWHM of the instrument response [ns].
        most: Largest number of components.
    """
    fits = [_fit(time, counts, start, width, k) for k in range(1, most + 1)]
    penalty = [2.0 * loss + len(x) * np.log(len(time)) for x, loss in fits]
    best = fits[int(np.argmin(penalty))][0]
    return _decay(best, time, start, width)


def _model(x: Array, time: Array, start: float, width: float) -> tuple[Array, Array]:
    """Counts and the slopes by x = (ln lifetimes, ln contents, ln background)."""
    k = (len(x) - 1) // 2
    channel = float(time[1] - time[0])
    total = np.full_like(time, np.exp(x[-1]))
    slopes = np.empty((len(time), len(x)))
    slopes[:, -1] = total
    for i in range(k):
        tau, content = np.exp(x[i]), np.exp(x[k + i])
        part = content * channel * response(time, tau, start, width)
        step = 1e-5
        moved = content * channel * response(time, tau * np.exp(step), start, width)
        slopes[:, i] = (moved - part) / step
        slopes[:, k + i] = part
        total = total + part
    return total, slopes


def _fit(time: Array, counts: Array, start: float, width: float, k: int) -> tuple[Array, float]:
    floor = max(float(np.mean(counts[: max(int(0.5 * np.searchsorted(time, start)), 3)])), 0.05)
    after = time > start
    weight = np.clip(counts - floor, 0.0, None)[after]
    mean = max(float(weight @ (time[after] - start) / max(weight.sum(), 1.0)), 0.3)
    taus = mean * np.geomspace(0.25, 1.6, k) if k > 1 else np.array([mean])
    contents = np.full(k, max(weight.sum(), 10.0) / k)
    x0 = np.concatenate([np.log(taus), np.log(contents), [np.log(floor)]])

    def loss(x: Array) -> tuple[float, Array]:
        model, slopes = _model(np.clip(x, -12.0, 25.0), time, start, width)
        model = np.maximum(model, 1e-12)
        value = float((model - counts * np.log(model)).sum())
        return value, np.asarray(slopes.T @ (1.0 - counts / model))

    scale = max(float(counts.sum()), 1.0)

    def scaled(x: Array) -> tuple[float, Array]:
        value, slope = loss(x)
        return value / scale, slope / scale

    found = minimize(
        scaled,
        x0,
        jac=True,
        method="L-BFGS-B",
        bounds=[(-3.0, 6.0)] * k + [(-2.0, 25.0)] * k + [(-8.0, 20.0)],
        options={"maxiter": 400, "ftol": 1e-13, "gtol": 1e-9},
    )
    solution = np.asarray(found.x, dtype=np.float64)
    return solution, loss(solution)[0]


def _decay(x: Array, time: Array, start: float, width: float) -> Decay:
    k = (len(x) - 1) // 2
    order = np.argsort(x[:k])
    tau, content = np.exp(x[:k])[order], np.exp(x[k : 2 * k])[order]
    at_zero = content / tau
    model, slopes = _model(x, time, start, width)
    information = slopes.T @ (slopes / np.maximum(model, 1e-12)[:, None])
    covariance = np.linalg.pinv(information)
    mean = float(content.sum() / at_zero.sum())
    gradient = np.zeros(len(x))
    gradient[:k][order] = mean * at_zero / at_zero.sum()
    gradient[k : 2 * k][order] = content / at_zero.sum() - mean * at_zero / at_zero.sum()
    fast = float(tau[0] * np.sqrt(max(float(covariance[order[0], order[0]]), 0.0)))
    spread = float(np.sqrt(max(float(gradient @ covariance @ gradient), 0.0)))
    return Decay(tau, at_zero / at_zero.sum(), mean, fast, spread)
