"""Runs a station's own procedure on simulated instruments, and notes each command that it gives.

Nothing real is touched: a rehearsal is of a station without drivers. Volumes are in [µL], flows in
[µL/s], times in [s] on the virtual clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

Now = Callable[[], float]
Draws = Callable[[str, tuple[Any, ...]], Mapping[str, float]]
Rig = TypeVar("Rig")
_QUIET = ("read_", "identify", "ready", "emitting", "fault", "settings")
OIL = "fluorinated_oil"
"""A carrier that is a liquid, and leaves the station with the stocks."""
_PLAIN = (str, int, float, bool, type(None))


@dataclass
class Command:
    """One command to one instrument.

    Attributes:
        time: When it was given [s].
        instrument: Its name in the rig.
        command: What was asked.
        arguments: What came with it, in order.
        duration: Until the instrument's next command, of one that sets a flow [s].
        volumes: What it draws of each stock [µL].
    """

    time: float
    instrument: str
    command: str
    arguments: tuple[Any, ...]
    duration: float = 0.0
    volumes: dict[str, float] = field(default_factory=dict)


@runtime_checkable
class RehearsedStation(Protocol):
    """A station whose instruments can be watched."""

    def watch(self, watched: Callable[[Any, Now], Any]) -> None:
        """Pass each rig, with what tells its time, through `watched` before it is used."""
        ...


def unwatched(rig: Any, now: Now) -> Any:
    """Return a rig as it is."""
    return rig


class Recorder:
    """Notes commands, and what they draw.

    Args:
        draws: What a command other than a pump's draws of each stock.

    Attributes:
        commands: In the order in which they were given.
    """

    def __init__(self, draws: Draws) -> None:
        self._draws = draws
        self._now: Now = lambda: 0.0
        self.commands: list[Command] = []
        self._flowing: dict[str, Command] = {}

    def rig(self, rig: Rig, now: Now) -> Rig:
        """Return a rig, a dataclass of instruments, whose every instrument is watched."""
        self._now = now
        watched: Rig = self._within(rig)
        return watched

    def _within(self, rig: Any) -> Any:
        found = {}
        for item in fields(rig):
            value = getattr(rig, item.name)
            if item.name == "clock" or value is None:
                continue
            if isinstance(value, Mapping):
                found[item.name] = {
                    n: self._watched(f"{item.name.removesuffix('s')}_{n}", d, n)
                    for n, d in value.items()
                }
            elif is_dataclass(value):
                found[item.name] = self._within(value)
            else:
                found[item.name] = self._watched(item.name, value)
        return replace(rig, **found)

    def _watched(self, name: str, device: Any, stock: str = "") -> Any:
        """A stand-in of a device: the same methods and properties, each call noted."""
        members: dict[str, Any] = {}
        stock = OIL if hasattr(device, "set_carrier") else stock
        for word in dir(type(device)):
            if word.startswith("_"):
                continue
            if callable(getattr(type(device), word)) and not word.startswith(_QUIET):
                members[word] = self._noting(name, device, word, stock)
            else:
                members[word] = property(_reading(device, word))
        return type(f"Watched{type(device).__name__}", (), members)()

    def _noting(self, name: str, device: Any, word: str, stock: str) -> Callable[..., Any]:
        def call(_: Any, *given: Any, **named: Any) -> Any:
            noted = Command(self._now(), name, word, (*given, *named.values()))
            answer = getattr(device, word)(*given, **named)
            self.commands.append(noted)
            if stock:
                self._flow(noted, stock)
            else:
                noted.volumes = dict(self._draws(word, noted.arguments))
            return answer

        return call

    def _flow(self, command: Command, stock: str) -> None:
        self._end(stock, command.time)
        pumped = command.command == "set_flow" or command.arguments[:1] == (OIL,)
        if pumped and command.arguments[-1] > 0.0:
            self._flowing[stock] = command

    def _end(self, stock: str, now: float) -> None:
        running = self._flowing.pop(stock, None)
        if running is not None:
            running.duration = now - running.time
            running.volumes = {stock: running.arguments[-1] * running.duration}

    def finish(self) -> None:
        """End every flow that is still on."""
        for stock in list(self._flowing):
            self._end(stock, self._now())

    @property
    def volumes(self) -> dict[str, float]:
        """What all commands draw of each stock [µL], by name."""
        total: dict[str, float] = {}
        for command in self.commands:
            for stock, volume in command.volumes.items():
                total[stock] = total.get(stock, 0.0) + volume
        return {name: total[name] for name in sorted(total) if total[name] > 0.0}


def _reading(device: Any, word: str) -> Callable[[Any], Any]:
    return lambda _: getattr(device, word)


def plain(value: Any) -> Any:
    """Return an argument as plain JSON values."""
    if isinstance(value, _PLAIN):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {k: plain(v) for k, v in asdict(value).items()}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return str(value)
