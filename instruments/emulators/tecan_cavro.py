"""A bus of Tecan Cavro XCalibur pumps (DT protocol), each moving the liquid of a simulated one.

Written from memory of the operating manual, like the driver (see there). Filling
takes no time, since the plant's clock stands still while a driver talks; dispensing takes the
plant's time, and a stroke that ended is noticed at the next telegram.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from instruments.emulators.liquid import Chain

_REQUEST = re.compile(r"/([1-9:;<=>?])(.*)")
_STEP = re.compile(r"([A-Za-z])(\d*)")
_STROKE, _SPEEDS = 3000, (5, 5800)
_INVALID_COMMAND, _INVALID_OPERAND, _NOT_INITIALISED, _OVERLOAD, _OVERFLOW = 2, 3, 7, 9, 15


@dataclass
class _Pump:
    position: float = 0.0  # increments that the plunger is drawn up, at `since`
    speed: int = 1400  # half-increments/s (manual, default of V)
    output: bool = False
    initialised: bool = False
    error: int = 0  # that it goes on to report until it is initialised
    since: float | None = None  # s at which it began to dispense; None at rest
    empty: bool = False  # it draws air, without knowing


class CavroBus(Chain):
    """Answers for every pump of a bus.

    Args:
        addresses: Name of the liquid at each address, from 0.
        syringe: Volume of every syringe [µL].
    """

    def __init__(self, addresses: Mapping[int, str], syringe: float) -> None:
        super().__init__(addresses)
        self._syringe = syringe
        self._pumps = {address: _Pump() for address in addresses}

    def _stand_still(self, address: int) -> None:
        self._pumps[address].since = None

    def suffer(self, kind: str, request: bytes) -> None:
        """Let a fault befall the pump that a telegram is for; a restart forgets the plunger."""
        found = _REQUEST.match(request.decode("ascii", "replace").strip())
        address = ord(found[1]) - 0x31 if found else -1
        if (pump := self._pumps.get(address)) is None:
            return
        self._settle(address)
        if kind == "empty":
            pump.empty = True
            if pump.since is not None:
                self._liquid(address).set_flow(0.0)
        elif kind == "power_cycle":
            self._rest(address)
            self._pumps[address] = _Pump(empty=pump.empty)
        elif pump.since is not None:
            self._rest(address)
            pump.error = _OVERLOAD

    def answer(self, request: bytes) -> bytes:
        """Act on a string of commands; one to nobody is not answered."""
        found = _REQUEST.fullmatch(request.decode("ascii", "replace").strip())
        address = ord(found[1]) - 0x31 if found else -1
        if found is None or address not in self._pumps:
            return b""
        pump = self._pumps[address]
        self._settle(address)
        error, data = self._act(address, found[2])
        pump.error = _NOT_INITIALISED if error == _NOT_INITIALISED else pump.error
        error = error or pump.error
        status = 0x40 | (0x20 if pump.since is None else 0) | error
        return b"/0" + bytes([status]) + data.encode("ascii") + b"\x03\r\n"

    def _act(self, address: int, said: str) -> tuple[int, str]:
        pump = self._pumps[address]
        told = {
            "Q": "",
            "?": str(round(pump.position)),
            "?2": str(pump.speed),
            "?6": "o" if pump.output else "i",
            "&": "XCalibur P/N 20735292 Rev D",
        }
        if said in told:
            return 0, told[said]
        if said == "T":
            self._rest(address)
            return 0, ""
        if not said.endswith("R"):
            return _INVALID_COMMAND, ""
        if pump.since is not None:
            return _OVERFLOW, ""
        return self._run(address, said[:-1]), ""

    def _run(self, address: int, said: str) -> int:
        """Run a string, all of it or nothing; return the error."""
        steps = [(m[1], m[2]) for m in _STEP.finditer(said)]
        if "".join(a + b for a, b in steps) != said:
            return _INVALID_COMMAND
        pump = self._pumps[address]
        if pump.error == _OVERLOAD and "Z" not in said:
            return _OVERLOAD
        for letter, number in steps:
            if error := _wrong(letter, number, pump.initialised):
                return error
        for letter, number in steps:
            self._step(address, letter, int(number or 0))
        return 0

    def _step(self, address: int, letter: str, number: int) -> None:
        pump = self._pumps[address]
        if letter == "Z":
            pump.initialised, pump.error, pump.position, pump.output = True, 0, 0.0, True
        elif letter in "IO":
            pump.output = letter == "O"
        elif letter == "V":
            pump.speed = number
        elif pump.output and number < pump.position:  # to 0, as the driver asks it to
            pump.since = self._now()
            flow = 0.0 if pump.empty else pump.speed * self._syringe / (2 * _STROKE)
            self._liquid(address).set_flow(flow)
        else:
            pump.position = float(number)

    def _settle(self, address: int) -> None:
        """Move a plunger to where it is by now."""
        pump = self._pumps[address]
        if pump.since is None:
            return
        now = self._now()
        pump.position -= 0.5 * pump.speed * (now - pump.since)
        pump.since = now
        if pump.position <= 0.0:
            pump.position = 0.0
            self._rest(address)

    def _rest(self, address: int) -> None:
        self._pumps[address].since = None
        self._liquid(address).set_flow(0.0)


def _wrong(letter: str, number: str, initialised: bool) -> int:
    """Error of one command; 0 for none."""
    if letter not in "ZIOVA" or (letter in "VA" and not number):
        return _INVALID_COMMAND
    if letter == "V" and not _SPEEDS[0] <= int(number) <= _SPEEDS[1]:
        return _INVALID_OPERAND
    if letter == "A" and int(number) > _STROKE:
        return _INVALID_OPERAND
    return _NOT_INITIALISED if letter in "AIO" and not initialised else 0
