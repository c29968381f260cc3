"""New Era NE-1000 syringe pumps in Basic mode, several on one chain.

A command is `<address><command>` and a carriage return; the answer is one frame, STX, address,
a letter for the state, data, ETX (New Era Pump Systems, NE-1000 user manual, chapter on RS-232
communications). Rates have four digits and a unit. Not verified on hardware.
No manual was at hand: what is cited of it is from memory and wants checking against the document.
The plunger's speeds agree with those of labmcp-new-era, written by others.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from instruments.capabilities import FlowLimits
from instruments.drivers.driver import identity
from instruments.drivers.link import Link
from instruments.drivers.pumping import (
    Addressed,
    ChainedPump,
    check_flow,
    common,
    emulated_chain,
    on_one_wire,
)
from instruments.emulators.new_era_ne1000 import NewEraChain
from instruments.emulators.servers import SerialEnd
from instruments.errors import (
    DeviceFaultError,
    DeviceRefusedError,
    DeviceStoppedError,
    InstrumentError,
)
from instruments.wiring import Connection, DriverKind, Part

DRIVER, VERSION = "new_era_ne1000", "1"
BAUDRATE = 19200
ADDRESSES = range(100)
DIGITS, DECIMALS = 4, 3  # of a number that the pump takes, and of those behind the point
FASTEST = 51.005  # mm/min that the plunger moves at most (manual, specifications: 5.1005 cm/min)
SLOWEST = 0.04205 / 60.0  # mm/min at least (manual, specifications: 0.004205 cm/h)
PARTS = {"UH": 3600.0, "UM": 60.0, "MH": 3.6, "MM": 0.06}  # of each unit in a µL/s
_END = re.compile(rb"\x03")
_FRAME = re.compile(rb"\x02(\d\d)([ISWPTXUA])([\x20-\x7e]*)\x03")
_RATE = re.compile(r"([0-9.]+)(UM|MM|UH|MH)")
_DISPENSED = re.compile(r"I([0-9.]+)W([0-9.]+)(UL|ML)")
_STATES = {
    "I": "infusing",
    "W": "withdrawing",
    "S": "stopped",
    "P": "paused",
    "T": "in a timed pause",
    "U": "waiting for a trigger",
    "X": "purging",
}
_ALARMS = {
    "?R": "it lost its power",
    "?S": "its motor stalled",
    "?T": "its safe mode timed out",
    "?E": "its program is wrong",
    "?O": "a phase is out of range",
}


def numeral(value: float) -> str:
    """Return a number as the pump takes it: four digits, three at most behind the point.

    Raises:
        InstrumentError: it needs more before the point.
    """
    for decimals in range(DECIMALS, -1, -1):
        text = f"{value:.{decimals}f}"
        if len(text.replace(".", "")) <= DIGITS:
            return text
    raise InstrumentError(f"a New Era pump takes numbers below 10000, but got {value:g}")


def rate_of(flow: float) -> tuple[str, str]:
    """Return the numeral and the unit that keep most of a flow [µL/s]."""
    per_minute = 60.0 * flow
    unit = "UH" if per_minute < 1.0 else "UM" if per_minute < 9999.5 else "MM"
    return numeral(flow * PARTS[unit]), unit


def reach(diameter: float) -> FlowLimits:
    """Return the flows of a syringe of this inner diameter [mm]."""
    area = math.pi / 4.0 * diameter**2
    return FlowLimits(area * SLOWEST / 60.0, area * FASTEST / 60.0)


class NewEraNE1000(ChainedPump):
    """One pump of a chain.

    Args:
        name: Name of the instrument in the record.
        link: The chain's wire, shared by its pumps.
        address: Of this pump on the chain, 0 to 99.
        limits: Flows that the station allows [µL/s].
        diameter: Inner diameter of the syringe [mm].
        emulated: Whether an emulator answers.

    Raises:
        InstrumentError: no such address, or no flow that station and syringe both allow.
    """

    resolution = 1e-3  # four digits, told in a unit that may keep three of them
    _FAILED = ("?R", "?S", "?T")

    def __init__(
        self,
        name: str,
        link: Link,
        address: int,
        limits: FlowLimits,
        diameter: float,
        *,
        emulated: bool,
    ) -> None:
        if address not in ADDRESSES:
            raise InstrumentError(f"a New Era pump has an address from 0 to 99, but got {address}")
        limits = common(name, limits, reach(diameter))
        super().__init__(name, link, limits, f"{address:02d}STP\r", emulated=emulated)
        self._address = address
        self._diameter = numeral(diameter)
        self._greeted = self._prepared = False

    def identify(self) -> Mapping[str, Any]:
        """Ask for model and firmware."""
        _, data = self._ask("VER")
        model, _, firmware = data.rpartition("V")
        if not model:
            raise DeviceFaultError(
                f"pump {self.name!r} must name its model and firmware, but {data!r} came"
            )
        return identity(
            self.name,
            model=model,
            serial=f"address {self._address:02d}",
            firmware=firmware,
            driver=DRIVER,
            version=VERSION,
            emulated=self._emulated,
        )

    def set_flow(self, flow: float) -> None:
        """Infuse at `flow` [µL/s] to the pump's four digits; zero stops.

        A change to a rate of another unit stops the pump for as long as three telegrams take.

        Raises:
            InstrumentError: outside the limits; the pump keeps its flow.
            DeviceRefusedError: the pump does not take the rate.
            DeviceFaultError: another rate is held.
            DeviceStoppedError: an alarm; it does not run, or did not when it should have.
            DeviceTimeoutError: it does not answer.
        """
        check_flow(self.name, self._limits, flow)
        if flow == 0.0:
            self.stop()
            return
        before, self._told = self._told, None
        self._prepare()
        text, unit = rate_of(flow)
        state, _, held_unit = self._rate()
        if before and state != "I":
            raise self._stands_still("have infused until its flow is changed", _STATES[state])
        if state != "I" or unit != held_unit:
            self.stop()
            state, text = "S", text + unit
        self._ask(f"RAT{text}")
        self._check_rate(*rate_of(flow))
        if state != "I":
            state, _ = self._ask("RUN")
        if state != "I":
            raise self._stands_still("infuse after its start", _STATES[state])
        self._told = float(rate_of(flow)[0]) / PARTS[unit]

    def read_flow(self) -> float:
        """The rate at which the pump says that it infuses [µL/s]; zero unless it does."""
        state, value, unit = self._rate()
        return value / PARTS[unit] if state == "I" else 0.0

    def infused(self) -> float:
        """Volume infused since it was cleared [µL], to four digits."""
        _, data = self._ask("DIS")
        found = _DISPENSED.fullmatch(data)
        if found is None:
            raise DeviceFaultError(
                f"pump {self.name!r} must answer I<volume>W<volume>UL or ML, but {data!r} came"
            )
        return float(found[1]) * (1000.0 if found[3] == "ML" else 1.0)

    def clear_infused(self) -> None:
        """Begin to count the infused volume anew; the pump takes it only when it stands still."""
        self._ask("CLDINF")

    def stop(self) -> None:
        """Stop. An alarm is read away, since whatever raised it has stopped the motor.

        Raises:
            DeviceFaultError: it still runs.
        """
        self._told, state = None, ""
        for _ in range(2):  # the first pauses the program, the second ends it
            state, _ = self._ask("STP", forgive=True)
            if state == "S":
                self._told = 0.0
                return
        if state != "P":
            raise DeviceFaultError(
                f"pump {self.name!r} must stand still after a stop, but it is {_STATES[state]}; "
                "cut its power"
            )

    def _present(self) -> tuple[bool, float, str]:
        state, value, unit = self._rate()
        return state in "IWX", value / PARTS[unit], _STATES[state]

    def _prepare(self) -> None:
        """Tell the pump once, and again after a loss of power, its syringe and an endless dose."""
        if self._prepared:
            return
        self.stop()
        for command in (f"DIA{self._diameter}", "DIRINF", "VOL0"):
            self._ask(command)
        _, held = self._ask("DIA")
        if held != self._diameter:
            raise DeviceFaultError(
                f"pump {self.name!r} must hold the diameter {self._diameter} mm, but reads back "
                f"{held!r}; its flow would be wrong"
            )
        self._prepared = True

    def _check_rate(self, text: str, unit: str) -> None:
        _, value, held_unit = self._rate()
        if value != float(text) or held_unit != unit:
            raise DeviceFaultError(
                f"pump {self.name!r} must hold the {text} {unit} that it was set to, but reads "
                f"back {value:g} {held_unit}; its flow is not what was asked for, stop it"
            )

    def _rate(self) -> tuple[str, float, str]:
        """State, and the rate that is set, with its unit."""
        state, data = self._ask("RAT")
        found = _RATE.fullmatch(data)
        try:
            value = float(found[1]) if found else math.nan
        except ValueError:
            value = math.nan
        if found is None or math.isnan(value):
            raise DeviceFaultError(
                f"pump {self.name!r} must answer with a rate and its unit, but {data!r} came"
            )
        return state, value, found[2]

    def _ask(self, command: str, *, forgive: bool = False) -> tuple[str, str]:
        """Return the state's letter and the data of an answer.

        The alarm that every pump gives once after it was switched on is no fault at first.
        """
        state, data = self._frame(command)
        if state == "A" and (forgive or (data == "?R" and not self._greeted)):
            self._prepared = False
            state, data = self._frame(command)
        if state == "A":
            self._prepared, self._told = False, None
            kind = DeviceStoppedError if data in self._FAILED else DeviceFaultError
            raise kind(
                f"pump {self.name!r} raises an alarm: {_ALARMS.get(data, data)}; it stands still, "
                "look at it"
            )
        self._greeted = True
        if data.startswith("?") and not (forgive and data == "?NA"):
            raise DeviceRefusedError(
                f"pump {self.name!r} refused {command!r}: {data}; nothing has changed"
            )
        return state, data

    def _frame(self, command: str) -> tuple[str, str]:
        answer = self.wire.exchange(f"{self._address:02d}{command}\r".encode("ascii"), _END)
        found = _FRAME.fullmatch(answer)
        if found is None or int(found[1]) != self._address:
            raise DeviceFaultError(
                f"pump {self.name!r} at address {self._address:02d} must answer with one frame of "
                f"its own, but {answer!r} came; check the baud rate and that no two pumps share "
                "an address"
            )
        return found[2].decode("ascii"), found[3].decode("ascii")


class Settings(Addressed):
    """What a chain needs besides its port.

    Attributes:
        diameter: Inner diameter of the syringes [mm]; that of a 10 mL syringe (manual, table of
            syringes), if left out.
        diameters: Of those that have another, by the name of the liquid [mm].
    """

    diameter: float = Field(default=14.57, gt=0.1, le=50.0)
    diameters: dict[str, float] = {}

    def diameter_of(self, name: str) -> float:
        """Inner diameter of a liquid's syringe [mm]."""
        return self.diameters.get(name, self.diameter)


def _connect(connection: Connection) -> dict[str, NewEraNE1000]:
    def pump(name: str, link: Link, address: int) -> NewEraNE1000:
        limits, emulated = connection.limits[name], connection.emulated
        diameter = connection.settings.diameter_of(name)
        return NewEraNE1000(f"pump_{name}", link, address, limits, diameter, emulated=emulated)

    return on_one_wire(connection, BAUDRATE, pump)


def _emulate(said: Part, settings: Settings, names: tuple[str, ...]) -> SerialEnd:
    return emulated_chain(said, settings, names, NewEraChain)


KIND = DriverKind(
    parts=("pumps",),
    describe="New Era NE-1000 syringe pumps on one chain, Basic mode",
    settings=Settings,
    connect=_connect,
    emulate=_emulate,
)
