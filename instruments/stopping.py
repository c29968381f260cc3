"""Bring devices to their safe states: all wires at once, within a bound, and say which did not.

First every device that can is told to halt, without waiting for an answer, so that one dead pump
does not keep its neighbours running. Then each wire has a thread that asks its devices one after
another to reach their safe state and to confirm it, and asks again where a telegram was lost. This
is a stop by software; heaters, lasers and gases need interlocks of their own besides.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from time import monotonic
from typing import Any

from instruments.errors import InstrumentError, StationStoppedError

WITHIN = 2.0  # s in which every device that answers is safe
TRIES = 3
PATIENCE = 0.2  # s that a device is waited for in a stop, so that a dead one delays few others
_FAILURES = (OSError, RuntimeError, ValueError, InstrumentError)


def make_safe(devices: Mapping[str, Any], within: float = WITHIN) -> dict[str, str]:
    """Bring every device to its safe state; return why, for each that did not confirm it.

    Devices with a `wire` are asked in a thread of that wire, the others here and first.

    Args:
        devices: By name, each with `to_safe_state`, some with `halt` and `wire`.
        within: Longest wait [s].
    """
    deadline = monotonic() + within
    problems: dict[str, str] = {}
    wires: dict[int, tuple[Any, dict[str, Any]]] = {}
    for name, device in devices.items():
        wire = getattr(device, "wire", None)
        if wire is None:
            _one(name, device, problems)
        else:
            wires.setdefault(id(wire), (wire, {}))[1][name] = device
            _halt(name, device, problems)
    threads = [
        threading.Thread(target=_wire, args=(wire, those, deadline, problems), daemon=True)
        for wire, those in wires.values()
    ]
    waiting = {name for _, those in wires.values() for name in those}
    for name in waiting:
        problems[name] = f"no answer within {within:g} s"
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(deadline - monotonic(), 0.0))
    return {name: problems[name] for name in devices if name in problems}


def _halt(name: str, device: Any, problems: dict[str, str]) -> None:
    halt = getattr(device, "halt", None)
    if halt is None:
        return
    try:
        halt()
    except _FAILURES as error:
        problems[name] = str(error)


def _wire(
    wire: Any, devices: Mapping[str, Any], deadline: float, problems: dict[str, str]
) -> None:
    """Ask each device of a wire once, then those again that did not confirm."""
    patience, wire.timeout = wire.timeout, min(wire.timeout, PATIENCE)
    try:
        left = dict(devices)
        for _ in range(TRIES):
            for name, device in list(left.items()):
                if monotonic() >= deadline:
                    return
                if _one(name, device, problems):
                    del left[name]
    finally:
        wire.timeout = patience


def _one(name: str, device: Any, problems: dict[str, str]) -> bool:
    """Ask a device for its safe state; tell whether it confirmed."""
    try:
        device.to_safe_state()
    except _FAILURES as error:
        problems[name] = str(error)
        return False
    problems.pop(name, None)
    return True


def make_all_safe(devices: Mapping[str, Any]) -> None:
    """Bring every device to its safe state; see `make_safe`.

    Raises:
        StationStoppedError: devices that did not confirm it.
    """
    if problems := make_safe(devices):
        raise StationStoppedError(
            "every instrument must reach its safe state, but these did not: "
            f"{_unconfirmed(problems)}; bring them there by hand before the next trial"
        )


def _unconfirmed(problems: Mapping[str, str]) -> str:
    """Return one sentence part that names the devices, with the reason of the first."""
    names = list(problems)
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return f"{shown} ({names[0]}: {problems[names[0]]})"
