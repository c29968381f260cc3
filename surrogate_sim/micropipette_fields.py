"""Steady ion fields on both sides of a micropipette's interface (seed 000, finite volumes).

Mass fractions Y with lengths in nm and amounts in formula units: the flux density is
-D (rho / molar mass) grad Y. What crosses the interface is given (the growth's rate), as in the
seed's own model: diffusion alone would let 3e4 times more through (see `micropipette`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from surrogate_sim.axisymmetric import Edges, Mesh, closed, fed, held, mesh, solve
from surrogate_sim.micropipette import half_angle

Array = NDArray[np.float64]
MOLAR_MASS = {"lead": 207.2, "caesium": 132.905, "bromide": 79.904}
"""[g/mol] (IUPAC)."""
STOICHIOMETRY = {"lead": 1.0, "caesium": 1.0, "bromide": 3.0}
Cation = Literal["lead", "caesium"]
_AVOGADRO = 6.02214076e23
_INNERMOST = 50.0  # nm, inner radius of the reservoir's mesh, in the middle of the interface


@dataclass(frozen=True)
class Field:
    """A mass fraction on its mesh.

    Attributes:
        grid: The mesh; for the pipette rho counts from the cone's apex, for the reservoir from
            the middle of the interface [nm].
        fraction: Shape (n, m).
        sink: Formula units per second that leave through the interface, by the field itself.
    """

    grid: Mesh
    fraction: Array
    sink: float

    def along(self, distance: Array, angle: float = 0.0) -> Array:
        """Mass fraction at `distance` from the mesh's origin [nm], nearest to `angle` [rad]."""
        rho, theta = self.grid.centres
        column = self.fraction[:, int(np.argmin(np.abs(theta - angle)))]
        return np.interp(np.log(distance), np.log(rho), column)


def _density(ion: str, c: Mapping[str, float]) -> float:
    """Amount of solution per mass fraction: formula units per nm3."""
    liquid = c["density_bromobenzene" if ion == "bromide" else "density_dmf"]
    return liquid * 1e3 / MOLAR_MASS[ion] * _AVOGADRO * 1e-27


def cation_field(
    ion: Cation, rate: float, c: Mapping[str, float], n: int = 160, m: int = 16
) -> Field:
    """Field of a cation in the cone: fed at the far end, used up at the interface.

    Args:
        ion: Which.
        rate: Formula units of perovskite per second.
        c: The twin's own constants.
        n: Cells along the pipette.
        m: Cells across it.
    """
    angle = half_angle(c)
    near = 0.5 * c["reference_tip"] / np.sin(angle)
    far = near + c["shank_length"] / np.cos(angle)
    grid = mesh(near, far, angle, n, m)
    share = -np.diff(np.cos(grid.theta)) / (1.0 - np.cos(angle))
    diffusivity = c[f"diffusion_{ion}"] * _density(ion, c)
    inflow = STOICHIOMETRY[ion] * rate * share
    edges = Edges(held(0.0, m), fed(inflow), closed(n))
    fraction = solve(grid, diffusivity, 0.0, edges)
    step = np.log(grid.rho[1] / grid.rho[0])
    area = 2.0 * np.pi * grid.rho[0] ** 2 * -np.diff(np.cos(grid.theta))
    sink = float((2.0 * diffusivity * area / (grid.rho[0] * step) * fraction[0]).sum())
    return Field(grid, fraction, sink)


def bromide_field(
    rate: float, irradiance: float, c: Mapping[str, float], n: int = 160, m: int = 32
) -> Field:
    """Field of bromide in the reservoir: made by light, used at the interface's disc.

    Args:
        rate: Formula units of perovskite per second; each takes three bromides.
        irradiance: Of the laser [W/cm2]; the source is proportional to it.
        c: The twin's own constants.
        n: Cells along the radius.
        m: Cells across it.
    """
    grid = mesh(_INNERMOST, c["reservoir_radius"], 0.5 * np.pi, n, m)
    light = irradiance / c["reference_irradiance"]
    per_mass = 1e3 / MOLAR_MASS["bromide"] * _AVOGADRO * 1e-27  # kg/m3 to units per nm3
    lit, rest = c["source_lit"] * light * per_mass, c["source_rest"] * light * per_mass

    def source(rho: Array, theta: Array) -> Array:
        inside = np.where(rho < 0.5 * c["lit_diameter"], lit, rest)
        return np.asarray(np.broadcast_to(inside, np.broadcast_shapes(rho.shape, theta.shape)))

    ring = np.diff(np.minimum(grid.rho, 0.5 * c["reference_tip"]) ** 2)
    taken = STOICHIOMETRY["bromide"] * rate * ring / (0.5 * c["reference_tip"]) ** 2
    diffusivity = c["diffusion_bromide"] * _density("bromide", c)
    edges = Edges(closed(m), held(0.0, m), fed(-taken))
    return Field(grid, solve(grid, diffusivity, source, edges), float(taken.sum()))


def consumption_rate(c: Mapping[str, float]) -> float:
    """Formula units per second that seed 000 derives from the growth (its lead)."""
    return c["consumption_lead"] * 1e3 / MOLAR_MASS["lead"] * _AVOGADRO


def dimensionless(c: Mapping[str, float]) -> dict[str, float]:
    """Boundary fluxes and sources as seed 000 lists them, with R = 10 um as its length."""
    length = 1e-5
    far, near = 0.5e-9 * c["shank_diameter"], 0.5e-9 * c["reference_tip"]
    bromide = length / (c["density_bromobenzene"] * c["diffusion_bromide"] * 1e-18)
    found = {
        f"flux_{ion}": -c[f"consumption_{ion}"]
        / (np.pi * far**2)
        * length
        / (c["density_dmf"] * c[f"diffusion_{ion}"] * 1e-18)
        for ion in ("lead", "caesium")
    }
    found["flux_bromide"] = c["consumption_bromide"] / (np.pi * near**2) * bromide
    found["source_lit"] = c["source_lit"] * length * bromide
    found["source_rest"] = c["source_rest"] * length * bromide
    return {name: float(value) for name, value in found.items()}
