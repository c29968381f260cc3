"""MARIA: kriging and adaptive sampling around a target wavelength.

After Bezinge and co-authors, "Pick a Color MARIA", ACS Appl. Mater. Interfaces 2018: kriging of
emission over reagent ratios in segmented flow, 16 first experiments, then 20 placed around the
wanted wavelength, so that a model is good there rather than everywhere.

Neither paper nor code was at hand: this was written from what a survey says of it, and citation
and rule want checking against the paper. Assumed, because the survey does not say:

- the first design is this package's space-filling one;
- the kriging has a constant trend, a Matern 5/2 kernel and an inferred nugget (`agents.bayes`);
- a recipe is *around the target* while every bound lies within `REACH` kriging deviations of what
  is predicted there. Of those the one is made where the first driven observable may be best (mean
  plus one deviation), or where none is driven, the target's kriging variance is greatest; where
  no recipe is around the target, the one that comes nearest in deviations;
- linewidth, brightness and failures are kriged and bounded like the wavelength.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from torch import Tensor

from agents._modelled import ModelledAgent, Pick, Step
from agents.baselines import DESIGN_SEED
from agents.bayes._model import FEASIBILITY
from agents.bayes._search import Choice, maximise, score
from agents.bayes._warp import in_model_units
from agents.errors import ProposalError
from agents.options import Option
from agents.sampling import remaining_candidates

REACH = 1.0
"""Kriging deviations within which a bound counts as reached, assumed: one, the usual error bar."""
NEAR = 5


class MariaAgent(ModelledAgent):
    """Kriging of every observable; samples where the target may lie and least is known."""

    name = "maria"
    version = "1"
    LIBRARIES = ("numpy", "scipy", "torch", "botorch", "gpytorch")
    OPTIONS: ClassVar[tuple[Option, ...]] = (
        Option("initial", 16, "trials of the space-filling design before kriging", low=1),
        DESIGN_SEED,
    )

    def _pick(self, step: Step) -> Pick:
        function = AroundTarget(step)
        choice = _searched(step, function)
        around = choice.value >= 0.0
        phase = "around_target" if around else "towards_target"
        return Pick(
            choice.recipe, choice.columns, "adaptive_sampling", choice.value, {"phase": phase}
        )


def _searched(step: Step, function: AcquisitionFunction) -> Choice:
    encoding = step.encoding
    if step.space.candidates is None:
        completed = [t.made for t in step.history if t.state == "completed"]
        rows = encoding.rows(completed)
        values = score(function, encoding.columns(rows))
        near = rows[np.argsort(-values, kind="stable")[:NEAR]]
        return maximise(encoding, function, near, step.exclude, step.seed, iterations=0)
    left = remaining_candidates(step.space, step.history)
    if not left:
        raise ProposalError(
            f"all {len(step.space.candidates)} candidates have been picked or lie outside the "
            "space; end the campaign"
        )
    inputs = encoding.columns(encoding.rows(left))
    values = score(function, inputs)
    best = int(np.argmax(values))
    return Choice(dict(left[best]), inputs[best], float(values[best]))


class AroundTarget(AcquisitionFunction):
    """Zero to one around the target, more where more is to gain; below zero the distance to it."""

    def __init__(self, step: Step) -> None:
        super().__init__(model=step.believed)
        processes = step.believed.processes
        goals = in_model_units(step.goals, step.model.processes)
        bands = dict(goals.bands)
        if FEASIBILITY in processes:
            bands[FEASIBILITY] = (0.0, math.inf)
        self.bands = [(processes[n], *band) for n, band in bands.items() if n in processes]
        driven = [(processes[n], sign) for n, sign in goals.drivers.items() if n in processes]
        targets = [processes[n] for n in goals.scales if n in processes]
        self.driver = driven[0] if driven else None
        self.sampled = (targets or [p for n, p in processes.items() if n != FEASIBILITY])[0]

    def forward(self, X: Tensor) -> Tensor:
        """Return the value (b,) at points X (b, 1, D)."""
        points = X.squeeze(-2)
        beyond = points.new_zeros(len(points))
        for process, low, high in self.bands:
            mean, variance = process.predict(points)
            excess = torch.maximum(low - mean, mean - high)
            beyond = torch.maximum(beyond, excess / variance.sqrt())
        gain = self._gain(points)
        return torch.where(beyond <= REACH, gain, REACH - beyond)

    def _gain(self, points: Tensor) -> Tensor:
        """Return (b,) in (0, 1): what a sample may give, or how little is known there."""
        if self.driver is None:
            _, variance = self.sampled.predict(points)
            return variance / (variance + self.sampled.spread**2)
        process, sign = self.driver
        mean, variance = process.predict(points)
        return torch.sigmoid((sign * (mean - process.shift) + variance.sqrt()) / process.spread)
