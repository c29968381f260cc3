"""Campaigns whose values come later, and what a microscope wrote down."""

from __future__ import annotations

from typing import Any

import numpy as np

from orchestrator import events as ev
from orchestrator.decisions import Attachment
from tests.loop.campaigns import SMALL
from tests.records import RESOLVED, created

LATER: dict[str, Any] = {
    **SMALL,
    "name": "later",
    "batch": 1,
    "observables": [
        {"name": "tem_size", "unit": "nm", "method": "TEM", "reader": "mean"},
        {"name": "tem_spread", "unit": "percent", "method": "TEM", "reader": "relative_spread"},
        {"name": "lead_yield", "unit": "percent", "method": "ICP"},
    ],
    "objectives": [
        {"observable": "peak_emission", "goal": "constraint", "min": 450, "max": 560},
        {"observable": "tem_size", "goal": "target", "value": 9, "tolerance": 1, "unit": "nm"},
    ],
    "stop": {"target": {"confidence": 0.9}},
}  # fmt: skip


def sizes(mean: float = 9.0, spread: float = 0.9, count: int = 60, seed: int = 1) -> bytes:
    """A table of particle sizes [nm]."""
    drawn = np.random.default_rng(seed).normal(mean, spread, count)
    return ("size [nm]\n" + "\n".join(f"{s:.3f}" for s in drawn) + "\n").encode()


def seen(*observables: str, data: bytes = b"", **more: Any) -> Attachment:
    """An attachment of a table of sizes, unless it says otherwise."""
    values: dict[str, Any] = {"file": "tem.csv", "note": "grid 3", **more}
    return Attachment(tuple(observables) or ("tem_size",), data=data or sizes(), **values)


def stated(name: str, value: float, **more: Any) -> Attachment:
    """An attachment of a number that a person states."""
    given = {"value": value, "unit": more.pop("unit", ""), "se": more.pop("se", None)}
    more = {"file": "note.txt", "data": b"as read", **more}
    return seen(name, stated={k: v for k, v in given.items() if v is not None}, **more)


def created_with_later(name: str = "record") -> ev.CampaignCreated:
    """The first event of a campaign without a station that waits for tem_size."""
    later = {"name": "tem_size", "unit": "nm", "method": "TEM", "reader": "mean"}
    resolved = {**RESOLVED, "name": name, "observables": [later]}
    return created(name).model_copy(update={"resolved": resolved})
