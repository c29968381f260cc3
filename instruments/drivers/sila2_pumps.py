"""Syringe pumps that speak SiLA 2, by CETONI's features for them; one server for each pump.

`GenerateFlow` is an observable command that delivers until `StopDosage`; `FlowRate` is what flows,
in the unit that `PumpUnitController` says (de.cetoni, pumps.syringepumps, feature version 1). Not
verified on hardware.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any
from uuid import UUID

from pydantic import Field
from sila2.framework import CommandExecutionStatus

from instruments.capabilities import FlowLimits
from instruments.drivers.pumping import check_flow
from instruments.drivers.sila_link import Encrypted, SilaLink, sila_link
from instruments.emulators.sila2 import DOSING, UNITS, PumpServer
from instruments.emulators.sila_server import SilaEnd
from instruments.errors import (
    DeviceFaultError,
    DeviceStoppedError,
    DeviceTimeoutError,
    InstrumentError,
)
from instruments.wiring import Connection, DriverKind, Part

DRIVER, VERSION = "sila2_pumps", "1"
WITHIN = 0.01  # of a flow; assumed, because a drive reports the speed that it has, not its target
SETTLING = 5.0  # s that a drive may take to its speed (assumed)
POLL = 0.1  # s between two looks at the flow, as often as CETONI's server renews it
_MICROLITRES = ("ul", "µl")


class Settings(Encrypted):
    """What SiLA 2 pumps need besides their addresses.

    Attributes:
        within: Largest relative distance of a pump's flow from what was asked for.
    """

    within: float = Field(default=WITHIN, gt=0.0, lt=1.0)


class SilaPump:
    """One pump behind a server of its own.

    Args:
        name: Name of the instrument in the record.
        link: Its server.
        limits: Flows that the station allows [µL/s].
        within: Largest relative distance of its flow from what was asked for.
        emulated: Whether an emulator answers.
    """

    def __init__(
        self, name: str, link: SilaLink, limits: FlowLimits, within: float, *, emulated: bool
    ) -> None:
        self.name, self.wire, self._limits = name, link, limits
        self._within, self._emulated = within, emulated
        self._closing = threading.Event()
        self._told: float | None = 0.0  # µL/s that it confirmed; None where nobody knows

    @property
    def limits(self) -> FlowLimits:
        """Flows that the pump can hold [µL/s]."""
        return self._limits

    def identify(self) -> Mapping[str, Any]:
        """Ask the server who it is."""
        return self.wire.identify(self.name, DRIVER, VERSION, self._emulated)

    def set_flow(self, flow: float) -> None:
        """Deliver `flow` [µL/s]; zero stops.

        Raises:
            InstrumentError: outside the limits; the pump keeps its flow.
            DeviceRefusedError: the pump does not take the flow.
            DeviceFaultError: it counts in another unit, ends with an error, or does not reach it.
            DeviceTimeoutError: it does not answer.
        """
        check_flow(self.name, self._limits, flow)
        if flow == 0.0:
            self.stop()
            return
        self._told = None
        self._count_in_microlitres()
        execution = self.wire.begin(DOSING, "GenerateFlow", flow)
        self._until(lambda held: abs(held - flow) <= self._within * flow, f"{flow:g}", execution)
        self._told = flow

    def confirm(self) -> None:
        """See that it still delivers what it was told, or stands still.

        Raises:
            DeviceStoppedError: it stands still where it should deliver.
            DeviceFaultError: it delivers another flow, or counts in another unit.
            DeviceTimeoutError: it does not answer, or what it was told last is unknown.
        """
        told = self._told
        if told is None:
            raise DeviceTimeoutError(
                f"pump {self.name!r} must have confirmed its last command, but it did not; "
                "whether it moves is unknown, stop it"
            )
        held = self.read_flow() if told > 0.0 else float(self.wire.get(DOSING, "FlowRate"))
        if told > 0.0 and held == 0.0:
            self._told = None
            raise DeviceStoppedError(
                f"pump {self.name!r} must deliver the {told:g} µL/s that it was told, but stands "
                "still: what it was to deliver since is missing; look for a blocked line"
            )
        if abs(held - told) > self._within * told:
            self._told = None
            raise DeviceFaultError(
                f"pump {self.name!r} was told {told:g} µL/s, but delivers {held:g}; stop it"
            )

    def infused(self) -> float:
        """Volume that has left the syringe since it was filled [µL], by its fill level.

        It falls where the syringe was filled since.

        Raises:
            DeviceFaultError: it counts in another unit.
        """
        if str(self.wire.get(UNITS, "VolumeUnit")) not in _MICROLITRES:
            self.wire.call(UNITS, "SetVolumeUnit", "ul")
            if str(self.wire.get(UNITS, "VolumeUnit")) not in _MICROLITRES:
                raise DeviceFaultError(
                    f"pump {self.name!r} must tell volumes in ul, as it was set to, but does not"
                )
        return -float(self.wire.get(DOSING, "SyringeFillLevel"))

    def read_flow(self) -> float:
        """What the pump says that flows [µL/s].

        Raises:
            DeviceFaultError: it counts in another unit.
        """
        self._check_unit()
        return float(self.wire.get(DOSING, "FlowRate"))

    def stop(self) -> None:
        """Stop, and see that nothing flows; raises `DeviceFaultError` where something does."""
        self._told = None
        self.wire.call(DOSING, "StopDosage")
        self._until(lambda held: held == 0.0, "0", None)
        self._told = 0.0

    def halt(self) -> None:
        """Tell the pump to stop, without waiting for its answer."""
        self.wire.tell(DOSING, "StopDosage")

    def to_safe_state(self) -> None:
        """Stop."""
        self.stop()

    def close(self) -> None:
        """Let go of the server."""
        self._closing.set()
        self.wire.close()

    def _count_in_microlitres(self) -> None:
        """Choose the unit unless it is chosen; a pump forgets it with its power."""
        if not self._in_microlitres():
            self.wire.call(UNITS, "SetFlowUnit", ("ul", "s"))
            self._check_unit()

    def _in_microlitres(self) -> bool:
        unit = self.wire.get(UNITS, "FlowUnit")
        return unit.VolumeUnit in _MICROLITRES and unit.TimeUnit == "s"

    def _check_unit(self) -> None:
        if not self._in_microlitres():
            raise DeviceFaultError(
                f"pump {self.name!r} must count in ul/s, as it was set to, but does not; it may "
                "have lost its power, stop it and set its flow anew"
            )

    def _until(
        self, reached: Callable[[float], bool], wanted: str, execution: UUID | None
    ) -> None:
        began = monotonic()
        while not reached(held := float(self.wire.get(DOSING, "FlowRate"))):
            if execution is not None:
                self._check(execution)
            if monotonic() - began > SETTLING or self._closing.wait(POLL):
                raise DeviceFaultError(
                    f"pump {self.name!r} must deliver the {wanted} µL/s that it was told, but "
                    f"reports {held:g} µL/s after {SETTLING:g} s; look for a blocked line, then "
                    "cut its power if it does not stop"
                )

    def _check(self, execution: UUID) -> None:
        status = self.wire.status(DOSING, "GenerateFlow", execution)
        if status is CommandExecutionStatus.finishedWithError:
            self.wire.result(DOSING, "GenerateFlow", execution)
            raise DeviceFaultError(
                f"pump {self.name!r} ended its flow with an error and gives no reason; look at it"
            )


def _connect(connection: Connection) -> dict[str, SilaPump]:
    addresses = [a.strip() for a in connection.address.split(",")]
    if len(addresses) != len(connection.names):
        raise InstrumentError(
            f"address must name a server for each of {', '.join(connection.names)}, in this order "
            f"with commas between, but has {len(addresses)} of {len(connection.names)}"
        )
    within, emulated = connection.settings.within, connection.emulated
    return {
        name: SilaPump(
            f"pump_{name}",
            sila_link(connection, address),
            connection.limits[name],
            within,
            emulated=emulated,
        )
        for name, address in zip(connection.names, addresses, strict=True)
    }


def _emulate(said: Part, settings: Settings, names: tuple[str, ...]) -> SilaEnd:
    return SilaEnd({name: PumpServer() for name in names}, said)


KIND = DriverKind(
    parts=("pumps",),
    describe="Syringe pumps with a SiLA 2 server each (CETONI)",
    settings=Settings,
    connect=_connect,
    emulate=_emulate,
)
