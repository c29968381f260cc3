"""An explanation in words and numbers, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.report._words import label, measured, number, percent, unit_text

Part = Mapping[str, Any]
SHOWN = 4  # parameters named as important


def explanation_text(document: Part) -> str:
    """Return an explanation as lines of text."""
    lines = _trial_lines(document) if "trial" in document else _campaign_lines(document)
    return "\n".join([*lines, *(f"note: {w}" for w in document["warnings"])])


def _trial_lines(document: Part) -> Iterator[str]:
    basis, policy = document["basis"], document["policy"]
    yield f"trial {document['trial']} of {document['name']}, {document['state']}"
    chosen = f"chosen by {policy['name']}" if policy["name"] else "chosen by no agent here"
    if policy["value"] is not None:
        chosen += f", value {number(policy['value'])}"
    yield f"{chosen}, knowing {basis['trials']} trials, {basis['completed']} of them completed"
    yield f"model: {document['model']['text']}"
    for name, entry in document["observables"].items():
        yield from _expected(name, entry)
    for near in document["nearest"]:
        gave = ", ".join(
            f"{label(n)} {measured(o['value'], o['se'], o['unit'])}"
            for n, o in near["observables"].items()
        )
        away = number(near["distance"], 2)
        yield f"near trial {near['trial']} at {away}: {gave or near['state']}"
    for limit in document["limits"]:
        yield f"held by: {limit['text']}"
    for name, share in document["learning"]["variance_removed"].items():
        if share is not None:
            yield f"expected to remove {percent(share)} of the variance of {label(name)}"


def _expected(name: str, entry: Part) -> Iterator[str]:
    unit = unit_text(entry["unit"])
    found = entry["predicted"] or entry["refitted"]
    if found is not None:
        how = "predicted" if entry["predicted"] else "would have been predicted"
        low, high = (number(v) for v in found["interval_95"])
        text = measured(found["mean"], found["sd"], unit)
        yield f"{label(name)}: {how} {text} (95 %: {low} to {high})"
    else:
        yield f"{label(name)}: nothing to predict it from"
    came = entry["measured"]
    if came is not None:
        off = entry["standardised_error"]
        tail = "" if off is None else f", {number(off, 2)} expected spreads off"
        yield f"  came {measured(came['value'], came['se'], unit)}{tail}"


def _campaign_lines(document: Part) -> Iterator[str]:
    yield f"{document['name']}: {document['completed']} of {document['trials']} trials completed"
    yield f"model: {document['model']['text']}"
    for name, part in document["observables"].items():
        yield label(name)
        yield from (f"  {line}" for line in _part_lines(part))


def _part_lines(part: Part) -> Iterator[str]:
    if part["absent"]:
        yield part["absent"]
        return
    yield _checked(part)
    found = part["sensitivity"]
    if found is None:
        yield "the model sees no dependence on any parameter"
    else:
        shares = found["parameters"]
        order = sorted(shares, key=lambda n: -shares[n]["total"])[:SHOWN]
        yield "depends on " + ", ".join(f"{label(n)} {_share(shares[n])}" for n in order)
    if part["shap"] and "missing" in part["shap"]:
        yield str(part["shap"]["missing"])


def _checked(part: Part) -> str:
    found = part["validation"]
    if found is None:
        return f"{part['values']} values are too few to try the model on; three recipes are needed"
    unit = f" {unit_text(part['unit'])}" if part["unit"] else ""
    r2 = "undefined" if found["r2"] is None else number(found["r2"], 2)
    return (
        f"{found['method']}: R² {r2}, typical error {number(found['rmse'], 3)}{unit}, "
        f"68 % intervals held {percent(found['coverage_68'])}, "
        f"95 % intervals {percent(found['coverage_95'])}"
    )


def _share(found: Part) -> str:
    return f"{percent(max(found['total'], 0.0))} (by itself {percent(max(found['first'], 0.0))})"
