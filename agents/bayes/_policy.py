"""What to make next: acquisition functions for the goals at hand.

All outputs are independent given the record, so the probability of lying inside the bands is a
product of exact two-sided normal probabilities, and it multiplies an improvement in the
observables that are driven. In logarithms, so that gradients survive where both are tiny.

==================================  =======================================================
situation                           what is maximised
==================================  =======================================================
nothing seen inside all bands yet   log probability of lying inside every band
bands alone, one seen inside        log expected improvement of the worst margin: the
                                    distance to the nearest bound in units of the band's half
                                    width (or of the observable's spread where one side is
                                    open), 1 at a band's centre
one observable driven               log expected improvement, times the probability that
                                    every other observable is inside its band
several driven                      log expected hypervolume improvement over the
                                    acceptance bounds, times the same probability
given candidates alone              log probability that the *measurement* lies inside every
                                    band and that every driven observable is among the
                                    better two thirds of those trials seen inside
==================================  =======================================================

Given candidates can each be picked once, so what counts is to come by all the good ones, not by
the best: hence the lenient share, which also keeps looking once the best is found. A measurement
scatters by the inferred noise about the noise-free value; elsewhere the noise-free value counts.

Where trials have failed, the probability of not failing multiplies each of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.acquisition.analytic import LogExpectedImprovement
from botorch.acquisition.logei import qLogExpectedImprovement
from botorch.acquisition.multi_objective.logei import qLogExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.objective import WeightedMCMultiOutputObjective
from botorch.acquisition.objective import GenericMCObjective
from botorch.sampling.normal import SobolQMCNormalSampler
from botorch.utils.multi_objective.box_decompositions.non_dominated import (
    NondominatedPartitioning,
)
from botorch.utils.multi_objective.hypervolume import infer_reference_point
from botorch.utils.multi_objective.pareto import is_non_dominated
from botorch.utils.probability.utils import log_ndtr, log_prob_normal_in
from torch import Tensor

from agents.bayes._goals import Goals
from agents.bayes._model import FEASIBILITY, Processes

SAMPLES = 64
WORTH = 2.0 / 3.0
"""Share of the found ones that a pick should be among: whoever wants all good ones loses more by a
missed one than by one pick too many. Assumed; leave-one-out over twenty goals of a real archive
is flat between one half and three quarters."""


@dataclass(frozen=True)
class Policy:
    """An acquisition function with its name in the record."""

    name: str
    phase: str
    function: AcquisitionFunction


class InBands(AcquisitionFunction):
    """Log probability that every output named is within its band, plus a base in logarithms."""

    def __init__(
        self,
        model: Processes,
        bands: Mapping[str, tuple[float, float]],
        base: AcquisitionFunction | None = None,
        *,
        measured: bool = False,
    ) -> None:
        super().__init__(model=model)
        self.bands = [(model.processes[n], low, high) for n, (low, high) in bands.items()]
        self.base = base
        self.measured = measured

    def forward(self, X: Tensor) -> Tensor:
        """Return the value (b,) at points X (b, 1, D)."""
        value = X.new_zeros(X.shape[:-2]) if self.base is None else self.base(X)
        for process, low, high in self.bands:
            mean, variance = process.predict(X.squeeze(-2))
            if self.measured:
                variance = variance + process.noise_variance
            value = value + log_inside(mean, variance.sqrt(), low, high)
        return value


def log_inside(mean: Tensor, sd: Tensor, low: float, high: float) -> Tensor:
    """Return log P(low <= y <= high) for normal y, either bound may be infinite."""
    if math.isinf(low):
        return log_ndtr((high - mean) / sd)
    if math.isinf(high):
        return log_ndtr((mean - low) / sd)
    if low == high:
        return -0.5 * ((mean - low) / sd).square() - sd.log()
    return log_prob_normal_in((low - mean) / sd, (high - mean) / sd)


def choose_policy(
    model: Processes, believed: Processes, goals: Goals, seen: Tensor, seed: int
) -> Policy:
    """Return what to maximise.

    Args:
        model: What the record taught; says what the completed trials are worth.
        believed: The same with pending trials believed; what the acquisition looks at.
        goals: What is wanted; outputs without a model are left out.
        seen: (n, D) columns of what has to be beaten: the completed trials that gave every
            observable, and the pending ones, believed to give what is predicted of them.
        seed: Of the quasi-random samples, where the expectation has no closed form.
    """
    bands = {n: b for n, b in goals.bands.items() if n in model.processes}
    drivers = {n: s for n, s in goals.drivers.items() if n in model.processes}
    safe = {FEASIBILITY: (0.0, math.inf)} if FEASIBILITY in model.processes else {}
    means, _ = model.marginals(seen)
    place = {n: k for k, n in enumerate(model.names)}
    inside = _inside(means, place, bands)
    if not bool(inside.any()) and bands:
        return Policy("log_probability", "reach", InBands(believed, bands | safe))
    others = {n: b for n, b in bands.items() if n not in drivers} | safe
    kept = means[inside] if bands else means
    base: AcquisitionFunction
    if not drivers:
        base = _margin_improvement(believed, kept, bands, place, seed)
        return Policy("log_margin_ei", "improve", InBands(believed, safe, base))
    if len(drivers) == 1:
        (name,) = drivers
        base = _improvement(believed, name, kept[:, place[name]], drivers[name])
        return Policy("log_ei", "improve", InBands(believed, others, base))
    base = _hypervolume_improvement(believed, kept, drivers, bands, place, seed)
    return Policy("log_ehvi", "improve", InBands(believed, others, base))


def choose_picking(
    model: Processes, believed: Processes, goals: Goals, measured: Tensor
) -> Policy:
    """Return what to maximise over given candidates.

    Args:
        model: What the record taught.
        believed: The same with pending trials believed.
        goals: What is wanted; outputs without a model are left out.
        measured: (n, m) values of the completed trials, NaN where missing.
    """
    bands = {n: b for n, b in goals.bands.items() if n in model.processes}
    safe = {FEASIBILITY: (0.0, math.inf)} if FEASIBILITY in model.processes else {}
    place = {n: k for k, n in enumerate(model.names)}
    inside = _inside(measured, place, bands)
    for name, direction in goals.drivers.items():
        if name not in place:
            continue
        low, high = bands.get(name, (-math.inf, math.inf))
        found = measured[inside, place[name]]
        found = found[~found.isnan()]
        if len(found):
            share = WORTH if direction < 0 else 1.0 - WORTH
            bound = float(torch.quantile(found, share))
            bands[name] = (max(low, bound), high) if direction > 0 else (low, min(high, bound))
    phase = "improve" if bool(inside.any()) else "reach"
    function = InBands(believed, bands | safe, measured=True)
    return Policy("log_probability_measured", phase, function)


def _inside(
    means: Tensor, place: Mapping[str, int], bands: Mapping[str, tuple[float, float]]
) -> Tensor:
    inside = torch.ones(len(means), dtype=torch.bool)
    for name, (low, high) in bands.items():
        column = means[:, place[name]]
        inside &= (column >= low) & (column <= high)
    return inside


def _improvement(
    model: Processes, name: str, values: Tensor, direction: float
) -> AcquisitionFunction:
    best = direction * (direction * values).max()
    alone = Processes({name: model.processes[name]})
    return _LogImprovement(alone, best_f=best, maximize=direction > 0)


class _LogImprovement(LogExpectedImprovement):
    """Log expected improvement of a one-output model, without the trailing output axis."""

    def forward(self, X: Tensor) -> Tensor:
        """Return the value (b,) at points X (b, 1, D)."""
        value: Tensor = super().forward(X)
        return value.reshape(X.shape[:-2])


def _margin_improvement(
    model: Processes,
    means: Tensor,
    bands: Mapping[str, tuple[float, float]],
    place: Mapping[str, int],
    seed: int,
) -> AcquisitionFunction:
    spreads = {n: model.processes[n].spread for n in bands}

    def worst(samples: Tensor, X: Tensor | None = None) -> Tensor:
        margins = [_margin(samples[..., place[n]], *bands[n], spreads[n]) for n in bands]
        return torch.stack(margins, -1).amin(-1)

    sampler = SobolQMCNormalSampler(torch.Size([SAMPLES]), seed=seed)
    return qLogExpectedImprovement(
        model, best_f=worst(means).max(), sampler=sampler, objective=GenericMCObjective(worst)
    )


def _margin(values: Tensor, low: float, high: float, spread: float) -> Tensor:
    if math.isinf(low) or math.isinf(high):
        distance = high - values if math.isinf(low) else values - low
        return (distance / spread).clamp_max(1.0)
    half = 0.5 * (high - low) or spread
    return 1.0 - (values - 0.5 * (low + high)).abs() / half


def _hypervolume_improvement(
    model: Processes,
    means: Tensor,
    drivers: Mapping[str, float],
    bands: Mapping[str, tuple[float, float]],
    place: Mapping[str, int],
    seed: int,
) -> AcquisitionFunction:
    indices = [place[n] for n in drivers]
    signs = torch.tensor(list(drivers.values()), dtype=torch.float64)
    scales = torch.tensor([model.processes[n].spread for n in drivers], dtype=torch.float64)
    front = means[:, indices] * signs / scales
    reference = _reference(front, signs, scales, [bands.get(n) for n in drivers])
    return qLogExpectedHypervolumeImprovement(
        Processes({n: model.processes[n] for n in drivers}),
        ref_point=reference,
        partitioning=NondominatedPartitioning(reference, Y=front),
        sampler=SobolQMCNormalSampler(torch.Size([SAMPLES]), seed=seed),
        objective=WeightedMCMultiOutputObjective(weights=signs / scales),
    )


def _reference(
    front: Tensor, signs: Tensor, scales: Tensor, bands: list[tuple[float, float] | None]
) -> Tensor:
    """Acceptance bounds where stated; else a tenth of the front's range below its worst."""
    pareto = front[is_non_dominated(front)]
    reference = infer_reference_point(pareto, scale=0.1)
    for k, band in enumerate(bands):
        sign = float(signs[k])
        bound = -math.inf if band is None else (band[0] if sign > 0 else -band[1])
        if np.isfinite(bound):
            reference[k] = bound / float(scales[k])
    return reference
