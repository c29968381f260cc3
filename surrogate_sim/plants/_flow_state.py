"""What carries of a flow line from trial to trial, read back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_STATE: dict[str, Any] = {"clock": 0.0, "film": 0.0, "drawn": {}}


def restored(state: Mapping[str, Any] | None) -> tuple[float, float, dict[str, float]]:
    """Return clock [s], film [nm] and the volume drawn of each inlet [µL]; zeros of None.

    Raises:
        ValueError: a state that is not one.
    """
    known = {**_STATE, **(state or {})}
    try:
        drawn = {str(k): float(v) for k, v in known["drawn"].items()}
        numbers = float(known["clock"]), float(known["film"])
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"a plant's state holds clock, film and drawn, but got {state!r}"
        ) from error
    if set(known) != set(_STATE) or not all(map(math.isfinite, numbers)):
        raise ValueError(f"a plant's state holds clock, film and drawn, but got {state!r}")
    return *numbers, drawn
