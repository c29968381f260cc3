"""Real drivers on the flow line: which parts it has, and the rig with drivers in their places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from instruments import flow_line
from instruments.bench import Bench
from instruments.capabilities import FlowRig, Lit
from instruments.drivers.transcript import Transcript
from instruments.metered import MeteredPump
from instruments.simulated.noise import instrument_generator
from instruments.station import AttemptKey
from instruments.wiring import Wiring, emulated_wiring
from surrogate_sim.plants.flow import Troubles

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


def flow_bench(wiring: Wiring, transcript: Transcript | None = None) -> Bench:
    """Return the line's wires, not yet open."""
    limits = {"pumps": {s.name: s.limits for s in flow_line.all_stocks()}}
    return Bench(wiring, limits, transcript)


def troubles(wiring: Wiring, key: AttemptKey) -> Troubles:
    """Return what befalls the line's streams in an attempt, as its pumps' faults ask for."""
    said = wiring.parts["pumps"].faults if "pumps" in wiring.parts else {}
    rates = {kind: said.get(kind, 0.0) for kind in ("clog", "bubble")}
    if not any(rates.values()):
        return Troubles()
    return Troubles(instrument_generator(int(said.get("seed", 0)), key, "troubles"), **rates)


def fading(wiring: Wiring) -> float:
    """Return the share of its light that the line loses per hour [1/h], as its faults ask for."""
    parts = wiring.parts
    return parts["spectrometer"].faults.get("lamp_drift", 0.0) if "spectrometer" in parts else 0.0


def wired(rig: FlowRig, bench: Bench) -> FlowRig:
    """Return the rig with a driver wherever the bench has one, the rig's own behind the wires."""
    singles = {n: i for n, i in rig.instruments().items() if n in SINGLE}
    bench.attach({"pumps": rig.pumps, **{n: {n: i} for n, i in singles.items()}}, rig.clock.now)
    one: dict[str, Any] = {n: d[n] for n, d in bench.devices.items() if n != "pumps"}
    pumps = {
        name: MeteredPump(bench.devices["pumps"][name], meter, rig.clock.now)
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
