"""The seam: what a model of observables must answer to be explained, and who offers one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from scipy.special import ndtri
from scipy.stats import norm

from agents.encoding import Array
from agents.history import PastTrial
from agents.objective import Objective
from agents.space import Space


@dataclass(frozen=True)
class Predictions:
    """Normal predictions of an observable, or of its logarithm.

    Attributes:
        location: (n,) means in model units: those of the observable, or its logarithm.
        scale: (n,) standard deviations in model units.
        log: Whether model units are logarithms.
    """

    location: Array
    scale: Array
    log: bool = False

    @property
    def mean(self) -> Array:
        """Means (n,) in the observable's unit."""
        if not self.log:
            return self.location
        return np.asarray(np.exp(self.location + 0.5 * self.scale**2))

    @property
    def sd(self) -> Array:
        """Standard deviations (n,) in the observable's unit."""
        if not self.log:
            return self.scale
        return np.asarray(self.mean * np.sqrt(np.expm1(self.scale**2)))

    def interval(self, level: float) -> tuple[Array, Array]:
        """Return the ends (n,) of the central interval that holds a share `level`."""
        half = float(ndtri(0.5 + 0.5 * level)) * self.scale
        low, high = self.location - half, self.location + half
        return (np.exp(low), np.exp(high)) if self.log else (low, high)

    def errors(self, values: Array) -> Array:
        """Return the standardised errors (n,) of `values` in model units; NaN of no logarithm."""
        return (self._to_model(values) - self.location) / self.scale

    def log_density(self, values: Array) -> Array:
        """Return the log predictive density (n,) at `values`, per unit of the observable."""
        density = norm.logpdf(self._to_model(values), self.location, self.scale)
        return np.asarray(density - np.log(values) if self.log else density)

    def widened(self, values: Array, errors: Array) -> Predictions:
        """Return the same for readings of `values` whose standard errors (n,) are stated."""
        stated = errors / np.abs(values) if self.log else errors
        return Predictions(self.location, np.hypot(self.scale, stated), self.log)

    def _to_model(self, values: Array) -> Array:
        if not self.log:
            return values
        return np.asarray(np.log(np.where(values > 0.0, values, np.nan)))


class ObservableModel(Protocol):
    """A fitted model of one observable over model columns (n, D) of `agents.encoding`.

    Pure and deterministic; equal on any number of threads.
    """

    def predict(self, columns: Array, *, measured: bool = False) -> Predictions:
        """Predict the noise-free value at columns (n, D), or what a measurement would give."""
        ...

    def variance(self, columns: Array) -> Array:
        """Return the variance (n,) of the noise-free value in model units."""
        ...

    def distances(self, column: Array, others: Array) -> Array:
        """Return the distances (n,) of others (n, D) from one column (D,), in lengthscales."""
        ...

    def alike(self, column: Array, others: Array) -> Array:
        """Return the prior correlation (n,) of the values at others with that at one column."""
        ...

    def after_measuring(self, columns: Array) -> ObservableModel:
        """Return the model as if columns (k, D) had been measured once each, noise included."""
        ...


Surrogate = Mapping[str, ObservableModel]
"""Models by observable; one that the history cannot teach is absent."""


@runtime_checkable
class Explainable(Protocol):
    """An agent that plans by a model of the observables, and shows it."""

    def surrogate(
        self,
        space: Space,
        objectives: Sequence[Objective],
        history: Sequence[PastTrial],
        observables: Sequence[str],
        seed: int,
    ) -> Surrogate:
        """Fit the models by which `propose` with the same arguments chooses."""
        ...


def reference_surrogate(
    space: Space,
    objectives: Sequence[Objective],
    history: Sequence[PastTrial],
    observables: Sequence[str],
    seed: int,
) -> Surrogate:
    """Fit Gaussian processes, as `bayes` does, for an agent without a model of its own."""
    from agents.bayes import BayesAgent

    return BayesAgent().surrogate(space, objectives, history, observables, seed)
