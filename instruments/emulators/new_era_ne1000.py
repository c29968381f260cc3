"""A chain of New Era NE-1000 pumps in Basic mode, each moving the liquid of a simulated one.

Written from memory of the manual, like the driver (see there), so it proves framing,
states and limits, not that a real pump behaves so. Infusion only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from instruments.emulators.liquid import Chain

_COMMAND = re.compile(r"(\d\d)?([A-Z]{3})(.*)")
_NUMBER = re.compile(r"(?=[0-9.]{1,5}$)\d{0,4}(\.\d{0,3})?")
_RATE = re.compile(r"([0-9.]+)(UM|MM|UH|MH)?")
_PARTS = {"UH": 3600.0, "UM": 60.0, "MH": 3.6, "MM": 0.06}  # of each unit in a µL/s
_SPEEDS = (0.04205 / 3600.0, 51.005 / 60.0)  # mm/s, specifications of the manual


@dataclass
class _Pump:
    diameter: str = "26.59"  # mm; factory setting assumed
    rate: str = "0.000"
    unit: str = "MH"
    state: str = "S"
    alarm: str = "?R"  # as after power-on
    infused: float = 0.0  # µL until `since`
    since: float = 0.0  # s
    empty: bool = False  # the plunger is at its end, so every start stalls
    shown: str = ""  # unit that rates are told in, where it is not the rate's own

    def flow(self) -> float:
        return float(self.rate) / _PARTS[self.unit]

    def reaches(self, flow: float) -> bool:
        area = math.pi / 4.0 * float(self.diameter) ** 2
        return area * _SPEEDS[0] <= flow <= area * _SPEEDS[1]


class NewEraChain(Chain):
    """Answers for every pump of a chain; see `Chain`."""

    suffers: ClassVar[tuple[str, ...]] = (*Chain.suffers, "wrong_unit")

    def __init__(self, addresses: Mapping[int, str]) -> None:
        super().__init__(addresses)
        self._pumps = {address: _Pump() for address in addresses}

    def _stand_still(self, address: int) -> None:
        pump = self._pumps[address]
        pump.state, pump.since = "S", self._now()

    def power_cycle(self, address: int) -> None:
        """Take a pump's power away and give it back: it stands still and raises its alarm."""
        self._move(address, "S")
        empty = self._pumps[address].empty
        self._pumps[address] = _Pump(since=self._now(), empty=empty)

    def suffer(self, kind: str, request: bytes) -> None:
        """Let a fault befall the pump that a telegram is for."""
        found = _COMMAND.match(request.decode("ascii", "replace").upper().replace(" ", ""))
        address = int(found[1] or 0) if found else -1
        if (pump := self._pumps.get(address)) is None:
            return
        if kind == "power_cycle":
            self.power_cycle(address)
        elif kind == "wrong_unit":
            pump.shown = "MH"
        else:
            pump.empty = pump.empty or kind == "empty"
            if pump.state == "I":
                self._stall(address)

    def _stall(self, address: int) -> None:
        self._move(address, "S")
        self._pumps[address].alarm = "?S"

    def answer(self, request: bytes) -> bytes:
        """Act on a command; a command to nobody is not answered."""
        text = request.decode("ascii", "replace").upper().replace(" ", "")
        found = _COMMAND.fullmatch(text)
        address = int(found[1] or 0) if found else 0
        pump = self._pumps.get(address)
        if pump is None:
            return b""
        if pump.alarm:
            said, pump.alarm = f"A{pump.alarm}", ""
        else:
            data = self._act(address, found[2], found[3]) if found else "?"
            said = f"{pump.state}{data}"
        return f"\x02{address:02d}{said}\x03".encode("ascii")

    def _act(self, address: int, command: str, argument: str) -> str:
        verbs: dict[str, Callable[[int, str], str]] = {
            "VER": lambda _, __: "NE1000V3.923",
            "DIA": self._diameter,
            "RAT": self._rate,
            "VOL": lambda _, said: "" if said in ("0", "0.000") else "?OOR",
            "DIR": lambda _, said: "" if said == "INF" else "?",
            "RUN": self._run,
            "STP": self._stop,
            "DIS": self._dispensed,
            "CLD": self._clear,
        }
        verb = verbs.get(command)
        return "?" if verb is None else verb(address, argument)

    def _diameter(self, address: int, argument: str) -> str:
        pump = self._pumps[address]
        if not argument:
            return pump.diameter
        if pump.state != "S":
            return "?NA"
        if not _NUMBER.fullmatch(argument) or not 0.1 <= float(argument) <= 50.0:
            return "?OOR"
        pump.diameter = argument
        return ""

    def _rate(self, address: int, argument: str) -> str:
        pump = self._pumps[address]
        if not argument:
            unit = pump.shown or pump.unit
            told = pump.rate if unit == pump.unit else _four(pump.flow() * _PARTS[unit])
            return f"{told}{unit}"
        found = _RATE.fullmatch(argument)
        if found is None or not _NUMBER.fullmatch(found[1]):
            return "?"
        if pump.state == "I" and found[2]:
            return "?NA"
        unit = found[2] or pump.unit
        flow = float(found[1]) / _PARTS[unit]
        if not pump.reaches(flow) or not self._liquid(address).limits.allow(flow):
            return "?OOR"
        self._count(pump)
        pump.rate, pump.unit, pump.shown = found[1], unit, ""
        if pump.state == "I":
            self._move(address, "I")
        return ""

    def _run(self, address: int, argument: str) -> str:
        if self._pumps[address].state == "I" or not self._pumps[address].flow():
            return "?NA"
        self._move(address, "I")
        if self._pumps[address].empty:
            self._stall(address)
        return ""

    def _stop(self, address: int, argument: str) -> str:
        state = self._pumps[address].state
        if state == "S":
            return "?NA"
        self._move(address, "P" if state == "I" else "S")
        return ""

    def _dispensed(self, address: int, argument: str) -> str:
        pump = self._pumps[address]
        self._count(pump)
        large = float(pump.diameter) > 14.0  # volumes are told in mL above it (manual, DIA)
        return (
            f"I{_four(pump.infused / (1000.0 if large else 1.0))}W0.000{'ML' if large else 'UL'}"
        )

    def _clear(self, address: int, argument: str) -> str:
        pump = self._pumps[address]
        if pump.state == "I" or argument not in ("INF", "WDR"):
            return "?NA"
        if argument == "INF":
            pump.infused, pump.since = 0.0, self._now()
        return ""

    def _move(self, address: int, state: str) -> None:
        pump = self._pumps[address]
        self._count(pump)
        pump.state = state
        self._liquid(address).set_flow(pump.flow() if state == "I" else 0.0)

    def _count(self, pump: _Pump) -> None:
        now = self._now()
        if pump.state == "I":
            pump.infused += pump.flow() * (now - pump.since)
        pump.since = now


def _four(value: float) -> str:
    return next((t for d in (3, 2, 1) if len(t := f"{value:.{d}f}") <= 5), f"{value:.0f}")
