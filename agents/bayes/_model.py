"""The processes of all observables as one BoTorch model, and what the record teaches them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from botorch.models.model import Model
from botorch.posteriors.gpytorch import GPyTorchPosterior
from gpytorch.distributions import MultitaskMultivariateNormal
from linear_operator.operators import DiagLinearOperator
from torch import Tensor

from agents.bayes._inputs import Inputs
from agents.bayes._process import NOWHERE, Process, fit_process
from agents.bayes._warp import fit_warped
from agents.encoding import Array, Encoding, Indices
from agents.history import PastTrial

FEASIBILITY = "(feasible)"
LARGEST = 1e100  # its square is still a number
# Beside a value that is this many times the typical one, all others are one number in doubles.
BEYOND = 1e12
NOTHING: Mapping[str, Tensor] = {}


class Processes(Model):
    """Independent processes, one output each, for single points (q = 1).

    Outputs are in *model units*: natural ones, or their logarithm where a process is of that
    (`Process.warp`).

    Points of a batch are never asked for jointly: batches are built one by one, each point
    believing the ones before it.
    """

    def __init__(self, processes: Mapping[str, Process]) -> None:
        super().__init__()
        self.processes = dict(processes)
        self.names = tuple(processes)

    @property
    def num_outputs(self) -> int:
        """Number of observables."""
        return len(self.names)

    @property
    def batch_shape(self) -> torch.Size:
        """Empty: one model, not a batch of them."""
        return torch.Size()

    def marginals(self, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and variances (..., m) at columns (..., D)."""
        pairs = [p.predict(columns) for p in self.processes.values()]
        return torch.stack([m for m, _ in pairs], -1), torch.stack([v for _, v in pairs], -1)

    def posterior(
        self,
        X: Tensor,
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: Any = None,
    ) -> Any:
        """Return the posterior at X (b, 1, D), noise-free, of the outputs asked for."""
        mean, variance = self.marginals(X)
        if output_indices is not None:
            mean, variance = mean[..., output_indices], variance[..., output_indices]
        distribution = MultitaskMultivariateNormal(mean, DiagLinearOperator(variance[..., 0, :]))
        posterior = GPyTorchPosterior(distribution)
        return posterior if posterior_transform is None else posterior_transform(posterior)

    def believing(self, columns: Tensor, awaited: Mapping[str, Tensor] = NOTHING) -> Processes:
        """Return the model as if columns (k, D) had been seen to give what it predicts.

        Args:
            columns: What is under way, in every observable.
            awaited: Observable -> columns (j, D) of what was made and lacks this value alone.
        """
        found = {}
        for name, process in self.processes.items():
            both = torch.cat([columns, awaited[name]]) if name in awaited else columns
            found[name] = process.believing(both) if len(both) else process
        return Processes(found)


def learn(
    encoding: Encoding,
    history: Sequence[PastTrial],
    observables: Sequence[str],
    later: Collection[str] = (),
) -> Processes:
    """Fit every observable that has two values or more, and feasibility once a trial failed.

    Feasibility is a process through +1 (every value came) and -1 (failed, rejected, or completed
    without one of the observables); its output above zero counts as feasible. A value that comes
    `later` is not missed in it. Among given candidates, which are records, a value may be missing
    for any reason and says nothing.
    Where several labs measured, each has an offset of its own in every observable. A value that
    no arithmetic can hold beside the others is set aside, so that no slip ends a campaign.
    """
    found: dict[str, Process] = {}
    inputs = Inputs(encoding)
    for name in observables:
        seen = _comparable(name, history)
        values = np.array([t.observables[name].value for t in seen])
        if len(seen) < 2:
            continue
        errors = np.array([t.observables[name].se for t in seen])
        found[name] = fit_warped(columns(encoding, seen), values, errors, inputs, sites(seen))
    tried = [t for t in history if t.state in ("completed", "failed", "rejected")]
    records = encoding.space.candidates is not None
    needed = () if records else tuple(n for n in found if n not in later)
    labels = np.array([1.0 if gave_all(t, needed) else -1.0 for t in tried])
    if (labels < 0).any() and (labels > 0).any():
        found[FEASIBILITY] = fit_process(
            columns(encoding, tried), labels, np.zeros(len(tried)), inputs.groups, inputs
        )
    return Processes(found)


def _comparable(name: str, history: Sequence[PastTrial]) -> list[PastTrial]:
    """Return the trials whose value of an observable can be told apart from the others'."""
    seen = [t for t in history if t.state == "completed" and name in t.observables]
    if not seen:
        return []
    sizes = np.abs([t.observables[name].value for t in seen])
    errors = np.abs([t.observables[name].se for t in seen])
    typical = float(np.quantile(sizes, 0.5, method="lower"))
    limit = min(BEYOND * typical, LARGEST) if typical > 0.0 else LARGEST
    usable = (sizes <= limit) & (errors <= LARGEST)
    return [t for t, kept in zip(seen, usable, strict=True) if kept]


def gave_all(trial: PastTrial, observables: Sequence[str]) -> bool:
    """Tell whether a trial was completed with a value of each of these observables."""
    return trial.state == "completed" and all(name in trial.observables for name in observables)


def sites(trials: Sequence[PastTrial]) -> Indices | None:
    """Return (n,) the lab of each trial as a number, or None where all are of one lab."""
    labs = [t.context.get("lab") for t in trials]
    known = sorted({lab for lab in labs if lab is not None})
    if len(set(labs)) < 2 or not known:
        return None
    return np.array([NOWHERE if lab is None else known.index(lab) for lab in labs])


def columns(encoding: Encoding, trials: Sequence[PastTrial]) -> Array:
    """Return the model columns (n, D) of what was made in `trials`."""
    return encoding.columns(encoding.rows([t.made for t in trials]))
