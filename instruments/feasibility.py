"""What a flow line can run: dimensionless numbers, temperatures, residence within the tube."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from instruments.capabilities import Carrier
from instruments.procedures.flow import FlowGeometry
from instruments.station import Recipe, Violation
from surrogate_sim import hydrodynamics
from surrogate_sim.hydrodynamics import Solvent

REACTION_TIME = 0.1  # s; lead bromide complexes convert to nuclei in about 100 ms (seed 001)


def flow_violations(
    carrier: Carrier, velocity: float, geometry: FlowGeometry, solvent: Solvent = "toluene"
) -> list[Violation]:
    """Check the limits of stable two-phase flow for the fluid pair.

    Args:
        carrier: What segments the liquid.
        velocity: Of the whole stream [mm/s].
        geometry: The line.
        solvent: Of the reactive liquid.
    """
    pair = hydrodynamics.fluid_pair(solvent, carrier)
    setting = f"{velocity:g} mm/s in {geometry.bore:g} mm bore with {carrier.replace('_', ' ')}"
    return [
        Violation(
            broken.name,
            broken.value,
            broken.limit,
            "",
            f"the {broken.name.replace('_', ' ')} of segmented flow must be {broken.limit}, but "
            f"is {broken.value:.3g} at {setting}; change the velocity or the flow format",
        )
        for broken in hydrodynamics.check(pair, velocity, geometry.bore)
    ]


def temperature_violations(
    carrier: Carrier,
    temperature: float,
    solvent: Solvent = "toluene",
    quantity: str = "temperature",
) -> list[Violation]:
    """Check a temperature [degC] against what solvent and carrier allow."""
    highest = hydrodynamics.fluid_pair(solvent, carrier).highest_temperature
    if temperature <= highest:
        return []
    return [
        Violation(
            quantity,
            temperature,
            f"<= {highest:g}",
            "degC",
            f"the {quantity.replace('_', ' ')} must stay at or below {highest:g} degC with "
            f"{solvent} and carrier {carrier!r}, but is {temperature:g} degC; lower it or change "
            "the solvent",
        )
    ]


def position_violations(recipe: Recipe, geometry: FlowGeometry) -> list[Violation]:
    """Check that the probe sits on the tube, and behind the junction where a salt joins."""
    position = float(recipe["probe_position"])
    lowest = geometry.junction if recipe["halide_salt"] != "none" else 0.0
    if lowest < position <= geometry.length:
        return []
    limit = f"{lowest:g} to {geometry.length:g}"
    return [
        Violation(
            "probe_position",
            position,
            limit,
            "mm",
            f"the probe must stand within {limit} mm (a halide salt joins at "
            f"{geometry.junction:g} mm), but is at {position:g} mm; move it along the tube",
        )
    ]


def flow_conditions(
    carrier: Carrier,
    velocity: float,
    position: float,
    geometry: FlowGeometry,
    solvent: Solvent = "toluene",
) -> dict[str, dict[str, Any]]:
    """Residence time, dimensionless numbers and mixing at the achieved velocity.

    Args:
        carrier: What segments the liquid.
        velocity: Achieved [mm/s].
        position: Of the probe [mm].
        geometry: The line.
        solvent: Of the reactive liquid.
    """
    pair = hydrodynamics.fluid_pair(solvent, carrier)
    found = hydrodynamics.numbers(pair, velocity, geometry.bore)
    mixing = hydrodynamics.mixing_time(pair, velocity, geometry.bore)
    named = {f"{name}_number": (value, "") for name, value in asdict(found).items()}
    named["residence_time"] = (position / velocity, "s")
    named["mixing_time"] = (mixing, "s")
    named["damkohler_number"] = (hydrodynamics.damkohler(mixing, REACTION_TIME), "")
    return {name: {"value": value, "unit": unit} for name, (value, unit) in named.items()}


def damkohler_warning(conditions: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    """Warn where mixing is slower than the reaction; never a reason to refuse."""
    value = float(conditions["damkohler_number"]["value"])
    if value <= 1.0:
        return ()
    return (
        f"Damköhler number {value:.2g} is above one: mixing is slower than the reaction, so the "
        "size follows from the mixing",
    )
