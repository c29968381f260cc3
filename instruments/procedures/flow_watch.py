"""Whether a line did what it was told: devices confirm it, and the streams balance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from instruments.capabilities import Confirming, FlowRig
from instruments.errors import StationStoppedError

AIR = 60.0  # µL of air that a pump is given time to push out (assumed: twice a usual pocket)
_LOOKS = 24  # at most, in that time


def confirm(rig: FlowRig, running: Iterable[str]) -> None:
    """See that what runs still does what it was told: the pumps of these stocks, and heaters.

    Raises:
        DeviceStoppedError: a device says that it does not.
        DeviceError: it holds something else, or does not answer.
    """
    extras = rig.extras
    heaters = [rig.thermostat, *([extras.exchange_thermostat] if extras is not None else [])]
    devices = [*(rig.pumps[name] for name in running), rig.carrier, *heaters]
    for device in devices:
        if isinstance(device, Confirming):
            device.confirm()


def departure(steady: float, rows: Sequence[Mapping[str, float]], area: float) -> float:
    """Return by how much the stream departed from a steady one while it was measured.

    Args:
        steady: Velocity when it was found steady [mm/s].
        rows: Readings afterwards: `velocity` [mm/s], and flows of stocks and carrier [µL/s].
        area: Cross-section of the tube [mm²].

    Returns:
        The larger of two relative numbers: the largest change of the velocity since it was
        steady, and the difference between what passes the probe and what the pumps deliver.
    """
    velocities = np.array([row["velocity"] for row in rows])
    change = float(np.abs(velocities / steady - 1.0).max()) if steady > 0.0 else 1.0
    fed = float(np.mean([_fed(row) for row in rows]))
    passed = float(velocities.mean()) * area
    return max(change, abs(passed / fed - 1.0) if fed > 0.0 else 1.0)


def _fed(row: Mapping[str, float]) -> float:
    return sum(flow for name, flow in row.items() if name not in ("velocity", "temperature"))


def starved(asked: Mapping[str, float], found: Mapping[str, float], lowest: float) -> list[str]:
    """Return the stocks of which less than the share `lowest` of what was asked for flows."""
    return [name for name, flow in asked.items() if flow > 0.0 and found[name] < lowest * flow]


def wait_for_liquid(
    rig: FlowRig,
    names: Sequence[str],
    asked: Mapping[str, float],
    lowest: float,
    say: Callable[[str], None],
) -> None:
    """Wait until these pumps deliver again, as they do once a bubble has passed.

    Raises:
        StationStoppedError: one does not; its syringe must be empty.
    """
    say(f"waiting for {', '.join(names)}, which bring no liquid")
    seconds, left = max(AIR / asked[n] for n in names), list(names)
    for _ in range(_LOOKS):
        if not left:
            return
        rig.clock.wait(seconds / _LOOKS)
        left = [n for n in left if rig.pumps[n].read_flow() < lowest * asked[n]]
    if left:
        told = ", ".join(f"pump_{n} ({asked[n]:.3g} µL/s)" for n in left)
        raise StationStoppedError(
            f"every pump must bring at least {100 * lowest:.0f} % of the flow that it was told, "
            f"but {told} bring less for {seconds:.0f} s; fill the syringe or clear its line"
        )
