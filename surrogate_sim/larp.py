"""One plate of ligand-assisted reprecipitation: what each well holds, and its light.

Joins chemistry, growth, ageing and light. Arrays are over wells, shape (n,).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from surrogate_sim import larp_light, optics
from surrogate_sim.larp_ageing import Aged, Settled, age, settle
from surrogate_sim.larp_chemistry import (
    LN10,
    PERMITTIVITY,
    Wells,
    hold,
    mixture_polarity,
    polarity,
)
from surrogate_sim.larp_growth import Dots, coalesce, grow
from surrogate_sim.materials import ROOM, lattice
from surrogate_sim.optics import Ensemble
from surrogate_sim.parameters import TwinParameters

Array = NDArray[np.float64]
CARBONS = {"oleic_oleylamine": 18.0, "octanoic_octylamine": 8.0}
MOLARITY = {"oleic_oleylamine": (3.17, 3.04), "octanoic_octylamine": (6.31, 6.05)}
"""Neat acid and amine [M], from densities and molar masses (specification 3.3)."""
EXCITATION = 365.0
"""Of the plate reader [nm] (S002)."""
_SMALLEST = 2.0
"""Dots below this edge [nm] are clusters that do not emit in the visible."""


_DENSITY = {"toluene": 0.867, "chloroform": 1.489}
_GRAVITY = 9.81


@dataclass(frozen=True, slots=True)
class Charge:
    """What went into one well, as volumes that truly arrived [uL] and stocks.

    Attributes:
        pair: Key of `CARBONS`.
        antisolvent: `toluene` or `chloroform`.
        acid: Neat acid in the precursor vial.
        amine: Neat amine in the vial.
        lead_solution: PbBr2 solution in the vial.
        lead: PbBr2 in that solution [mM].
        antisolvent_volume: Caesium solution in the well.
        injected: Precursor injected into it.
        concentration: Factor on the stocks' concentrations (a batch's error).
        acidity: Shift of log10 K_ip (a batch's water and impurities).
    """

    pair: str
    antisolvent: str
    acid: float
    amine: float
    lead_solution: float
    lead: float
    antisolvent_volume: float
    injected: float
    concentration: float = 1.0
    acidity: float = 0.0


def antisolvent_polarity(name: str, c: Mapping[str, float]) -> float:
    """Polarity function of an antisolvent; chloroform is stabilised with ethanol.

    Raises:
        ValueError: an unknown antisolvent.
    """
    if name not in ("toluene", "chloroform"):
        raise ValueError(f"an antisolvent must be toluene or chloroform, but got {name!r}")
    plain = float(polarity(PERMITTIVITY[name]))
    if name == "toluene":
        return plain
    share = c["ethanol_in_chloroform"]
    return plain + share * (float(polarity(PERMITTIVITY["ethanol"])) - plain)


def mixing_time(charge: Charge, c: Mapping[str, float]) -> float:
    """Time in which buoyancy stirs the well once, sqrt(h rho / (g delta rho)) [s].

    DMF with its lead is a little heavier than toluene and far lighter than chloroform.
    """
    density = _DENSITY[charge.antisolvent]
    height = 1e-3 * (charge.antisolvent_volume + charge.injected) / c["well_area"]
    contrast = abs(density - c["precursor_density"]) / density
    return math.sqrt(height / (_GRAVITY * contrast))


def wells(charges: list[Charge], c: Mapping[str, float]) -> Wells:
    """Return the charges as arrays.

    Raises:
        ValueError: an unknown ligand pair or antisolvent, or no charge.
    """
    if not charges or any(q.pair not in CARBONS for q in charges):
        raise ValueError(
            f"charges must exist and name one of {', '.join(CARBONS)}, but got {charges!r}"
        )

    def column(values: list[float]) -> Array:
        return np.array(values, float)

    acid = column([MOLARITY[q.pair][0] for q in charges])
    factor = column([q.concentration for q in charges])
    return Wells(
        carbons=column([CARBONS[q.pair] for q in charges]),
        acid_volume=column([q.acid / q.lead_solution for q in charges]),
        amine_volume=column([q.amine / q.lead_solution for q in charges]),
        acid_molarity=acid,
        amine_molarity=column([MOLARITY[q.pair][1] for q in charges]),
        lead=1e-3 * factor * column([q.lead for q in charges]),
        caesium=1e-3 * factor * c["caesium_stock"],
        caesium_acid=acid * c["caesium_stock_acid"],
        antisolvent=column([antisolvent_polarity(q.antisolvent, c) for q in charges]),
        share=column([q.injected / (q.injected + q.antisolvent_volume) for q in charges]),
        mixing=column([mixing_time(q, c) for q in charges]),
        acidity=column([q.acidity for q in charges]),
    )


@dataclass(frozen=True)
class Plate:
    """Wells after mixing.

    Attributes:
        wells: What met in them.
        dots: What formed.
        settled: Solution around the dots and equilibrium phase.
        depth: Of the liquid [mm], shape (n,).
    """

    wells: Wells
    dots: Dots
    settled: Settled
    depth: Array


def react(charges: list[Charge], p: TwinParameters, spread: ArrayLike = 1.0) -> Plate:
    """Return what the charges become; `spread` multiplies the spread of mixing times."""
    met, c = wells(charges, p.own), p.own
    cell = float(lattice(constants=p.materials)) ** 3
    dots = grow(
        met, np.asarray(spread, float) * np.full(len(charges), c["mixing_spread"]), c, cell
    )
    volume = np.array([q.injected + q.antisolvent_volume for q in charges])
    settled = settle(met, dots.units.sum(axis=1), c)
    fused = coalesce(dots, met.carbons, c, cell)
    return Plate(met, fused, settled, volume / c["well_area"])


def trap_density(plate: Plate, c: Mapping[str, float]) -> Array:
    """Traps per surface of free dots [1/nm2], shape (n,).

    A floor, bare sites, and sites whose lead a free amine has bound: as strongly as in solution,
    where chains around it hold it there (`larp_chemistry.hold`).
    """
    solution, carbons = plate.settled.solution, plate.wells.carbons
    medium = mixture_polarity(plate.wells, plate.wells.share)
    short = np.clip((18.0 - carbons) / 10.0, 0.0, None)
    binding = np.exp(LN10 * c["log_lead_amine"]) * c["short_amine_factor"] ** short
    bound = binding * hold(carbons, medium, c) * solution.amine
    bare = c["trap_bare"] * (1.0 - solution.coverage)
    return np.asarray(c["trap_floor"] + bare + c["trap_amine"] * bound / (1.0 + bound))


def traps(plate: Plate, index: int, edge: Array, p: TwinParameters) -> Array:
    """Mean traps per dot, shape of `edge`: free dots first, then as many enclosed ones."""
    densities = [trap_density(plate, p.own)[index], p.own["trap_floor"]]
    return optics.mean_traps(edge, np.repeat(densities, edge.shape[-1] // 2), p.materials)


def ensemble(
    plate: Plate, aged: Aged, index: int, p: TwinParameters, concentration: ArrayLike = 1.0
) -> Ensemble:
    """Return the emitting dots of one well, free and enclosed; `concentration` by evaporation.

    Args:
        plate: All wells.
        aged: At one age, or at ages on a first axis (frames), which the dots then have as well.
        index: Of the well.
        p: Constants of the laboratory.
        concentration: Factor, one number or shape (frames,).
    """
    c, m = p.own, p.materials

    def of(shares: Array) -> Array:
        return np.asarray(shares[..., index, None])

    cube, coarsening = plate.dots.edge[index] ** 3, of(aged.coarsening)
    # Dots are enclosed all the while, so half of the coarsening stands for theirs.
    core = np.cbrt(cube + 0.5 * coarsening)
    edge = np.concatenate([np.cbrt(cube + coarsening), c["enclosed_shrinkage"] * core], axis=-1)
    units = plate.dots.units[index]
    shares = np.concatenate([of(aged.free) * units, of(aged.enclosed) * units], axis=-1)
    amount = 1e3 * np.asarray(concentration, float)[..., None] * shares
    bright = edge > _SMALLEST
    edge = np.maximum(edge, _SMALLEST)
    lifetime = optics.radiative_lifetime(edge, 0.0, 0.0, m)
    yields = optics.quantum_yield(traps(plate, index, edge, p), lifetime, ROOM, m)
    return larp_light.ensemble(np.where(bright, amount, 0.0), edge, yields)


def light(
    plate: Plate, seconds: Array, index: int, p: TwinParameters, concentration: ArrayLike = 1.0
) -> Array:
    """Emission of a well at ages `seconds`, shape (frames, energies) on larp_light.ENERGY."""
    factor = np.broadcast_to(np.asarray(concentration, float), seconds.shape)
    dots = ensemble(plate, age(plate.settled, seconds[:, None], p.own), index, p, factor)
    depth = plate.depth[index] / factor
    return larp_light.emitted(dots, EXCITATION, depth, p.own["disorder"], p.materials)
