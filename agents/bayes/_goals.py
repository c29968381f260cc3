"""What objectives ask for, as directions to drive in and bands to be inside."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents.errors import ProposalError
from agents.objective import Objective


@dataclass(frozen=True, slots=True)
class Goals:
    """Objectives taken together.

    Attributes:
        observables: Every observable that an objective names, in order of first appearance.
        drivers: Observable -> +1 (maximise) or -1 (minimise).
        bands: Observable -> (low, high), infinite where open; the intersection of the bounds of
            all objectives on that observable.
        scales: Observable -> the natural size of a violation (the tolerance of a target).
        later: Observables whose values come after the trial was completed.
    """

    observables: tuple[str, ...]
    drivers: Mapping[str, float]
    bands: Mapping[str, tuple[float, float]]
    scales: Mapping[str, float]
    later: frozenset[str] = frozenset()

    def inside(self, values: Mapping[str, float]) -> bool:
        """Tell whether `values` lie within every band (a missing one does not)."""
        return all(
            name in values and low <= values[name] <= high
            for name, (low, high) in self.bands.items()
        )


def read_goals(objectives: Sequence[Objective]) -> Goals:
    """Return the goals of `objectives`.

    Raises:
        ProposalError: there is none, a target lacks its value or tolerance, one observable is
            driven both ways, or the bounds on one observable exclude one another.
    """
    if not objectives:
        raise ProposalError("an agent needs an objective, but got none; state one")
    drivers: dict[str, float] = {}
    bands: dict[str, tuple[float, float]] = {}
    scales: dict[str, float] = {}
    for o in objectives:
        if o.goal == "target" and (o.value is None or not o.tolerance or o.tolerance <= 0):
            raise ProposalError(
                f"a target needs a value and a tolerance above zero, but the one on "
                f"{o.observable} has value {o.value} and tolerance {o.tolerance}; state both"
            )
        if o.goal in ("minimise", "maximise"):
            direction = 1.0 if o.goal == "maximise" else -1.0
            if drivers.setdefault(o.observable, direction) != direction:
                raise ProposalError(
                    f"{o.observable} cannot be minimised and maximised at once; drop one"
                )
        if o.goal == "target" and o.tolerance is not None:
            scales[o.observable] = min(o.tolerance, scales.get(o.observable, math.inf))
        low, high = o.bounds()
        if low is None and high is None:
            continue
        before = bands.get(o.observable, (-math.inf, math.inf))
        band = (
            max(before[0], -math.inf if low is None else low),
            min(before[1], math.inf if high is None else high),
        )
        if band[0] > band[1]:
            raise ProposalError(
                f"the bounds on {o.observable} exclude one another: at least {band[0]:g} and at "
                f"most {band[1]:g}; widen one"
            )
        bands[o.observable] = band
    names = tuple(dict.fromkeys(o.observable for o in objectives))
    later = frozenset(o.observable for o in objectives if o.later)
    return Goals(names, drivers, bands, scales, later)


def probability_met(
    objectives: Sequence[Objective], means: Mapping[str, float], sds: Mapping[str, float]
) -> float:
    """Return the probability that every target's tolerance and every bound holds.

    Args:
        objectives: What is wanted; those without bounds do not count.
        means: Observable -> mean (or measured value).
        sds: Observable -> standard deviation (or standard error); errors are taken as normal
            and independent. Zero means certain.

    Returns:
        The product over observables; 0 where a bounded observable is missing.
    """
    product = 1.0
    for name, (low, high) in read_goals(objectives).bands.items():
        if name not in means:
            return 0.0
        mean, sd = means[name], sds.get(name, 0.0)
        if sd <= 0.0:
            product *= float(low <= mean <= high)
        else:
            upper, lower = _normal((high - mean) / sd), _normal((low - mean) / sd)
            product *= max(0.0, upper - lower)
    return product


def _normal(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))
