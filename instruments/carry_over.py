"""How much of the last recipe is still in a flow line when the next one is measured."""

from __future__ import annotations

from dataclasses import asdict

from scipy.special import gammaincc

from instruments.formulation import SPECIES, Contents, mixed
from instruments.procedures.flow import FlowGeometry, FlowPlan, FlowSettings
from surrogate_sim import hydrodynamics

HALIDES = ("bromide", "chloride", "iodide")


def laminar_remainder(volumes: float) -> float:
    """Share of a tube's old liquid that is still at its end after so many line volumes.

    Pure convection in one phase, E = tau^2 / 2 t^3 for t > tau / 2, so what is older is
    1 / (4 theta^2): an upper bound, because diffusion only helps (Levenspiel, Chemical Reaction
    Engineering).
    """
    return 1.0 if volumes <= 0.5 else 1.0 / (4.0 * volumes**2)


def plug_remainder(volumes: float, tanks: float) -> float:
    """The same of plugs that spread like `tanks` equal tanks in series."""
    return float(gammaincc(tanks, tanks * volumes))


def remainder(
    plan: FlowPlan, geometry: FlowGeometry, settings: FlowSettings, velocity: float
) -> float:
    """Share of the liquid at the probe that is of before the flush, at most.

    The flush is of one phase. Behind it the recipe's own stream displaces it: as one phase, or
    as plugs, of which `hydrodynamics.tanks` says how they spread.

    Args:
        plan: Of the recipe that is measured.
        geometry: The line.
        settings: Volumes of flush and wait.
        velocity: Of the whole stream [mm/s].
    """
    if plan.carrier == "none":
        return laminar_remainder(settings.flush_volumes + settings.wait_volumes)
    solvent: hydrodynamics.Solvent = "octadecene" if plan.solvent == "octadecene" else "toluene"
    pair = hydrodynamics.fluid_pair(solvent, plan.carrier)
    tanks = hydrodynamics.tanks(pair, velocity, geometry.bore, plan.position)
    flushed = laminar_remainder(settings.flush_volumes)
    return flushed * plug_remainder(settings.wait_volumes, tanks)


def contamination(share: float, before: Contents, now: Contents) -> float:
    """Largest relative error of a concentration that a share of the last stream makes.

    Halides count against all halides of the present stream, since they exchange; lead, caesium
    and zinc against themselves, where the present stream has them.
    """
    old, new = asdict(before), asdict(now)
    halides = sum(new[h] for h in HALIDES)
    found = []
    for species in SPECIES:
        whole = halides if species in HALIDES else new[species]
        if whole > 0.0:
            found.append(share * abs(old[species] - new[species]) / whole)
    return max(found, default=0.0)


__all__ = ["contamination", "laminar_remainder", "mixed", "plug_remainder", "remainder"]
