"""Least squares within bounds: MINPACK where the optimum lies inside, a trust region otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, leastsq

Array = NDArray[np.float64]
Weighted = Callable[[Array], tuple[Array, Array]]
CONVERGED = (1, 2, 3, 4)  # what MINPACK's lmder answers when a tolerance was met
TOLERANCE = 1e-8  # relative, of sum of squares, step and gradient: those of scipy's least_squares


@dataclass(frozen=True, slots=True)
class Fit:
    """Where a fit ended.

    Attributes:
        parameters: Shape (p,).
        residual: Shape (n,), at `parameters`.
        slopes: Shape (n, p), derivatives of `residual`.
        converged: Whether a tolerance was met within the evaluations allowed.
    """

    parameters: Array
    residual: Array
    slopes: Array
    converged: bool

    @property
    def sum_of_squares(self) -> float:
        """Sum of the squared residuals."""
        return float(self.residual @ self.residual)


def fit_within(
    weighted: Weighted, guess: Array, bounds: tuple[Array, Array], scale: Array, evaluations: int
) -> Fit:
    """Minimise the sum of squared residuals over parameters within bounds.

    Levenberg and Marquardt's method (MINPACK's lmder) knows no bounds but takes a fifth of the
    time of the trust-region one (Branch, Coleman and Li 1999), which is asked only where the
    former ends outside or nowhere.

    Args:
        weighted: Residuals over their standard deviations, shape (n,), and their derivatives,
            shape (n, p), of parameters of shape (p,).
        guess: Shape (p,), inside the bounds.
        bounds: Lowest and highest, each of shape (p,); infinite where there is none.
        scale: Shape (p,), size of a change that matters.
        evaluations: Most evaluations of each method.
    """
    known: dict[bytes, tuple[Array, Array]] = {}

    def at(parameters: Array) -> tuple[Array, Array]:
        key = parameters.tobytes()
        if key not in known:
            known.clear()
            known[key] = weighted(parameters.copy())
        return known[key]

    with np.errstate(all="ignore"):  # outside the bounds a model may not be defined
        found, _, _, _, answer = leastsq(
            lambda p: at(p)[0],
            guess,
            Dfun=lambda p: at(p)[1].T,
            col_deriv=True,
            full_output=True,
            ftol=TOLERANCE,
            xtol=TOLERANCE,
            gtol=TOLERANCE,
            maxfev=evaluations,
            diag=1.0 / scale,
        )
    inside = bool(np.all(np.isfinite(found) & (bounds[0] <= found) & (found <= bounds[1])))
    if answer in CONVERGED and inside:
        return Fit(found, *at(found), True)
    result = least_squares(
        lambda p: at(p)[0],
        guess,
        jac=lambda p: at(p)[1],
        bounds=bounds,
        x_scale=scale,
        max_nfev=evaluations,
    )
    return Fit(result.x, result.fun, result.jac, bool(result.status > 0))
