"""How much of each stock a flow plan may draw at most, from the steps of its procedure."""

from __future__ import annotations

from instruments.procedures.flow import FlowGeometry, FlowPlan, FlowSettings

AMBIENT = 25.0  # degC; assumed, because the line stands in a room
WARM_UP = 900.0
"""Time [s] in which a heater arrives (assumed, because heating mantles and oil baths of a tube
reactor take minutes; a slower one draws more solvent than was set aside)."""
READINGS, POSITION, LINE = 240.0, 60.0, 15.0
"""Time [s] for the readings at the probe, at each further position and each parallel line
(assumed: the longest exposures of a dim sample, with the steps of the search for them)."""


def flow_needs(plan: FlowPlan, geometry: FlowGeometry, settings: FlowSettings) -> dict[str, float]:
    """Return the volumes [µL] by stock, zero for those that a plan leaves still."""
    line = geometry.volume_to(plan.position)
    asked = sum(plan.flows.values()) + plan.carrier_flow
    slowest = line / (settings.lowest_flow * asked)  # s for a line volume just before it clogs
    volumes = settings.wait_volumes + settings.extra_volumes + 0.5
    running = settings.settle + volumes * slowest + READINGS
    running += POSITION * len(plan.scan) + LINE * plan.lines
    drawn = {name: flow * running for name, flow in plan.flows.items()}
    solvent = plan.solvent or settings.solvent
    rinse = settings.settle + settings.flush_volumes * line / settings.flush_flow + READINGS
    heated = plan.temperature > AMBIENT or plan.exchange_temperature is not None
    rinse += WARM_UP if heated else 0.0
    drawn[solvent] = drawn.get(solvent, 0.0) + settings.flush_flow * rinse
    return drawn
