"""Chemical speciation in log space: totals of the components to concentrations of all species.

A species s is made of components c with numbers nu_sc >= 0 and has c_s = K_s prod_c x_c^nu_sc. The
balances sum_s nu_sc c_s = T_c are the stationary point of the convex function
sum_s c_s(u) - T.u with u = ln x, so damped Newton steps always reach it (Smith and Missen 1982,
Chemical Reaction Equilibrium Analysis). All wells are solved at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
TOLERANCE = 1e-11
"""Largest relative error of a component's balance."""
_TRACE = 1e-24
"""Total [M] that stands for an absent component."""
_STEP = 4.0
"""Largest change of a logarithm in one step."""
_ITERATIONS = 200


class EquilibriumError(ValueError):
    """Totals or constants for which no equilibrium was found."""


@dataclass(frozen=True)
class Tableau:
    """The species of a solution.

    Attributes:
        components: Names of what balances are kept of; each is a species too, with K = 1.
        species: Names of all species, components first.
        stoichiometry: Shape (species, components).
    """

    components: tuple[str, ...]
    species: tuple[str, ...]
    stoichiometry: Array

    def index(self, species: str) -> int:
        """Column of a species in what `solve` returns."""
        return self.species.index(species)


def tableau(components: Sequence[str], complexes: Mapping[str, Mapping[str, int]]) -> Tableau:
    """Return the tableau of `components` and of complexes given as {name: {component: number}}.

    Raises:
        EquilibriumError: a complex of an unknown component or with a number below one.
    """
    rows = [np.eye(len(components))]
    for name, parts in complexes.items():
        if not parts or set(parts) - set(components) or min(parts.values()) < 1:
            raise EquilibriumError(
                f"a complex must hold whole numbers of {', '.join(components)}, but {name!r} "
                f"holds {dict(parts)}"
            )
        rows.append(np.array([[float(parts.get(c, 0)) for c in components]]))
    return Tableau(tuple(components), (*components, *complexes), np.vstack(rows))


def solve(system: Tableau, log10_constants: ArrayLike, totals: ArrayLike) -> Array:
    """Return the concentrations at equilibrium, shape (n, species) [M].

    Args:
        system: The species.
        log10_constants: Formation constants of all species (0 for components), shape (species,)
            or (n, species), in powers of M.
        totals: Total of each component, shape (n, components) [M]; zero where absent.

    Raises:
        EquilibriumError: a total that is negative or not finite, or no convergence.
    """
    total = np.atleast_2d(np.asarray(totals, float))
    if total.shape[1] != len(system.components) or not np.all(np.isfinite(total) & (total >= 0)):
        raise EquilibriumError(
            f"totals must be finite, not negative and one per component of "
            f"{', '.join(system.components)}, but got {totals!r}"
        )
    total = np.maximum(total, _TRACE)
    constants = np.log(10.0) * np.asarray(log10_constants, float)
    constants = np.broadcast_to(constants, (len(total), len(system.species)))
    logs = _start(system.stoichiometry, constants, total)
    return _newton(system.stoichiometry, constants, total, logs)


def _start(nu: Array, constants: Array, total: Array) -> Array:
    """Logarithms of the components so small that no species exceeds its share of any total."""
    logs = np.log(total)
    for _ in range(60):
        excess = np.log((_species(nu, constants, logs) @ nu) / total)
        logs = logs - 0.5 * np.maximum(excess, 0.0)
    return logs


def _species(nu: Array, constants: Array, logs: Array) -> Array:
    return np.asarray(np.exp(np.minimum(constants + logs @ nu.T, 200.0)))


def _newton(nu: Array, constants: Array, total: Array, logs: Array) -> Array:
    active = np.arange(len(total))
    found = _species(nu, constants, logs)
    for _ in range(_ITERATIONS):
        error = found[active] @ nu - total[active]
        wrong = np.abs(error).max(axis=1, where=total[active] > 2.0 * _TRACE, initial=0.0)
        relative = np.abs(error / total[active]).max(axis=1)
        active = active[(relative > TOLERANCE) & (wrong > 0.0)]
        if not active.size:
            return found
        logs[active], found[active] = _step(
            nu, constants[active], total[active], logs[active], found[active]
        )
    raise EquilibriumError(
        f"an equilibrium must close its balances to {TOLERANCE:g}, but {active.size} of "
        f"{len(total)} did not in {_ITERATIONS} steps; give constants within the range of doubles"
    )


def _step(
    nu: Array, constants: Array, total: Array, logs: Array, found: Array
) -> tuple[Array, Array]:
    """One Newton step with a line search on the convex function."""
    gradient = found @ nu - total
    hessian = np.einsum("ns,sc,sd->ncd", found, nu, nu)
    scale = np.sqrt(np.einsum("ncc->nc", hessian))
    scaled = hessian / (scale[:, :, None] * scale[:, None, :])
    move = -np.linalg.solve(scaled, (gradient / scale)[:, :, None])[:, :, 0] / scale
    move *= np.minimum(1.0, _STEP / np.maximum(np.abs(move).max(axis=1), 1e-300))[:, None]
    slope = np.einsum("nc,nc->n", gradient, move)
    value = found.sum(axis=1) - np.einsum("nc,nc->n", total, logs)
    share = np.ones(len(total))
    for _ in range(30):
        moved = logs + share[:, None] * move
        trial = _species(nu, constants, moved)
        after = trial.sum(axis=1) - np.einsum("nc,nc->n", total, moved)
        # Close to the solution differences drown in rounding; the step is then exact.
        worse = after > value + 1e-4 * share * slope + 1e-13 * np.abs(value)
        if not np.any(worse):
            break
        share = np.where(worse, 0.5 * share, share)
    return moved, trial
