"""A chain of Harvard Elite 11 pumps, each of which moves the liquid of a simulated one.

Written from the manual's appendix B and from what clients of the protocol expect, so it proves
framing, states and limits, not that a real pump behaves so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from instruments.emulators.liquid import Chain, Liquid

_COMMAND = re.compile(r"(\d\d)\s*([a-z]+)\s*(.*)")
_SHOWN = {"ul": 1.0, "ml": 1e-3}
_RATE = {"nl/min": 1e-3, "ul/min": 1.0, "ml/min": 1e3, "nl/s": 6e-2, "ul/s": 60.0}


@dataclass
class _Pump:
    rate: float = 0.0  # µL/min
    running: bool = False
    infused: float = 0.0  # µL until `since`
    since: float = 0.0  # s
    stalled: bool = False
    empty: bool = False  # the plunger is at its end, so every start stalls
    unit: str = "ul"  # of its display and answers


class HarvardChain(Chain):
    """Answers for every pump of a chain; see `Chain`.

    A pump without power forgets its rate and its volume (assumed of the rate: the manual keeps
    the last method, and no other is at hand).
    """

    suffers: ClassVar[tuple[str, ...]] = (*Chain.suffers, "wrong_unit")

    def __init__(self, addresses: Mapping[int, str]) -> None:
        super().__init__(addresses)
        self._pumps = {address: _Pump() for address in addresses}

    def _stand_still(self, address: int) -> None:
        pump = self._pumps[address]
        pump.running, pump.since = False, self._now()

    def suffer(self, kind: str, request: bytes) -> None:
        """Let a fault befall the pump that a telegram is for."""
        found = _COMMAND.match(request.decode("ascii", "replace").strip().lower())
        if found is None or (pump := self._pumps.get(int(found[1]))) is None:
            return
        liquid = self._liquid(int(found[1]))
        if kind == "wrong_unit":
            pump.unit = "ml"
            return
        pump.empty = pump.empty or kind == "empty"
        if pump.running and kind in ("stall", "empty"):
            self._move(pump, liquid, 0.0)
            pump.stalled = True
        elif kind == "power_cycle":
            self._move(pump, liquid, 0.0)
            self._pumps[int(found[1])] = _Pump(since=self._now(), empty=pump.empty)

    def answer(self, request: bytes) -> bytes:
        """Act on a command; a command to nobody is not answered."""
        found = _COMMAND.fullmatch(request.decode("ascii", "replace").strip().lower())
        if found is None or int(found[1]) not in self._pumps:
            return b""
        address = int(found[1])
        lines = self._act(address, found[2], found[3])
        pump = self._pumps[address]
        prompt = f"{address:02d}{'*' if pump.stalled else '>' if pump.running else ':'}"
        return "".join(f"\n{line}\r" for line in [*lines, prompt]).encode("ascii")[:-1]

    def _act(self, address: int, command: str, argument: str) -> list[str]:
        if command == "ver":
            return ["11 ELITE I/W Single 3.0.4"]
        pump, liquid = self._pumps[address], self._liquid(address)
        if command == "irate":
            return self._rate(pump, liquid, argument)
        if command == "irun":
            if not liquid.limits.allow(pump.rate / 60.0) or pump.rate == 0.0:
                return ["Command error:", "   Rate not set"]
            self._move(pump, liquid, 0.0 if pump.empty else pump.rate / 60.0)
            pump.stalled = pump.empty
            return []
        if command in ("stp", "stop"):
            self._move(pump, liquid, 0.0)
            pump.stalled = False
            return []
        if command == "ivolume":
            self._count(pump)
            return [f"{pump.infused * _SHOWN[pump.unit]:.9g} {pump.unit}"]
        if command == "civolume":
            pump.infused, pump.since = 0.0, self._now()
            return []
        return ["Command error:", f"   Unknown command {command}"]

    def _rate(self, pump: _Pump, liquid: Liquid, argument: str) -> list[str]:
        if not argument:
            return [f"{pump.rate * _SHOWN[pump.unit]:.6g} {pump.unit}/min"]
        try:
            value, unit = argument.split()
            rate = float(value) * _RATE[unit]
        except (ValueError, KeyError):
            return ["Argument error:", f"   {argument}"]
        if not liquid.limits.allow(rate / 60.0):
            return ["Argument error:", f"   {argument}", "   Out of range"]
        self._count(pump)
        pump.rate = rate
        if pump.running:
            liquid.set_flow(rate / 60.0)
        return []

    def _move(self, pump: _Pump, liquid: Liquid, flow: float) -> None:
        self._count(pump)
        pump.running = flow > 0.0
        liquid.set_flow(flow)

    def _count(self, pump: _Pump) -> None:
        now = self._now()
        if pump.running:
            pump.infused += pump.rate / 60.0 * (now - pump.since)
        pump.since = now
