"""A campaign: can its model be trusted, what matters, and how the outcome goes with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from agents import Categorical, Recipe
from agents.explain import (
    Contour,
    Indices,
    ObservableModel,
    ShapMissingError,
    Slice,
    Validation,
    central_trial,
    contour_map,
    cross_validate,
    shapley_values,
    slices,
    sobol_indices,
)
from orchestrator.explain._subject import Subject, recipe_document, wanted_document

LEVELS = tuple(round(0.05 * k, 2) for k in range(1, 20))
SEVERAL = 2  # values that a model needs


def campaign_document(
    subject: Subject, say: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Explain a campaign.

    Args:
        subject: The campaign.
        say: Hears of each part that takes a while.
    """
    record = subject.record
    names = record.observables
    anchor = _anchor(subject)
    surrogate = subject.surrogate(subject.past, names, record.campaign.seed)
    parts = {}
    for name in names:
        say(f"{name}: cross-validation, sensitivity, slices")
        parts[name] = _observable(subject, name, surrogate.get(name), anchor)
    return {
        "campaign": record.row.id,
        "name": record.row.name,
        "state": record.row.state,
        "trials": len(record.trials),
        "completed": len(record.done),
        "model": subject.model_document(),
        "anchor": anchor and {**anchor, "recipe": recipe_document(record, anchor["recipe"])},
        "parameters": {p.name: record.units.get(p.name, "") for p in subject.encoding.free},
        "observables": parts,
        "warnings": list(subject.warnings),
    }


def _anchor(subject: Subject) -> dict[str, Any] | None:
    """Return the recipe that slices go through: the best trial's, else the most central one's."""
    best = subject.record.best
    if best is not None:
        made = next(t for t in subject.past if t.number == best)
        return {"trial": best, "why": "best", "recipe": made.recipe}
    central = central_trial(subject.encoding, subject.past)
    if central is None:
        return None
    return {"trial": central.number, "why": "central", "recipe": central.recipe}


def _observable(
    subject: Subject, name: str, model: ObservableModel | None, anchor: dict[str, Any] | None
) -> dict[str, Any]:
    seen = [t for t in subject.past if t.state == "completed" and name in t.observables]
    part: dict[str, Any] = {
        "unit": subject.record.unit(name),
        "wanted": wanted_document(subject.record, name),
        "values": len(seen),
        "absent": None,
        "validation": None,
        "sensitivity": None,
        "shap": None,
        "slices": [],
        "contour": None,
    }
    if model is None or anchor is None:
        reason = f"a model needs {SEVERAL} measured values, but there are {len(seen)}"
        return part | {"absent": reason}
    fit = partial(_fit, subject)
    checked = cross_validate(subject.encoding, fit, subject.past, name)
    indices = sobol_indices(subject.encoding, model)
    recipe: Recipe = anchor["recipe"]
    return part | {
        "validation": None if checked is None else _validation(checked),
        "sensitivity": None if indices is None else _sensitivity(indices),
        "shap": _shap(subject, name, model),
        "slices": [_slice(subject, s) for s in slices(subject.encoding, model, recipe)],
        "contour": _contour(subject, model, recipe, indices),
    }


def _fit(subject: Subject, past: Any, observables: Any) -> Any:
    return subject.surrogate(past, observables, subject.record.campaign.seed)


def _validation(found: Validation) -> dict[str, Any]:
    return {
        "method": "leave one recipe out" if found.one_out else f"{found.folds} folds of recipes",
        "folds": found.folds,
        "trials": list(found.trials),
        "measured": _numbers(found.values),
        "predicted": _numbers(found.mean),
        "sd": _numbers(found.sd),
        "standardised_errors": _numbers(found.errors),
        "r2": found.r2,
        "rmse": found.rmse,
        "coverage_68": found.coverage(0.68),
        "coverage_95": found.coverage(0.95),
        "log_score": found.log_score,
        "calibration": {
            "promised": list(LEVELS),
            "inside": [found.coverage(level) for level in LEVELS],
        },
    }


def _sensitivity(found: Indices) -> dict[str, Any]:
    columns = zip(found.first, found.first_se, found.total, found.total_se, strict=True)
    return {
        "sd": found.sd,
        "parameters": {
            name: dict(
                zip(("first", "first_se", "total", "total_se"), map(float, row), strict=True)
            )
            for name, row in zip(found.names, columns, strict=True)
        },
    }


def _shap(subject: Subject, name: str, model: ObservableModel) -> dict[str, Any]:
    seen = [t for t in subject.past if t.state == "completed" and name in t.observables]
    made = [t.made for t in seen]
    try:
        found = shapley_values(subject.encoding, model, made)
    except ShapMissingError as error:
        return {"missing": str(error)}
    size = found.size
    return {
        "base": found.base,
        "trials": [t.number for t in seen],
        "parameters": {
            parameter: {
                "mean_absolute": float(size[j]),
                "values": _numbers(found.values[:, j]),
                "settings": [recipe.get(parameter) for recipe in made],
            }
            for j, parameter in enumerate(found.names)
        },
    }


def _slice(subject: Subject, found: Slice) -> dict[str, Any]:
    ends = {level: found.predictions.interval(level) for level in (0.68, 0.95)}
    return {
        "parameter": found.parameter,
        "unit": subject.record.units.get(found.parameter, ""),
        "here": found.here,
        "values": list(found.values),
        "mean": _numbers(found.predictions.mean),
        "low_68": _numbers(ends[0.68][0]),
        "high_68": _numbers(ends[0.68][1]),
        "low_95": _numbers(ends[0.95][0]),
        "high_95": _numbers(ends[0.95][1]),
        "feasible": list(found.feasible),
    }


def _contour(
    subject: Subject, model: ObservableModel, recipe: Recipe, indices: Indices | None
) -> dict[str, Any] | None:
    """Return the map over the two numbers with the greatest total indices; None of fewer."""
    if indices is None:
        return None
    kinds = {p.name: p for p in subject.encoding.free}
    order = [indices.names[j] for j in np.argsort(-indices.total, kind="stable")]
    numbers = [n for n in order if n in recipe and not isinstance(kinds[n], Categorical)]
    if len(numbers) < 2:
        return None
    return _contour_document(
        subject, contour_map(subject.encoding, model, recipe, numbers[0], numbers[1])
    )


def _contour_document(subject: Subject, found: Contour) -> dict[str, Any]:
    units = subject.record.units
    axes = {
        key: {"parameter": name, "unit": units.get(name, ""), "values": list(values)}
        for key, (name, values) in (("x", found.x), ("y", found.y))
    }
    return {
        **axes,
        "mean": [_numbers(row) for row in found.mean],
        "sd": [_numbers(row) for row in found.sd],
        "feasible": found.feasible.tolist(),
    }


def _numbers(values: Any) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]
