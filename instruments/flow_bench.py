"""Real drivers on the flow line: which parts it has, and the rig with drivers in their places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from instruments import flow_line
from instruments.bench import Bench
from instruments.capabilities import FlowRig, Lit
from instruments.metered import MeteredPump
from instruments.wiring import Wiring, emulated_wiring

SINGLE = (
    "carrier_pump",
    "velocity_sensor",
    "thermostat",
    "probe",
    "spectrometer",
    "lights",
    "exchange_thermostat",
    "photon_counter",
    "selector",
)


def flow_wiring(document: Mapping[str, Any]) -> Wiring:
    """Return which driver plays which part of the line.

    Raises:
        InstrumentError: see `emulated_wiring`.
    """
    stocks = [s.name for s in flow_line.all_stocks()]
    needed = {"pumps": stocks, **{part: [part] for part in SINGLE}}
    return emulated_wiring("flow_synthesis", document, needed)


def flow_bench(wiring: Wiring) -> Bench:
    """Return the line's wires, not yet open."""
    return Bench(wiring, {"pumps": {s.name: s.limits for s in flow_line.all_stocks()}})


def wired(rig: FlowRig, bench: Bench) -> FlowRig:
    """Return the rig with a driver wherever the bench has one, the rig's own behind the wires."""
    singles = {n: i for n, i in rig.instruments().items() if n in SINGLE}
    bench.attach({"pumps": rig.pumps, **{n: {n: i} for n, i in singles.items()}}, rig.clock.now)
    one: dict[str, Any] = {n: d[n] for n, d in bench.devices.items() if n != "pumps"}
    pumps = {
        name: MeteredPump(bench.devices["pumps"][name], meter)
        if "pumps" in bench.devices
        else meter
        for name, meter in rig.pumps.items()
    }
    lights = one.get("lights", rig.lights)
    if isinstance(one.get("spectrometer"), Lit):
        one["spectrometer"].use_lights(lights)
    extras = rig.extras
    if extras is not None:
        extras = replace(
            extras,
            exchange_thermostat=one.get("exchange_thermostat", extras.exchange_thermostat),
            counter=one.get("photon_counter", extras.counter),
            selector=one.get("selector", extras.selector),
        )
    return replace(
        rig,
        pumps=pumps,
        carrier=one.get("carrier_pump", rig.carrier),
        velocity=one.get("velocity_sensor", rig.velocity),
        thermostat=one.get("thermostat", rig.thermostat),
        probe=one.get("probe", rig.probe),
        spectrometer=one.get("spectrometer", rig.spectrometer),
        extras=extras,
        lights=lights,
    )
