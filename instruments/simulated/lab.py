"""What a campaign may say of a simulated laboratory: the seed of its hidden truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from instruments.errors import InstrumentError


def hidden_seed(lab: Mapping[str, Any] | None, station: str) -> int | None:
    """Return the hidden seed of a lab that may say no more; None for the nominal one.

    Raises:
        InstrumentError: another key, or a seed that is not a whole number of at least 0.
    """
    if not lab:
        return None
    unknown = sorted(set(lab) - {"hidden"})
    if unknown:
        raise InstrumentError(
            f"a lab of {station} takes only 'hidden', but got {', '.join(unknown)}; remove or "
            "correct it"
        )
    return checked_seed(lab["hidden"])


def checked_seed(seed: Any) -> int:
    """Return a hidden seed.

    Raises:
        InstrumentError: it is not a whole number of at least 0.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InstrumentError(f"hidden must be a whole number of at least 0, but got {seed!r}")
    return seed
