"""A pump with a flow meter behind it: one sets the flow, the other measures it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from instruments.capabilities import FlowLimits, Pump


class FlowMeter(Protocol):
    """Measures what flows."""

    def read_flow(self) -> float:
        """Measured flow [µL/s]."""
        ...


class MeteredPump:
    """A pump whose flow is read from a meter instead of from its own display.

    Args:
        pump: Sets the flow.
        meter: Measures it.
    """

    def __init__(self, pump: Pump, meter: FlowMeter) -> None:
        self._pump, self._meter = pump, meter

    @property
    def wire(self) -> Any:
        """The pump's wire; None for a simulated one."""
        return getattr(self._pump, "wire", None)

    def halt(self) -> None:
        """Tell the pump to stop, without waiting for its answer where it can be told so."""
        getattr(self._pump, "halt", lambda: None)()

    @property
    def limits(self) -> FlowLimits:
        """Flows that the pump can hold [µL/s]."""
        return self._pump.limits

    def identify(self) -> Mapping[str, Any]:
        """Say what the pump is."""
        return self._pump.identify()

    def confirm(self) -> None:
        """See that the pump still does what it was told, where it can say so."""
        getattr(self._pump, "confirm", lambda: None)()

    def set_flow(self, flow: float) -> None:
        """Set the flow [µL/s]; see the pump."""
        self._pump.set_flow(flow)

    def read_flow(self) -> float:
        """Measured flow [µL/s]."""
        return self._meter.read_flow()

    def infused(self) -> float:
        """Volume infused by the pump's own counter [µL]; see the pump."""
        return self._pump.infused()

    def stop(self) -> None:
        """Set the flow to zero."""
        self._pump.stop()

    def to_safe_state(self) -> None:
        """Bring the pump to its safe state."""
        self._pump.to_safe_state()
