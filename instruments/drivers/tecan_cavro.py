"""Tecan Cavro XCalibur syringe pumps by the DT protocol, several on one bus.

A command is `/`, an address, a string of commands that `R` runs, and a carriage return; the answer
is `/0`, a status byte (bit 5 ready, bits 0 to 3 an error), data, ETX, CR and LF (Tecan Systems,
Cavro XCalibur operating manual, chapters 3.2 and 3.6). A stroke is 3000 increments and speeds are
whole half-increments per second, so one syringe holds a coarse set of flows and each stroke ends.
Not verified on hardware.
No manual was at hand: what is cited of it is from memory and wants checking against the document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from time import monotonic
from typing import Any, Literal

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
from instruments.emulators.servers import SerialEnd
from instruments.emulators.tecan_cavro import CavroBus
from instruments.errors import (
    DeviceFaultError,
    DeviceRefusedError,
    DeviceStoppedError,
    DeviceTimeoutError,
    InstrumentError,
)
from instruments.wiring import Connection, DriverKind, Part

DRIVER, VERSION = "tecan_cavro", "1"
BAUDRATE = 9600
ADDRESSES = range(15)
STROKE = 3000  # increments of a whole stroke (manual, plunger resolution N0)
HALVES = 2 * STROKE  # half-increments of it, in which speeds are told
SPEEDS = (5, 5800)  # half-increments/s (manual, command V)
NOT_INITIALISED = 7
_LOST = 1e9  # µL by which the count falls while it is not known
_LOST = 1e9  # µL by which the count falls while it is not known
_END = re.compile(rb"\x03\r\n")
_ANSWER = re.compile(rb"[^/]?/0([@-o])([\x20-\x7e]*)\x03\r\n")
_ERRORS = {
    1: "initialisation failed",
    2: "invalid command",
    3: "invalid operand",
    6: "EEPROM failure",
    7: "not initialised",
    9: "plunger overload: the line may be blocked",
    10: "valve overload",
    11: "plunger move not allowed with the valve in this position",
    15: "command overflow: it is still busy",
}
_REFUSALS = (2, 3, 11, 15)
_OVERLOADS = (9, 10)


class NotInitialisedError(DeviceRefusedError):
    """The pump refused to move before its plunger and valve were homed."""


class TecanCavro(ChainedPump):
    """One pump of a bus.

    Args:
        name: Name of the instrument in the record.
        link: The bus, shared by its pumps.
        address: Of this pump, as its switch says, 0 to 14.
        limits: Flows that the station allows [µL/s].
        settings: Syringe, refill and tolerance.
        emulated: Whether an emulator answers.

    Raises:
        InstrumentError: no such address, or no flow that station and syringe both allow.
    """

    def __init__(
        self,
        name: str,
        link: Link,
        address: int,
        limits: FlowLimits,
        settings: Settings,
        *,
        emulated: bool,
    ) -> None:
        if address not in ADDRESSES:
            raise InstrumentError(f"a Cavro pump has an address from 0 to 14, but got {address}")
        self._to, self._number = f"/{chr(0x31 + address)}", address
        limits = common(name, limits, settings.reach())
        super().__init__(name, link, limits, f"{self._to}T\r", emulated=emulated)
        self._settings = settings
        self._earlier = 0.0  # µL infused before the present stroke
        self._top: float | None = None  # µL in the syringe when the stroke was first looked at

    @property
    def stroke_volume(self) -> float:
        """What a full syringe holds, after which the flow ends [µL]."""
        return self._settings.syringe

    def identify(self) -> Mapping[str, Any]:
        """Ask for the firmware; the protocol names no model."""
        _, data = self._ask("&")
        if not data:
            raise DeviceFaultError(f"pump {self.name!r} must name its firmware, but named none")
        return identity(
            self.name,
            model="Cavro XCalibur",
            serial=f"address {self._number}",
            firmware=data,
            driver=DRIVER,
            version=VERSION,
            emulated=self._emulated,
        )

    def remaining(self) -> float:
        """What is left in the syringe [µL]."""
        return self._query("?") / STROKE * self._settings.syringe

    def infused(self) -> float:
        """Volume dispensed over all strokes, by the plunger's place [µL].

        It falls where what an initialisation pushed out was not confirmed.
        """
        left = self.remaining()
        if self._top is None:
            self._top = left
        return self._earlier + self._top - left

    def set_flow(self, flow: float) -> None:
        """Dispense at the nearest whole speed to `flow` [µL/s] until the stroke ends; zero stops.

        A syringe that does not hold the flow for `hold` seconds is filled first, or the flow is
        refused, as `refill` says; while it fills nothing flows.

        Raises:
            InstrumentError: outside the limits; the pump keeps its flow.
            DeviceRefusedError: too little in the syringe, or the pump refuses a command.
            DeviceFaultError: an error of the pump, or another speed is held.
            DeviceStoppedError: it stands still, is overloaded or lost its power.
            DeviceTimeoutError: it does not answer, or is not ready when it should be.
        """
        check_flow(self.name, self._limits, flow)
        self.stop()
        if flow == 0.0:
            return
        try:
            self._dispense(round(flow / self._settings.step()))
        except NotInitialisedError as error:
            raise DeviceStoppedError(
                f"{error}; it lost its power while its flow was set, set it again"
            ) from error

    def _dispense(self, speed: int) -> None:
        self._told = None
        self._provide(speed * self._settings.step())
        self._run(f"V{speed}", 0.0)
        held = self._query("?2")
        if held != speed:
            raise DeviceFaultError(
                f"pump {self.name!r} must hold the speed {speed} that it was set to, but reads "
                f"back {held}; its flow would not be what was asked for"
            )
        self._command("OA0")
        if self._ready():
            raise self._stands_still("dispense after its start", "ready")
        self._told = speed * self._settings.step()

    def read_flow(self) -> float:
        """Flow at the speed that the pump says it moves with [µL/s]; zero when it stands."""
        return 0.0 if self._ready() else self._query("?2") * self._settings.step()

    def initialise(self) -> None:
        """Home plunger and valve; what is in the syringe goes to the output."""
        counted = self.infused() + self.remaining()
        self._earlier, self._top = counted - _LOST, None
        self._run("Z", self._settings.stroke_time)
        self._earlier = counted

    def fill(self) -> None:
        """Draw a full stroke from the input; a pump that was never initialised is, before.

        That it was not shows only when it is asked to move.
        """
        settings = self._settings
        commands = f"IV{settings.fill_speed}A{STROKE}"
        self._earlier, self._top = self.infused(), None  # filling dispenses nothing
        try:
            self._run(commands, settings.stroke_time)
        except NotInitialisedError:
            self.initialise()
            self._run(commands, settings.stroke_time)
        if (held := self._query("?")) != STROKE:
            raise DeviceFaultError(
                f"pump {self.name!r} must stand at {STROKE} after it was filled, but is at {held}"
            )

    def stop(self) -> None:
        """End the move; may be said twice.

        Raises:
            DeviceTimeoutError: it still moves.
        """
        self._told = None
        status, _ = self._frame("Q")
        if not status & 0x20:
            self._ask("T")
            self._await(0.0)
        self._told = 0.0

    def _present(self) -> tuple[bool, float, str]:
        """A pump at rest says so although its stroke has ended, or it has lost its power."""
        if self._ready():
            return False, 0.0, "ready"
        return True, self._query("?2") * self._settings.step(), "busy"

    def _provide(self, flow: float) -> None:
        """Have enough in the syringe for a flow [µL/s]."""
        settings = self._settings
        if self.remaining() >= min(flow * settings.hold, settings.syringe):
            return
        if settings.refill == "refuse":
            raise DeviceRefusedError(
                f"pump {self.name!r} must hold {flow:g} µL/s for {settings.hold:g} s, but its "
                f"syringe holds {self.remaining():g} µL of {settings.syringe:g} µL; fill it or "
                "set `refill: refill`"
            )
        self.fill()

    def _run(self, commands: str, within: float) -> None:
        """Run commands and wait until they have ended, `within` seconds and a timeout."""
        self._command(commands)
        self._await(within)

    def _command(self, commands: str) -> None:
        self._ask(f"{commands}R")

    def _await(self, within: float) -> None:
        deadline = monotonic() + within + self.wire.timeout
        while not self._ready():
            if monotonic() > deadline:
                raise DeviceTimeoutError(
                    f"pump {self.name!r} must be ready {within:g} s after its command, but is "
                    "still busy; look at it"
                )

    def _ready(self) -> bool:
        """Whether it stands still; that it is not initialised is no fault of a pump at rest."""
        status, _ = self._frame("Q")
        if status & 0x0F != NOT_INITIALISED:
            self._check("Q", status)
        return bool(status & 0x20)

    def _query(self, command: str) -> int:
        _, data = self._frame(command)
        if not data.isdigit():
            raise DeviceFaultError(
                f"pump {self.name!r} must answer {command!r} with digits, but {data!r} came"
            )
        return int(data)

    def _ask(self, command: str) -> tuple[int, str]:
        status, data = self._frame(command)
        if command != "&" or status & 0x0F != NOT_INITIALISED:
            self._check(command, status)
        return status, data

    def _check(self, command: str, status: int) -> None:
        code = status & 0x0F
        if code == 0:
            return
        said = f"pump {self.name!r} answers {command!r} with {_ERRORS.get(code, f'error {code}')}"
        if code == NOT_INITIALISED:
            raise NotInitialisedError(f"{said}; nothing has moved, initialise it")
        if code in _REFUSALS:
            raise DeviceRefusedError(f"{said}; nothing has moved")
        if code in _OVERLOADS:
            self._told = None
            raise DeviceStoppedError(f"{said}; it stands still, initialise it once that is gone")
        raise DeviceFaultError(f"{said}; initialise it once the cause is gone")

    def _frame(self, command: str) -> tuple[int, str]:
        answer = self.wire.exchange(f"{self._to}{command}\r".encode("ascii"), _END)
        found = _ANSWER.fullmatch(answer)
        if found is None:
            raise DeviceFaultError(
                f"pump {self.name!r} must answer {command!r} with one frame, but {answer!r} came; "
                "check the baud rate and that no two pumps share an address"
            )
        return found[1][0], found[2].decode("ascii")


class Settings(Addressed):
    """What a bus needs besides its port.

    Attributes:
        syringe: Volume of a syringe [µL].
        tolerance: Largest relative distance of a flow from the nearest one that the pump holds;
            it sets the lowest flow.
        refill: What becomes of a flow for which the syringe holds too little: `refill` it first,
            or `refuse`.
        hold: How long a flow must last without a refill, but for a full stroke [s].
        fill_speed: Speed at which the syringe is filled [half-increments/s].
    """

    syringe: float = Field(default=1000.0, ge=50.0, le=5000.0)
    tolerance: float = Field(default=0.02, gt=0.0, le=0.1)
    refill: Literal["refill", "refuse"] = "refill"
    hold: float = Field(default=60.0, ge=0.0)
    fill_speed: int = Field(default=1400, ge=SPEEDS[0], le=SPEEDS[1])

    def step(self) -> float:
        """Flow of one half-increment per second [µL/s]."""
        return self.syringe / HALVES

    def reach(self) -> FlowLimits:
        """Flows of this syringe of which none is further than the tolerance from a whole speed."""
        slowest = max(float(SPEEDS[0]), 0.5 / self.tolerance)
        return FlowLimits(slowest * self.step(), SPEEDS[1] * self.step())

    @property
    def stroke_time(self) -> float:
        """Time to fill an empty syringe, twice as long to be sure of ramps and valve [s]."""
        return 2.0 * HALVES / self.fill_speed


def _connect(connection: Connection) -> dict[str, TecanCavro]:
    def pump(name: str, link: Link, address: int) -> TecanCavro:
        limits, emulated = connection.limits[name], connection.emulated
        settings = connection.settings
        return TecanCavro(f"pump_{name}", link, address, limits, settings, emulated=emulated)

    return on_one_wire(connection, BAUDRATE, pump)


def _emulate(said: Part, settings: Settings, names: tuple[str, ...]) -> SerialEnd:
    return emulated_chain(said, settings, names, lambda there: CavroBus(there, settings.syringe))


KIND = DriverKind(
    parts=("pumps",),
    describe="Tecan Cavro XCalibur syringe pumps on one bus, DT protocol",
    settings=Settings,
    connect=_connect,
    emulate=_emulate,
)
