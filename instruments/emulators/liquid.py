"""Simulated pumps whose liquids emulated ones move, and what the emulated chains share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol

from instruments.capabilities import FlowLimits


class Liquid(Protocol):
    """A simulated pump."""

    @property
    def limits(self) -> FlowLimits:
        """Flows that it can hold [µL/s]."""
        ...

    def set_flow(self, flow: float) -> None:
        """Set the flow [µL/s]."""
        ...

    def infused(self) -> float:
        """Volume that it has moved [µL]."""
        ...


class Dry:
    """No liquid: a pump on its own."""

    limits = FlowLimits(0.0, math.inf)

    def set_flow(self, flow: float) -> None:
        """Nothing moves."""

    def infused(self) -> float:
        """Nothing has moved."""
        return 0.0


class Chain(ABC):
    """Pumps on one wire, each of which moves the liquid of its address.

    Args:
        addresses: Name of the liquid at each address.

    Attributes:
        suffers: Faults of a pump, and of the line behind it, that station files may ask for.
    """

    end = b"\r"
    suffers: ClassVar[tuple[str, ...]] = ("stall", "empty", "power_cycle", "clog", "bubble")

    def __init__(self, addresses: Mapping[int, str]) -> None:
        self._names = dict(addresses)
        self._now: Callable[[], float] = lambda: 0.0
        self._liquids: Mapping[str, Liquid] = {}
        self._earlier: dict[str, float] = {}

    @abstractmethod
    def answer(self, request: bytes) -> bytes:
        """Act on a request (without its end) and return what the pump that is meant sends."""

    @abstractmethod
    def suffer(self, kind: str, request: bytes) -> None:
        """Let a fault befall the pump that a telegram is for; nothing where it is for none."""

    @abstractmethod
    def _stand_still(self, address: int) -> None:
        """Take a pump to rest, without a word to its liquid."""

    def attach(self, liquids: Mapping[str, Liquid], now: Callable[[], float]) -> None:
        """Move these liquids from now on; the pumps keep their rates and stand still.

        Args:
            liquids: By name.
            now: The plant's time [s].
        """
        self._earlier = self.dispensed()
        self._liquids, self._now = liquids, now
        for address in self._names:
            self._stand_still(address)

    def dispensed(self) -> dict[str, float]:
        """Volume of each liquid that has moved in all [µL], as the liquids themselves know it.

        It is no counter of the protocol, so it shows whether those are right.
        """
        now = {name: liquid.infused() for name, liquid in self._liquids.items()}
        return {n: self._earlier.get(n, 0.0) + now.get(n, 0.0) for n in {*self._earlier, *now}}

    def _liquid(self, address: int) -> Liquid:
        return self._liquids.get(self._names[address], _DRY)


_DRY = Dry()
