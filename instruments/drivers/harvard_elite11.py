"""Harvard Apparatus Elite 11 and PHD ULTRA syringe pumps ("Protocol 11"), several on one chain.

A command is `<address><command>` and a carriage return; the answer is lines and a prompt that
tells the state: `:` idle, `>` infusing, `<` withdrawing, `*` stalled, `T*` target reached (Harvard
Apparatus, Pump 11 Elite user's manual, appendix B). Not verified on hardware.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from instruments.capabilities import FlowLimits
from instruments.drivers.driver import identity
from instruments.drivers.link import Link
from instruments.drivers.pumping import (
    Addressed,
    ChainedPump,
    check_flow,
    emulated_chain,
    on_one_wire,
)
from instruments.emulators.harvard_elite11 import HarvardChain
from instruments.emulators.servers import SerialEnd
from instruments.errors import DeviceFaultError, DeviceRefusedError, InstrumentError
from instruments.wiring import Connection, DriverKind, Part

DRIVER, VERSION = "harvard_elite11", "1"
BAUDRATE = 115200
DIGITS = 6  # of a rate in µL/min that the pump takes
ADDRESSES = range(100)
PROMPT = re.compile(rb"\n(\d\d)(T\*|[:><*])$")
_PROMPT_LINE = re.compile(r"\d\d(T\*|[:><*])")
_PER_MINUTE = {"nl/min": 1e-3, "ul/min": 1.0, "ml/min": 1e3, "nl/s": 6e-2, "ul/s": 60.0}
_VOLUMES = {"nl": 1e-3, "ul": 1.0, "ml": 1e3, "l": 1e6}
_STATES = {":": "idle", ">": "infusing", "<": "withdrawing", "*": "stalled", "T*": "target"}


class HarvardElite11(ChainedPump):
    """One pump of a chain.

    Args:
        name: Name of the instrument in the record.
        link: The chain's wire, shared by its pumps.
        address: Of this pump on the chain, 0 to 99.
        limits: Flows that its syringe allows [µL/s].
        emulated: Whether an emulator answers.

    Raises:
        InstrumentError: no such address.
    """

    def __init__(
        self, name: str, link: Link, address: int, limits: FlowLimits, *, emulated: bool
    ) -> None:
        if address not in ADDRESSES:
            raise InstrumentError(f"a Harvard pump has an address from 0 to 99, but got {address}")
        super().__init__(name, link, limits, f"{address:02d}stp\r", emulated=emulated)
        self._address = address

    def identify(self) -> Mapping[str, Any]:
        """Ask for model and firmware."""
        lines, _ = self._ask("ver")
        model, _, firmware = (lines[0] if lines else "").rpartition(" ")
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
        """Infuse at `flow` [µL/s]; zero stops.

        Raises:
            InstrumentError: outside the limits; the pump keeps its flow.
            DeviceRefusedError: the pump does not take the rate.
            DeviceFaultError: it holds another rate, or does not run.
            DeviceStoppedError: it stands still, or did when it should have infused.
            DeviceTimeoutError: it does not answer.
        """
        check_flow(self.name, self._limits, flow)
        if flow == 0.0:
            self.stop()
            return
        wanted = f"{60.0 * flow:.{DIGITS}g}"
        before, self._told = self._told, None
        _, state = self._ask(f"irate {wanted} ul/min")
        if before and state != "infusing":
            raise self._stands_still("have infused until its flow is changed", state)
        held = self._rate()
        if abs(held - float(wanted)) > 1e-9 * held:
            raise DeviceFaultError(
                f"pump {self.name!r} must hold the {wanted} ul/min that it was set to, but reads "
                f"back {held:g} ul/min; its flow is not what was asked for, stop it"
            )
        _, state = self._ask("irun")
        if state != "infusing":
            raise self._stands_still("infuse after its start", state)
        self._told = float(wanted) / 60.0

    def read_flow(self) -> float:
        """The rate at which the pump says that it infuses [µL/s]; zero unless it does."""
        lines, state = self._ask("irate")
        return _rate_of(lines, self.name) / 60.0 if state == "infusing" else 0.0

    def infused(self) -> float:
        """Volume infused since it was cleared [µL]."""
        lines, _ = self._ask("ivolume")
        return _number(lines, _VOLUMES, self.name)

    def clear_infused(self) -> None:
        """Begin to count the infused volume anew."""
        self._ask("civolume")

    def stop(self) -> None:
        """Stop.

        Raises:
            DeviceFaultError: it still runs.
        """
        self._told = None
        _, state = self._ask("stp")
        if state in ("infusing", "withdrawing"):
            raise DeviceFaultError(
                f"pump {self.name!r} must stand still after a stop, but it is {state}; cut its "
                "power"
            )
        self._told = 0.0

    def _present(self) -> tuple[bool, float, str]:
        lines, state = self._ask("irate")
        return state in ("infusing", "withdrawing"), _rate_of(lines, self.name) / 60.0, state

    def _rate(self) -> float:
        lines, _ = self._ask("irate")
        return _rate_of(lines, self.name)

    def _ask(self, command: str) -> tuple[list[str], str]:
        """Return the lines of an answer and the state that its prompt tells."""
        request = f"{self._address:02d}{command}\r".encode("ascii")
        answer = self.wire.exchange(request, PROMPT)
        found = PROMPT.search(answer)
        if found is None or int(found[1]) != self._address:
            raise DeviceFaultError(
                f"pump {self.name!r} at address {self._address:02d} must answer itself, but "
                f"{answer!r} came; two pumps may share an address"
            )
        try:
            text = answer[: found.start()].decode("ascii")
        except UnicodeDecodeError as error:
            raise DeviceFaultError(
                f"pump {self.name!r} must answer in ASCII, but {answer!r} came; check the baud "
                "rate and the cable"
            ) from error
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if any(_PROMPT_LINE.fullmatch(line) for line in lines):
            raise DeviceFaultError(
                f"pump {self.name!r} must answer {command!r} once, but {answer!r} came; an "
                "earlier answer was late, ask again"
            )
        if lines and lines[0].endswith("error:") or any("Out of range" in x for x in lines):
            raise DeviceRefusedError(
                f"pump {self.name!r} refused {command!r}: {' '.join(lines)}; nothing has changed"
            )
        return lines, _STATES[found[2].decode("ascii")]


def _rate_of(lines: list[str], name: str) -> float:
    """Rate of an answer [µL/min]."""
    return _number(lines, _PER_MINUTE, name)


def _number(lines: list[str], units: Mapping[str, float], name: str) -> float:
    """First line of an answer as a number in µL or µL/min, its unit looked up."""
    parts = lines[0].split() if len(lines) == 1 else []
    try:
        value, unit = parts
        return float(value) * units[unit]
    except (ValueError, KeyError) as error:
        raise DeviceFaultError(
            f"pump {name!r} must answer with a number and one of {', '.join(units)}, but "
            f"{' '.join(lines)!r} came"
        ) from error


def _connect(connection: Connection) -> dict[str, HarvardElite11]:
    def pump(name: str, link: Link, address: int) -> HarvardElite11:
        limits, emulated = connection.limits[name], connection.emulated
        return HarvardElite11(f"pump_{name}", link, address, limits, emulated=emulated)

    return on_one_wire(connection, BAUDRATE, pump)


def _emulate(said: Part, settings: Addressed, names: tuple[str, ...]) -> SerialEnd:
    return emulated_chain(said, settings, names, HarvardChain)


KIND = DriverKind(
    parts=("pumps",),
    describe="Harvard Apparatus Elite 11 and PHD ULTRA syringe pumps on one chain",
    settings=Addressed,
    connect=_connect,
    emulate=_emulate,
)
