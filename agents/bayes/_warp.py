"""Natural or logarithmic: on which scale an observable is modelled, decided by the record.

Widths, intensities and sizes scatter by a share of their value and are skewed; a process of their
logarithm then explains them better. Both readings are judged by the same marginal likelihood, the
logarithm's corrected by its Jacobian, so that the numbers are densities of the same observable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from agents.bayes._goals import Goals
from agents.bayes._inputs import Inputs
from agents.bayes._process import Process, fit_process, log_likelihood
from agents.encoding import Array, Indices

MARGIN = 3.0
"""Nats by which the logarithm must be better before it is used, assumed: odds of twenty to one."""


@dataclass(frozen=True)
class Warp:
    """A monotone map from natural to model units and back."""

    log: bool = False

    def to_model(self, value: float) -> float:
        """Return a value in model units; minus infinity where its logarithm does not exist."""
        if not self.log:
            return value
        return math.log(value) if value > 0.0 else -math.inf

    def moments(self, mean: float, variance: float) -> tuple[float, float]:
        """Return mean and standard deviation in natural units of a normal in model units."""
        if not self.log:
            return mean, variance**0.5
        natural = math.exp(mean + 0.5 * variance)
        return natural, natural * math.sqrt(math.expm1(variance))


def fit_warped(
    columns: Array, values: Array, errors: Array, inputs: Inputs, sites: Indices | None = None
) -> Process:
    """Fit a process of the values, or of their logarithm where that explains them better.

    Args:
        columns: (n, D) model columns.
        values: (n,) observations in natural units.
        errors: (n,) their standard errors, zero where none is stated.
        inputs: From columns to inputs.
        sites: (n,) where each was measured; see `Process.sites`.
    """
    plain = fit_process(columns, values, errors, inputs.groups, inputs, sites)
    if np.any(values <= 0.0):
        return plain
    logs, shares = np.log(values), errors / values
    gain = log_likelihood(plain, logs, shares) - float(logs.sum())
    if gain < log_likelihood(plain, values, errors) + MARGIN:
        return plain
    warped = fit_process(columns, logs, shares, inputs.groups, inputs, sites)
    return replace(warped, log=True)


def in_model_units(goals: Goals, processes: dict[str, Process]) -> Goals:
    """Return the goals with every bound in the units of its process."""
    warps = {n: Warp(n in processes and processes[n].log) for n in goals.observables}
    bands = {
        n: (warps[n].to_model(low), warps[n].to_model(high))
        for n, (low, high) in goals.bands.items()
    }
    return replace(goals, bands=bands)
