"""From model columns to model inputs: the columns with the space's derived features beside."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from agents.encoding import Encoding, Indices
from agents.errors import ProposalError
from agents.features import feature_names, feature_problems, feature_value
from agents.sampling import unit_blocks
from agents.space import Continuous, Feature, Fixed

REFERENCE_SEED = 0


class Inputs:
    """The map from columns (..., D) to inputs (..., D + F), differentiable.

    Every feature is scaled so that the middle nine tenths of a fixed quasi-random sample of the
    space fall into [0, 1]; it sits at one half where a parameter that it needs is inactive.

    Attributes:
        groups: (D + F,) which lengthscale each input uses.
    """

    def __init__(self, encoding: Encoding) -> None:
        """Prepare the map.

        Raises:
            ProposalError: a feature is not arithmetic over numeric parameters.
        """
        if problems := feature_problems(encoding.space):
            raise ProposalError("; ".join(problems))
        self.encoding = encoding
        self.features = encoding.space.features
        self._column = {
            p.name: int(np.flatnonzero(encoding.groups == j)[0])
            for j, p in enumerate(encoding.free)
        }
        extra = encoding.dimension + np.arange(len(self.features), dtype=np.int64)
        self.groups: Indices = np.concatenate([encoding.groups, extra])
        self._scales = [self._scale(f) for f in self.features]

    def __call__(self, columns: Tensor) -> Tensor:
        """Return the inputs (..., D + F) of columns (..., D)."""
        if not self.features:
            return columns
        made = [
            (self._raw(feature, columns, floor) - low) / (high - low)
            for feature, (floor, low, high) in zip(self.features, self._scales, strict=True)
        ]
        return torch.cat([columns, torch.stack(made, -1)], -1)

    def _raw(self, feature: Feature, columns: Tensor, floor: float) -> Tensor:
        numbers = {n: self._numbers(n, columns) for n in feature_names(feature)}
        value = feature_value(feature, numbers)
        return value.clamp_min(floor).log() if feature.log else value

    def _numbers(self, name: str, columns: Tensor) -> Tensor:
        parameter = next(p for p in self.encoding.space.parameters if p.name == name)
        if isinstance(parameter, Fixed):
            return torch.full_like(columns[..., 0], float(parameter.value))
        assert isinstance(parameter, Continuous)  # noqa: S101 feature_problems has checked
        x, low, high = columns[..., self._column[name]], parameter.low, parameter.high
        return low * (high / low) ** x if parameter.log else low + (high - low) * x

    def _scale(self, feature: Feature) -> tuple[float, float, float]:
        """Return (floor of the value, low, high) over a fixed sample of the space."""
        unit = next(unit_blocks(self.encoding.dimension, REFERENCE_SEED, "sobol"))
        sample = torch.as_tensor(self.encoding.columns(self.encoding.rows_from_unit(unit)))
        numbers = {n: self._numbers(n, sample) for n in feature_names(feature)}
        values = feature_value(feature, numbers).numpy()
        positive = values[values > 0.0]
        floor = float(np.quantile(positive, 0.02)) if len(positive) else 1.0
        if feature.log:
            values = np.log(np.maximum(values, floor))
        low, high = (float(q) for q in np.quantile(values, [0.05, 0.95]))
        return floor, low, high if high > low else low + 1.0
