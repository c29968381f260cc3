"""What drivers of syringe pumps share: flows that may be asked for, and addresses on one wire."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from instruments.capabilities import FlowLimits
from instruments.errors import InstrumentError


def check_flow(name: str, limits: FlowLimits, flow: float) -> None:
    """Refuse a flow [µL/s] that the pump cannot hold, before anything goes over the wire.

    Raises:
        InstrumentError: outside the limits.
    """
    if not limits.allow(flow):
        raise InstrumentError(
            f"pump {name!r} holds zero or {limits.minimum:g} to {limits.maximum:g} µL/s, but was "
            f"asked for {flow:g} µL/s"
        )


def common(name: str, station: FlowLimits, device: FlowLimits) -> FlowLimits:
    """Return the flows that the station allows and the device can hold.

    Raises:
        InstrumentError: there are none.
    """
    low, high = max(station.minimum, device.minimum), min(station.maximum, device.maximum)
    if low > high:
        raise InstrumentError(
            f"pump {name!r} must hold a flow of {station.minimum:g} to {station.maximum:g} µL/s, "
            f"but with this syringe it holds {device.minimum:g} to {device.maximum:g} µL/s; take "
            "another syringe"
        )
    return FlowLimits(low, high)


class Addressed(BaseModel):
    """Settings of pumps that share a wire.

    Attributes:
        addresses: Address of each pump by the name of its liquid; counted in the station's order
            from the first, if left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    addresses: dict[str, int] = {}

    def of(self, names: tuple[str, ...], first: int = 0) -> dict[str, int]:
        """Return the address of each name.

        Raises:
            InstrumentError: a name that the station has not, one without address, or an address
                that two share.
        """
        found = self.addresses or {name: number for number, name in enumerate(names, first)}
        if set(found) != set(names) or len(set(found.values())) < len(names):
            raise InstrumentError(
                f"addresses must give each of {', '.join(names)} one of its own, but got {found}"
            )
        return found
