"""What drivers of syringe pumps share: flows that may be asked for, stops, one wire for all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from instruments.capabilities import FlowLimits
from instruments.drivers.link import Link, serial_link
from instruments.emulators.liquid import Chain
from instruments.emulators.servers import SerialEnd
from instruments.errors import (
    DeviceFaultError,
    DeviceStoppedError,
    DeviceTimeoutError,
    InstrumentError,
)
from instruments.wiring import Connection, Part

P = TypeVar("P")


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


class ChainedPump(ABC):
    """A pump that shares its wire.

    Args:
        name: Name of the instrument in the record.
        link: The wire.
        limits: Flows that station and pump allow [µL/s].
        stopping: The telegram that stops this pump.
        emulated: Whether an emulator answers.
    """

    resolution = 1e-6
    """Relative distance of a flow that is told from one that is held."""

    def __init__(
        self, name: str, link: Link, limits: FlowLimits, stopping: str, *, emulated: bool
    ) -> None:
        self.name, self.wire = name, link
        self._limits, self._stopping, self._emulated = limits, stopping, emulated
        self._told: float | None = 0.0  # µL/s that it confirmed; None where nobody knows

    @property
    def limits(self) -> FlowLimits:
        """Flows that the pump can hold [µL/s]."""
        return self._limits

    @abstractmethod
    def stop(self) -> None:
        """Stop, and see that it stands still."""

    @abstractmethod
    def _present(self) -> tuple[bool, float, str]:
        """Ask whether it moves, at which flow [µL/s] it is set, and what it says of itself."""

    def confirm(self) -> None:
        """See that it still infuses at the flow that it was told, or stands still.

        Raises:
            DeviceStoppedError: it stands still where it should infuse.
            DeviceFaultError: it moves at another flow.
            DeviceTimeoutError: it does not answer, or what it was told last is unknown.
        """
        told = self._told
        if told is None:
            raise DeviceTimeoutError(
                f"pump {self.name!r} must have confirmed its last command, but it did not; "
                "whether it moves is unknown, stop it"
            )
        moves, flow, state = self._present()
        if told > 0.0 and not moves:
            self._told = None
            raise self._stands_still(f"infuse at the {told:g} µL/s that it was told", state)
        found = flow if moves else 0.0
        if abs(found - told) > self.resolution * told:
            self._told = None
            raise DeviceFaultError(
                f"pump {self.name!r} was told {told:g} µL/s, but it moves at {found:g} µL/s "
                f"({state}); stop it"
            )

    def _stands_still(self, what: str, state: str) -> DeviceStoppedError:
        return DeviceStoppedError(
            f"pump {self.name!r} must {what}, but it is {state} and stands still: what it was to "
            "deliver since is missing; look for a blocked line, an empty syringe or lost power"
        )

    def halt(self) -> None:
        """Tell the pump to stop, without waiting for its answer."""
        self.wire.tell(self._stopping.encode("ascii"))

    def to_safe_state(self) -> None:
        """Stop."""
        self.stop()

    def close(self) -> None:
        """Let go of the wire."""
        self.wire.close()


def on_one_wire(
    connection: Connection, baudrate: int, make: Callable[[str, Link, int], P]
) -> dict[str, P]:
    """Open the wire and make its pumps, by the names of their liquids.

    Args:
        connection: Of the pumps; its settings are `Addressed`.
        baudrate: [1/s].
        make: Makes a pump of a liquid's name, the wire and an address.
    """
    addresses = connection.settings.of(connection.names)
    link = serial_link(connection, baudrate=baudrate)
    try:
        return {name: make(name, link, address) for name, address in addresses.items()}
    except InstrumentError:
        link.close()
        raise


def emulated_chain(
    said: Part,
    settings: Addressed,
    names: tuple[str, ...],
    make: Callable[[dict[int, str]], Chain],
) -> SerialEnd:
    """Return the far end of the pumps' wire, with those on it that are not absent."""
    there = {a: name for name, a in settings.of(names).items() if name not in said.absent}
    return SerialEnd(make(there), said.faults)
