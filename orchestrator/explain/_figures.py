"""The figures of an explanation, drawn from its document alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from matplotlib.figure import Figure

from orchestrator.explain._maps import contour_figure, slices_figure
from orchestrator.explain._sensitivity import sensitivity_figure, shap_figure
from orchestrator.explain._trial_figures import nearest_figure, prediction_figure
from orchestrator.explain._validation import calibration_figure, validation_figure
from orchestrator.report._figure import png_bytes, settle, style, svg_bytes

Document = Mapping[str, Any]


def drawings(document: Document) -> dict[str, bytes]:
    """Return the figures of an explanation by file name, each as PNG and as SVG."""
    found = {}
    with style():
        for name, figure in _figures(document):
            settled = settle(figure)
            found[f"{name}.svg"] = svg_bytes(settled)
            found[f"{name}.png"] = png_bytes(settled)
    return dict(sorted(found.items()))


def _figures(document: Document) -> Iterator[tuple[str, Figure]]:
    if "trial" in document:
        yield from _of_trial(document)
    else:
        yield from _of_campaign(document)


def _of_trial(document: Document) -> Iterator[tuple[str, Figure]]:
    known = {
        name: entry
        for name, entry in document["observables"].items()
        if entry["predicted"] or entry["refitted"]
    }
    if known:
        yield "prediction", prediction_figure(document, known)
    if document["nearest"]:
        yield "nearest", nearest_figure(document)


def _of_campaign(document: Document) -> Iterator[tuple[str, Figure]]:
    parts: Document = document["observables"]
    checked = {n: p for n, p in parts.items() if p["validation"]}
    if checked:
        yield "cross_validation", validation_figure(checked)
        yield "calibration", calibration_figure(checked)
    varying = {n: p for n, p in parts.items() if p["sensitivity"]}
    if varying:
        yield "sensitivity", sensitivity_figure(varying)
    for name, part in parts.items():
        if part["slices"]:
            yield f"slices_{name}", slices_figure(document, name, part)
        if part["contour"]:
            yield f"contour_{name}", contour_figure(document, name, part)
        if part["shap"] and "parameters" in part["shap"]:
            yield f"shap_{name}", shap_figure(name, part)
