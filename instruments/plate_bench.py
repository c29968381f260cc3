"""Real drivers on the plate line: which parts it has, and the rig with drivers in their places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from instruments.bench import Bench
from instruments.drivers.transcript import Transcript
from instruments.procedures.plate import Optics, PlateRig
from instruments.wiring import Wiring, emulated_wiring

PARTS = ("robot", "reader", "characterisation")


def plate_wiring(document: Mapping[str, Any]) -> Wiring:
    """Return which driver plays which part of the line.

    Raises:
        InstrumentError: see `emulated_wiring`.
    """
    return emulated_wiring("larp_plate", document, {part: [part] for part in PARTS})


def plate_bench(wiring: Wiring, optics: Optics, transcript: Transcript | None = None) -> Bench:
    """Return the line's wires, not yet open.

    Args:
        wiring: Which driver plays which part.
        optics: How the reader is to look at a well.
        transcript: Keeps what goes over the wires.
    """
    return Bench(wiring, {"reader": {"reader": optics}}, transcript)


def wired(rig: PlateRig, bench: Bench) -> PlateRig:
    """Return the rig with a driver wherever the bench has one, the rig's own behind the wires."""
    own: dict[str, Any] = {
        "robot": rig.robot,
        "reader": rig.reader,
        "characterisation": rig.bench,
    }
    bench.attach({part: {part: device} for part, device in own.items()}, rig.clock.now)
    driven = {part: devices[part] for part, devices in bench.devices.items()}
    return replace(
        rig,
        robot=driven.get("robot", rig.robot),
        reader=driven.get("reader", rig.reader),
        bench=driven.get("characterisation", rig.bench),
    )
