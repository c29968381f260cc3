"""From a complete flow recipe to setpoints, and from the procedure's record to a measurement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from instruments import feasibility, flow_line
from instruments.capabilities import Carrier
from instruments.formulation import (
    Formulation,
    achieved_recipe,
    formulate,
    reservoir_violations,
)
from instruments.procedures.flow import FlowGeometry, FlowPlan, FlowRecord, FlowSettings
from instruments.station import Measurement, Recipe, Violation
from surrogate_sim import hydrodynamics
from surrogate_sim.flow_formation import Model

PHOTONS = 30_000


def exchange_violations(
    carrier: Carrier, recipe: Recipe, solvent: hydrodynamics.Solvent
) -> list[Violation]:
    """The second reactor's temperature, where there is one."""
    if "exchange_temperature" not in recipe:
        return []
    value = float(recipe["exchange_temperature"])
    return feasibility.temperature_violations(carrier, value, solvent, "exchange_temperature")


def formulation(recipe: Recipe, geometry: FlowGeometry) -> Formulation:
    """Flows of a complete recipe on a line of this geometry."""
    return formulate(
        flow_line.synthesis_stocks(recipe),
        flow_line.exchange_stocks(recipe),
        recipe,
        area=geometry.area,
        liquid_fraction=flow_line.LIQUID_FRACTION[str(recipe["flow_format"])],
        solubility=flow_line.SOLUBILITY,
    )


def reservoirs(
    recipe: Recipe, made: Formulation, settings: FlowSettings, geometry: FlowGeometry
) -> list[Violation]:
    """Volume drawn in the longest wait that the procedure may take."""
    volume = geometry.volume_to(float(recipe["probe_position"]))
    total = float(recipe["flow_velocity"]) * geometry.area
    seconds = settings.settle + volume / total * (
        settings.wait_volumes + settings.extra_volumes + 1.0
    )
    stocks = (*flow_line.synthesis_stocks(recipe), *flow_line.exchange_stocks(recipe))
    return reservoir_violations(stocks, made.flows, seconds)


def _carrier(recipe: Recipe) -> Carrier:
    return flow_line.CARRIER[str(recipe["flow_format"])]


def plan_of(recipe: Recipe, geometry: FlowGeometry) -> FlowPlan:
    """Setpoints of a complete recipe on a line of this geometry."""
    made = formulation(recipe, geometry)
    return FlowPlan(
        flows=made.flows,
        carrier=_carrier(recipe),
        carrier_flow=made.carrier_flow,
        temperature=float(recipe["temperature"]),
        position=float(recipe["probe_position"]),
        solvent=flow_line.solvent_of(recipe),
        exchange_temperature=_second_stage(recipe),
        scan=_scan(recipe, geometry),
        lines=int(recipe["lines"]),
        photons=PHOTONS if recipe["characterisation"] == flow_line.WITH_LIFETIME else 0,
    )


def _second_stage(recipe: Recipe) -> float | None:
    value = recipe.get("exchange_temperature")
    return None if value is None else float(value)


def _scan(recipe: Recipe, geometry: FlowGeometry) -> tuple[float, ...]:
    """Positions that divide the tube up to the probe, behind the junction where salt joins."""
    count = int(recipe["scan_positions"])
    last = float(recipe["probe_position"])
    first = geometry.junction if recipe["halide_salt"] != "none" else 0.0
    return tuple(first + (last - first) * (i + 1) / count for i in range(count))


def measurement_of(
    recipe: Recipe,
    record: FlowRecord,
    identities: tuple[Mapping[str, Any], ...],
    state: Mapping[str, Any],
    model: Model,
    geometry: FlowGeometry,
) -> Measurement:
    """What the procedure brought back, as a measurement of the station."""
    readings = record.readings
    stocks = flow_line.synthesis_stocks(recipe), flow_line.exchange_stocks(recipe)
    achieved: dict[str, float] = {}
    if min(record.flows.values()) > 0.0:  # a stock that brings air leaves no ratios
        achieved |= achieved_recipe(*stocks, record.flows)
    achieved["flow_velocity"] = readings["velocity"]
    achieved["temperature"] = readings["temperature"]
    achieved["probe_position"] = readings["position"]
    conditions = feasibility.flow_conditions(
        _carrier(recipe),
        readings["velocity"],
        readings["position"],
        geometry,
        flow_line.solvent_of(recipe),
    )
    warnings = (*record.warnings, *feasibility.damkohler_warning(conditions))
    return Measurement(
        requested=dict(recipe),
        achieved=achieved,
        conditions={
            **conditions,
            **_procedure_conditions(record),
            "model": {"value": model, "unit": ""},
        },
        spectra=record.spectra,
        station_state=state,
        identities=identities,
        warnings=warnings,
    )


def _procedure_conditions(record: FlowRecord) -> dict[str, dict[str, Any]]:
    units = {"flushed": "", "waited": "", "waited_time": "s", "change": "", "flow_departure": ""}
    found = {
        f"line_volumes_{n}" if n in ("flushed", "waited") else n: {
            "value": v,
            "unit": units.get(n, "s"),
        }
        for n, v in record.waits.items()
    }
    found["carrier_flow"] = {"value": record.readings["carrier_flow"], "unit": "µL/s"}
    for name, flow in record.flows.items():
        found[f"flow_{name}"] = {"value": flow, "unit": "µL/s"}
    return found
