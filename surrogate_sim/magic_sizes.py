"""Growth of dilute oleate-capped dots layer by layer: a ladder of sizes.

    dN_k/dt = r_{k-1} N_{k-1} - (r_k + b_k) N_k + b_{k+1} N_{k+1}

(physics specification 2.5.) A layer needs ligands to leave a whole face, so its barrier rises
with the face (seed 001: energetically consistent barriers; Pun 2019 for other dots), and each
size waits long enough to be seen. Detailed balance with Gibbs and Thomson sets the way back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from surrogate_sim.materials import BOLTZMANN, ROOM
from surrogate_sim.population import PopulationError
from surrogate_sim.topo_chemistry import ROUNDED, Charge, rates, rounded_diameter, solute_fraction

Array = NDArray[np.float64]
LARGEST = 20
"""Most unit cells across a dot of the ladder."""


@dataclass(frozen=True)
class Ladder:
    """Numbers on each rung over time.

    Attributes:
        cells: Shape (k,), unit cells across.
        diameter: Shape (k,), sphere of equal volume [nm].
        units: Shape (k,), formula units of one dot.
        number: Shape (t, k) [µM].
        monomer: Shape (t,) [mM].
    """

    cells: Array
    diameter: Array
    units: Array
    number: Array
    monomer: Array


def applies(charge: Charge, own: Mapping[str, float]) -> bool:
    """Whether a charge grows by the ladder: oleate, and dilute."""
    return charge.ligand == "oleate" and charge.caesium < own["ladder_dilute"]


def climb(
    charge: Charge, times: Array, own: Mapping[str, float], materials: Mapping[str, float]
) -> Ladder:
    """Run the ladder; dots start at `ladder_seed` cells, made from the burst.

    A share `ladder_seeded` of the solute is in seeds at first, the rest is monomer; what shrinks
    below the lowest rung dissolves.

    Args:
        charge: What is in the vessel.
        times: Shape (t,), rising, from 0 on [s].
        own: Constants of the twin.
        materials: Constants of the materials.

    Raises:
        PopulationError: the integration fails.
    """
    cell = materials["lattice_bromide"]
    cells = np.arange(own["ladder_seed"], LARGEST + 1.0)
    units = ROUNDED * cells**3
    diameter = np.array([rounded_diameter(float(k), cell) for k in cells])
    solute = solute_fraction(charge, own) * charge.caesium
    base = rates(charge, own, materials)
    barrier = own["ladder_barrier"] + own["ladder_step"] * (cells - cells[0])
    speed = own["ladder_rate"] * np.exp(-barrier / (BOLTZMANN * charge.temperature))
    soluble = base.solubility * np.exp(base.capillary / diameter)
    steps = np.diff(units)

    def derivative(_: float, y: Array) -> Array:
        number, monomer = y[:-1], y[-1]
        up = speed[:-1] * monomer * number[:-1]
        down = speed[:-1] * soluble[1:] * number[1:]
        net = up - down
        lost = speed[0] * max(float(soluble[0] - monomer), 0.0) * number[0]
        out = np.zeros_like(y)
        out[: len(number) - 1] -= net
        out[1 : len(number)] += net
        out[0] -= lost
        out[-1] = 1e-3 * (lost * units[0] - float(net @ steps))
        return out

    start = np.zeros(len(cells) + 1)
    start[0] = own["ladder_seeded"] * solute / (1e-3 * units[0])
    start[-1] = (1.0 - own["ladder_seeded"]) * solute
    found = solve_ivp(
        derivative, (0.0, max(float(times[-1]), 1e-9)), start, method="LSODA", t_eval=times,
        rtol=1e-8, atol=1e-12,
    )  # fmt: skip
    if not found.success:
        raise PopulationError(f"the ladder could not be integrated: {found.message}")
    return Ladder(cells, diameter, units, found.y[:-1].T, found.y[-1])


def layer_time(cells: float, monomer: float, own: Mapping[str, float]) -> float:
    """Mean time that a dot of `cells` waits for its next layer at room temperature [s]."""
    barrier = own["ladder_barrier"] + own["ladder_step"] * (cells - own["ladder_seed"])
    return 1.0 / (own["ladder_rate"] * monomer * math.exp(-barrier / (BOLTZMANN * ROOM)))
