"""Fluigent pressure controllers as pumps: a pressure makes a flow through a calibrated resistance.

Laminar flow is proportional to the pressure that drives it (Hagen and Poiseuille):
flow = (pressure - offset) / resistance. Resistance and offset are measured for each line with its
liquid and declared in the station file; the flow that is read is that of the measured pressure,
not a measured flow. Not verified on hardware.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import date
from time import monotonic
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from instruments.capabilities import FlowLimits
from instruments.drivers.driver import identity
from instruments.drivers.host import DeviceHost
from instruments.drivers.pumping import check_flow, common
from instruments.errors import DeviceFaultError, InstrumentError
from instruments.wiring import Connection, DriverKind

DRIVER, VERSION = "fluigent", "1"
USB, SIMULATED = "usb", "simulated"
TIMEOUT = 2.0  # s; assumed, because the library answers from memory
WITHIN = 0.001  # of a channel's range; assumed, because regulators hold about that
SETTLING = 5.0  # s that a channel may take to its pressure (assumed)
POLL = 0.05  # s between two looks at a pressure
_FACTORY = "instruments.drivers.fluigent_library:Library"


class Line(BaseModel):
    """One line behind a channel, as it was calibrated.

    Attributes:
        channel: Index of the channel, from 0.
        resistance: Pressure per flow [mbar s/µL], with this line's liquid and temperature.
        resistance_se: Its standard error, in the same unit.
        offset: Pressure at which nothing flows [mbar]: the height of the reservoir.
        calibrated: The day of the calibration.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    channel: int = Field(ge=0)
    resistance: float = Field(gt=0.0, allow_inf_nan=False)
    resistance_se: float = Field(ge=0.0, allow_inf_nan=False)
    offset: float = Field(default=0.0, allow_inf_nan=False)
    calibrated: date


class Settings(BaseModel):
    """What the controllers need.

    Attributes:
        library: Path of the vendor's shared object.
        lines: By the names of the liquids.
        within: Largest distance of a pressure from what was asked for, as a share of the range.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    library: str = Field(min_length=1)
    lines: dict[str, Line]
    within: float = Field(default=WITHIN, gt=0.0, lt=0.1)


class Host(Protocol):
    """What calls the library."""

    def open(self) -> None:
        """Start it unless it runs."""
        ...

    def call(self, method: str, *arguments: Any, timeout: float) -> Any:
        """Call a method of `fluigent_library.Library`."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Controllers:
    """The vendor's library in a process of its own, shared by the pumps (their `wire`).

    Args:
        host: Calls it.
        timeout: Longest wait for a call [s].

    Attributes:
        channels: What each channel is.
    """

    def __init__(self, host: Host, timeout: float) -> None:
        self._host, self.timeout = host, timeout
        self._closed = False
        self._host.open()
        self.channels: list[dict[str, Any]] = self.call("channels")

    def call(self, method: str, *arguments: Any) -> Any:
        """Call the library; a host that was killed is started anew, at the next call.

        Raises:
            InstrumentError: the controllers are closed, or see `DeviceHost.call`.
        """
        if self._closed:
            raise InstrumentError(
                "Fluigent's controllers must be open to be reached, but are closed; open the "
                "station"
            )
        self._host.open()
        return self._host.call(method, *arguments, timeout=self.timeout)

    def close(self) -> None:
        """End the process. May be called twice."""
        self._closed = True
        self._host.close()


class FluigentPump:
    """One line that a pressure drives (`capabilities.Pump`).

    Args:
        name: Name of the instrument in the record.
        wire: The controllers.
        line: Its channel and calibration.
        limits: Flows that the station allows [µL/s].
        within: Largest distance of a pressure, as a share of the channel's range.
        simulated: Whether the vendor's simulation answers.

    Raises:
        InstrumentError: no such channel, or none of the station's flows is within its range.
    """

    def __init__(
        self,
        name: str,
        wire: Controllers,
        line: Line,
        limits: FlowLimits,
        within: float,
        *,
        simulated: bool,
    ) -> None:
        self.name, self.wire, self._line, self._simulated = name, wire, line, simulated
        if line.channel >= len(wire.channels):
            raise InstrumentError(
                f"pump {name!r} must have a channel from 0 to {len(wire.channels) - 1}, but has "
                f"{line.channel}; see which controllers are connected"
            )
        self._about = wire.channels[line.channel]
        low, high = self._about["range"]
        self._tolerance = within * (high - low)
        self._limits = common(name, limits, self._flows(high))
        self._closing = threading.Event()

    @property
    def limits(self) -> FlowLimits:
        """Flows that station and channel allow [µL/s]."""
        return self._limits

    def identify(self) -> Mapping[str, Any]:
        """Ask for the channel, and say how its flow was calibrated."""
        about, line = self.wire.call("channels")[self._line.channel], self._line
        said = identity(
            self.name,
            model=f"Fluigent pressure channel (type {about['kind']})",
            serial=f"{about['controller']}/{about['serial']}",
            firmware=str(about["firmware"]),
            driver=DRIVER,
            version=VERSION,
            emulated=self._simulated,
        )
        return said | {
            "resistance": {
                "value": line.resistance,
                "se": line.resistance_se,
                "unit": "mbar s/µL",
                "calibrated": line.calibrated.isoformat(),
            }
        }

    def set_flow(self, flow: float) -> None:
        """Set the pressure that makes `flow` [µL/s]; zero takes the pressure away.

        Raises:
            InstrumentError: outside the limits; the pressure stays.
            DeviceRefusedError: the channel does not take the pressure.
            DeviceFaultError: it does not reach the pressure.
            DeviceTimeoutError: the library hangs; its process was killed.
        """
        check_flow(self.name, self._limits, flow)
        line = self._line
        self._hold(0.0 if flow == 0.0 else line.offset + flow * line.resistance)

    def read_flow(self) -> float:
        """Flow that the measured pressure makes [µL/s], by the calibration."""
        pressure = float(self.wire.call("read_pressure", self._line.channel))
        return (pressure - self._line.offset) / self._line.resistance

    def stop(self) -> None:
        """Take the pressure away; a reservoir that stands higher still flows."""
        self._hold(0.0)

    def to_safe_state(self) -> None:
        """Take the pressure away."""
        self.stop()

    def close(self) -> None:
        """Let go of the controllers."""
        self._closing.set()
        self.wire.close()

    def _hold(self, pressure: float) -> None:
        channel, began = self._line.channel, monotonic()
        self.wire.call("set_pressure", channel, pressure)
        while True:
            held = float(self.wire.call("read_pressure", channel))
            if abs(held - pressure) <= self._tolerance:
                return
            if monotonic() - began > SETTLING or self._closing.wait(POLL):
                raise DeviceFaultError(
                    f"pump {self.name!r} must hold {pressure:g} mbar within "
                    f"{self._tolerance:g} mbar, but has {held:g} mbar after {SETTLING:g} s; look "
                    "at its pressure supply and for a leak"
                )

    def _flows(self, highest: float) -> FlowLimits:
        """Flows between the least pressure that is told from none and the highest [mbar]."""
        least = self._tolerance / self._line.resistance
        most = (highest - self._line.offset) / self._line.resistance
        if most <= least:
            raise InstrumentError(
                f"pump {self.name!r} must be driven by up to {highest:g} mbar, but its offset of "
                f"{self._line.offset:g} mbar leaves nothing; lower the outlet or take another "
                "channel"
            )
        return FlowLimits(least, most)


def _connect(connection: Connection) -> dict[str, FluigentPump]:
    said: Settings = connection.settings
    if connection.address not in (USB, SIMULATED):
        raise InstrumentError(
            f"Fluigent's controllers are at `{USB}`, or the vendor's own at `{SIMULATED}`, but "
            f"address is {connection.address!r}"
        )
    if set(said.lines) != set(connection.names):
        raise InstrumentError(
            f"lines must give each of {', '.join(connection.names)} a channel and a calibration, "
            f"but have {', '.join(said.lines)}"
        )
    simulated = connection.address == SIMULATED
    host = DeviceHost("Fluigent", _FACTORY, (said.library, simulated), connection.transcript)
    try:
        wire = Controllers(host, connection.said.timeout or TIMEOUT)
        return {
            name: FluigentPump(
                f"pump_{name}",
                wire,
                said.lines[name],
                connection.limits[name],
                said.within,
                simulated=simulated,
            )
            for name in connection.names
        }
    except InstrumentError:
        host.close()
        raise


KIND = DriverKind(
    parts=("pumps",),
    describe="Fluigent pressure controllers, through calibrated resistances (vendor's library)",
    settings=Settings,
    connect=_connect,
)
