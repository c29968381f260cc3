"""Which parameters an observable depends on: Sobol indices of a surrogate's mean.

Parameters are taken as independent and uniform over their ranges (in the logarithm where the
search is, over the choices of a categorical); constraints between them are left aside, since the
decomposition of variance needs independent inputs. A conditional parameter counts by what it does
over the whole space, the part where it is inactive included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents.encoding import Array, Encoding
from agents.explain._sample import unit_points
from agents.explain._surrogate import ObservableModel

POINTS = 256  # of each design, a power of two as the Sobol sequence wants
DESIGNS = 8  # independently scrambled, whose scatter is the sampling error
FIRST_SEED = 101
FLAT = 1e-9
"""Spread over the typical value under which a mean does not vary: rounding, not chemistry."""


@dataclass(frozen=True)
class Indices:
    """Sobol indices by parameter of a space, in the order of `Encoding.free`.

    Attributes:
        names: (d,) the parameters.
        first: (d,) share of the variance that a parameter explains by itself.
        first_se: (d,) standard errors of sampling.
        total: (d,) share that it explains with all its interactions.
        total_se: (d,) standard errors of sampling.
        sd: Standard deviation of the mean over the space, in the observable's unit.
    """

    names: tuple[str, ...]
    first: Array
    first_se: Array
    total: Array
    total_se: Array
    sd: float


def sobol_indices(encoding: Encoding, model: ObservableModel) -> Indices | None:
    """Estimate first-order and total indices by Saltelli's sampling; None of a constant mean.

    First order after Saltelli et al. 2010 (Comput. Phys. Commun. 181, 259, table 2 b), total
    after Jansen 1999 (Comput. Phys. Commun. 117, 35), each averaged over scrambled Sobol designs
    whose standard error is that of randomised quasi-Monte Carlo (Owen 1998).
    """
    if encoding.dimension == 0:
        return None
    designs = [_design(encoding, model, FIRST_SEED + k) for k in range(DESIGNS)]
    values = np.concatenate([d[0] for d in designs])
    sd = float(np.std(values))
    if sd <= FLAT * max(float(np.abs(values).max()), 1e-300):
        return None
    variance = sd**2
    first = np.array([d[1] for d in designs]) / variance
    total = np.array([d[2] for d in designs]) / variance
    root = np.sqrt(DESIGNS)
    return Indices(
        tuple(p.name for p in encoding.free),
        first.mean(axis=0),
        first.std(axis=0, ddof=1) / root,
        total.mean(axis=0),
        total.std(axis=0, ddof=1) / root,
        sd,
    )


def _design(encoding: Encoding, model: ObservableModel, seed: int) -> tuple[Array, Array, Array]:
    """Return means (2 n,), and the variances (d,) explained alone and with interactions."""
    d = encoding.dimension
    both = unit_points(2 * d, POINTS, seed)
    left, right = both[:, :d], both[:, d:]
    mixed = np.repeat(left[None], d, axis=0)
    for j in range(d):
        mixed[j, :, j] = right[:, j]
    points = np.concatenate([left, right, mixed.reshape(-1, d)])
    means = model.predict(encoding.columns(encoding.rows_from_unit(points))).mean
    a, b = means[:POINTS], means[POINTS : 2 * POINTS]
    ab = means[2 * POINTS :].reshape(d, POINTS)
    centre = means[: 2 * POINTS].mean()
    first = ((b - centre) * (ab - a)).mean(axis=1)
    total = 0.5 * ((a - ab) ** 2).mean(axis=1)
    return means[: 2 * POINTS], first, total
