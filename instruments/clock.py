"""Clocks: the one place where a procedure's time comes from."""

from __future__ import annotations

from collections.abc import Callable


class VirtualClock:
    """A clock that stands still until somebody waits; then it moves whatever it drives.

    Args:
        advance: Called with the seconds that pass, before the clock shows them (a plant's
            `advance`).
        start: First reading [s].
    """

    def __init__(self, advance: Callable[[float], None], start: float = 0.0) -> None:
        self._advance = advance
        self._now = start

    def now(self) -> float:
        """Seconds since the laboratory's start."""
        return self._now

    def wait(self, seconds: float) -> None:
        """Let `seconds` pass at once.

        Raises:
            ValueError: negative or not finite.
        """
        if not 0.0 <= seconds < float("inf"):
            raise ValueError(
                f"a wait must be finite and not negative, but got {seconds} s; "
                "check the flow that the wait was computed from"
            )
        if seconds > 0.0:
            self._advance(seconds)
            self._now += seconds
