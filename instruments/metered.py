"""A pump with a flow meter behind it: one sets the flow, the other measures it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from instruments.capabilities import FlowLimits, Pump


class FlowMeter(Protocol):
    """Measures what flows."""

    def read_flow(self) -> float:
        """Measured flow [µL/s]."""
        ...


class MeteredPump:
    """A pump whose flow is read from a meter instead of from its own display.

    It also adds up what the pump should have moved, so that a counter that lost its count shows. A
    command that was not confirmed may have been heard or not, which leaves two bounds.

    Args:
        pump: Sets the flow.
        meter: Measures it.
        now: Time on the procedure's clock [s]; the pump stands still then.
    """

    def __init__(self, pump: Pump, meter: FlowMeter, now: Callable[[], float]) -> None:
        self._pump, self._meter, self._now = pump, meter, now
        self._slow = self._fast = 0.0  # µL/s at which it may run
        self._low = self._high = 0.0  # µL that it should have moved until `since`
        self._since = now()

    @property
    def wire(self) -> Any:
        """The pump's wire; None for a simulated one."""
        return getattr(self._pump, "wire", None)

    def halt(self) -> None:
        """Tell the pump to stop, without waiting for its answer where it can be told so."""
        self._may_run_at(0.0)
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
        self._may_run_at(flow)
        self._pump.set_flow(flow)
        self._slow = self._fast = flow

    def read_flow(self) -> float:
        """Measured flow [µL/s]."""
        return self._meter.read_flow()

    def infused(self) -> float:
        """Volume infused by the pump's own counter [µL]; see the pump."""
        return self._pump.infused()

    def expected(self) -> tuple[float, float]:
        """Bounds of what it should have moved until now, by what it was told [µL]."""
        self._add_up()
        return self._low, self._high

    def stop(self) -> None:
        """Set the flow to zero."""
        self._may_run_at(0.0)
        self._pump.stop()
        self._slow = self._fast = 0.0

    def to_safe_state(self) -> None:
        """Bring the pump to its safe state."""
        self._may_run_at(0.0)
        self._pump.to_safe_state()
        self._slow = self._fast = 0.0

    def _may_run_at(self, flow: float) -> None:
        """Count from now on with both: that a command was heard, and that it was not."""
        self._add_up()
        self._slow, self._fast = min(self._slow, flow), max(self._fast, flow)

    def _add_up(self) -> None:
        seconds = self._now() - self._since
        self._low += self._slow * seconds
        self._high += self._fast * seconds
        self._since += seconds
