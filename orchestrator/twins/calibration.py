"""Calibration of a twin on its C rows: least squares with priors, and Laplace's posterior.

Each twin says in `_*_fit.py` which constants are free, their priors, and what the differences
from the C rows are. Here all are fitted alike, in units of the priors' standard deviations:
the sum over C numbers of (ours less published over its error) squared, plus the squared
departures from the priors, is made least from the values of the parameter file. The posterior is
normal about that minimum, with the covariance (J^T J)^-1. No chance enters: the noise of the
instruments is that of the nominal lab, so the same code gives the same values.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from orchestrator.errors import InputRefusedError
from orchestrator.twins.catalogue import Twin
from surrogate_sim.parameters import Constant, TwinParameters, table

Array = NDArray[np.float64]
STEP = 0.1
"""Step of finite differences in standard deviations of the priors: above the fits' noise."""


@dataclass(frozen=True)
class Prior:
    """Prior of one free constant; `scale` is of its logarithm where `logarithmic`."""

    name: str
    centre: float
    scale: float
    logarithmic: bool

    def standard(self, value: float) -> float:
        """Departure of a value from the centre in standard deviations."""
        if self.logarithmic:
            return math.log(value / self.centre) / self.scale
        return (value - self.centre) / self.scale

    def value(self, standard: float) -> float:
        """Inverse of `standard`."""
        if self.logarithmic:
            return self.centre * math.exp(self.scale * standard)
        return self.centre + self.scale * standard


@dataclass(frozen=True)
class Fit:
    """What is fitted: priors of the free constants, and differences from the C numbers."""

    priors: tuple[Prior, ...]
    residuals: Callable[[TwinParameters], Array]


@dataclass(frozen=True)
class Calibrated:
    """What a calibration found.

    Attributes:
        values: Fitted values by name.
        deviations: Posterior standard deviations; of the logarithm where the prior's is.
        cost: Half the sum of squares at the minimum, priors included.
        start_cost: The same at the values of the parameter file.
        residuals: Differences from the C numbers in their errors.
        evaluations: How many times the model was asked, derivatives included.
        converged: Whether the least squares ended by themselves.
    """

    values: Mapping[str, float]
    deviations: Mapping[str, float]
    cost: float
    start_cost: float
    residuals: tuple[float, ...]
    evaluations: int
    converged: bool


def fit_of(twin: Twin) -> Fit:
    """Return what is fitted of a twin.

    Raises:
        InputRefusedError: its fit has not been written.
    """
    readers = {
        "micropipette": _micropipette,
        "topo_batch": _topo,
        "larp_plate": _larp,
        "anion_exchange": _exchange,
    }
    if twin.name in readers:
        return readers[twin.name]()
    module = f"orchestrator.twins.rows._{twin.parameters}_fit"
    if importlib.util.find_spec(module) is None:
        raise InputRefusedError(
            f"{twin.name} has no fit on its C rows yet (no {module}); calibrate "
            f"one of {', '.join(readers)}"
        )
    found = importlib.import_module(module)
    return Fit(tuple(_prior(n, p) for n, p in found.PRIORS.items()), found.residuals)


def _prior(name: str, given: Any) -> Prior:
    """A prior as the twins' fits write it: an object or (centre, scale, logarithmic)."""
    if isinstance(given, tuple):
        return Prior(name, *given)
    logarithm = getattr(given, "logarithm", getattr(given, "logarithmic", True))
    scale = given.deviation if hasattr(given, "deviation") else given.scale
    return Prior(name, given.centre, scale, bool(logarithm))


def _micropipette() -> Fit:
    from orchestrator.twins.rows import _micropipette_fit as module

    return Fit(tuple(_prior(n, p) for n, p in module.PRIORS.items()), module.residuals)


def _topo() -> Fit:
    from orchestrator.twins.rows import _topo_fit as module

    priors = tuple(_prior(n, p) for n, p in module.PRIORS.items())
    return Fit(priors, lambda lab: module.residuals(lab)[: -len(priors)])


def _larp() -> Fit:
    from orchestrator.twins import _larp_fit as module

    return Fit(tuple(_prior(n, p) for n, p in module.PRIORS.items()), module.residuals)


def _exchange() -> Fit:
    from orchestrator.twins.rows import _anion_exchange_fit as module

    free = (*module.KINETICS, *module.CUVETTE)
    return Fit(tuple(_prior(p.name, p) for p in free), module.residuals)


def calibrate(
    twin: Twin,
    evaluations: int = 6,
    progress: Callable[[str], None] = lambda _: None,
    fit: Fit | None = None,
) -> Calibrated:
    """Fit a twin's constants from the values of its parameter file.

    Args:
        twin: Which twin.
        evaluations: Most steps of the least squares; 0 takes the file's values as they are and
            gives their posterior alone.
        progress: Told of each step.
        fit: What is fitted; the twin's own where left out.

    Raises:
        InputRefusedError: the twin has no fit.
    """
    fit = fit or fit_of(twin)
    start, count = twin.nominal(), 0

    def lab(z: Array) -> TwinParameters:
        pairs = zip(fit.priors, z, strict=True)
        return start.replacing(**{p.name: p.value(float(s)) for p, s in pairs})

    def total(z: Array) -> Array:
        nonlocal count
        count += 1
        return np.append(fit.residuals(lab(z)), z)

    def slope(z: Array) -> Array:
        steps = STEP * np.eye(len(z))
        found = np.array([(total(z + s) - total(z - s)) / (2.0 * STEP) for s in steps]).T
        progress(f"slopes taken, {count} evaluations")
        return found

    first = np.array([p.standard(start.own[p.name]) for p in fit.priors])
    at, converged = first, True
    if evaluations > 0:
        found = least_squares(total, first, jac=slope, max_nfev=evaluations, x_scale=1.0)
        at, converged = found.x, bool(found.status > 0)
    begun, ended, jacobian = total(first), total(at), slope(at)
    spread = np.sqrt(np.diag(np.linalg.inv(jacobian.T @ jacobian)))
    return Calibrated(
        {p.name: p.value(float(z)) for p, z in zip(fit.priors, at, strict=True)},
        {p.name: float(p.scale * s) for p, s in zip(fit.priors, spread, strict=True)},
        0.5 * float(ended @ ended),
        0.5 * float(begun @ begun),
        tuple(float(r) for r in ended[: -len(at)]),
        count,
        converged,
    )


def calibration_document(twin: Twin, found: Calibrated, fit: Fit) -> dict[str, Any]:
    """Return the document of `twin calibrate`."""
    constants, rows = table(twin.parameters), twin.fitted()
    return {
        "twin": twin.name,
        "cost": found.cost,
        "start_cost": found.start_cost,
        "evaluations": found.evaluations,
        "converged": found.converged,
        "calibration_numbers": len(found.residuals),
        "parameters": [
            {
                "name": p.name,
                "unit": constants[p.name].unit,
                "was": constants[p.name].value,
                "value": found.values[p.name],
                "prior": p.centre,
                "prior_sd": p.scale,
                "posterior_sd": found.deviations[p.name],
                "logarithmic": p.logarithmic,
                "rows": rows.get(p.name, ""),
            }
            for p in fit.priors
        ],
        "residuals": list(found.residuals),
    }


def parameter_file(twin: Twin, found: Calibrated) -> str:
    """Return the twin's parameter file with the fitted values and their posterior (TOML)."""
    made = {
        name: _fitted(c, found.values[name], found.deviations[name]) if name in found.values else c
        for name, c in table(twin.parameters).items()
    }
    return "\n".join(_toml(name, c) for name, c in made.items())


def _fitted(constant: Constant, value: float, deviation: float) -> Constant:
    """The same constant at a fitted value, to six digits."""
    digits = {"value": float(f"{value:.6g}"), "posterior_sd": float(f"{deviation:.4g}")}
    return constant.model_copy(update=digits)


def _toml(name: str, constant: Constant) -> str:
    lines = [f"[{name}]"]
    for key, value in constant.model_dump(exclude_none=True).items():
        lines.append(f"{key} = {_quoted(value) if isinstance(value, str) else repr(value)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


__all__ = [
    "Calibrated",
    "Fit",
    "Prior",
    "calibrate",
    "calibration_document",
    "fit_of",
    "parameter_file",
]
