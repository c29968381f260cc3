"""A process as `agents.explain` asks for it: arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from agents.bayes._process import Process
from agents.bayes._threads import single_thread
from agents.encoding import Array
from agents.explain import Predictions

BLOCK = 4096  # points predicted at once: the cross covariance of more would fill the memory


@dataclass(frozen=True)
class ExplainedProcess:
    """One observable's process behind the seam `agents.explain.ObservableModel`."""

    process: Process

    def predict(self, columns: Array, *, measured: bool = False) -> Predictions:
        """Predict the noise-free value at columns (n, D), or what a measurement would give."""
        mean, variance = self._moments(columns)
        if measured:
            variance = variance + self.process.noise_variance
        return Predictions(mean, np.sqrt(variance), self.process.log)

    def variance(self, columns: Array) -> Array:
        """Return the variance (n,) of the noise-free value in model units."""
        return self._moments(columns)[1]

    def distances(self, column: Array, others: Array) -> Array:
        """Return the distances (n,) of others (n, D) from one column (D,), in lengthscales."""
        with single_thread():
            scaled = [
                self.process.inputs(_tensor(c)) / self.process.lengthscales
                for c in (column[None, :], others)
            ]
            return np.asarray((scaled[1] - scaled[0]).square().sum(-1).sqrt().numpy())

    def alike(self, column: Array, others: Array) -> Array:
        """Return the prior correlation (n,): Matern 5/2, the kernel of the process."""
        radius = np.sqrt(5.0) * self.distances(column, others)
        return np.asarray((1.0 + radius + radius**2 / 3.0) * np.exp(-radius))

    def after_measuring(self, columns: Array) -> ExplainedProcess:
        """Return the model as if columns (k, D) had been measured once each, noise included."""
        if not len(columns):
            return self
        with single_thread():
            return ExplainedProcess(self.process.believing(_tensor(columns), measured=True))

    def _moments(self, columns: Array) -> tuple[Array, Array]:
        with single_thread():
            blocks = [
                self.process.predict(_tensor(columns[i : i + BLOCK]))
                for i in range(0, len(columns), BLOCK)
            ]
        if not blocks:
            return np.empty(0), np.empty(0)
        mean, variance = (torch.cat([b[k] for b in blocks]).numpy() for k in (0, 1))
        return np.asarray(mean), np.asarray(variance)


def _tensor(values: Array) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.float64)
