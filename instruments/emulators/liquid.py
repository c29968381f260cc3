"""The simulated pump whose liquid an emulated one moves."""

from __future__ import annotations

from typing import Protocol

from instruments.capabilities import FlowLimits


class Liquid(Protocol):
    """A simulated pump."""

    @property
    def limits(self) -> FlowLimits:
        """Flows that it can hold [µL/s]."""
        ...

    def set_flow(self, flow: float) -> None:
        """Set the flow [µL/s]."""
        ...
