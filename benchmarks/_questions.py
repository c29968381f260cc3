"""The micropipette's fields as questions to the peer `physics`: numbers only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from surrogate_sim import micropipette_fields as fields
from surrogate_sim.axisymmetric import Mesh

_NONE = {
    "inflow": 0.0,
    "disc_outflow": 0.0,
    "disc_radius": 1.0,
    "lit_radius": 0.0,
    "source_lit": 0.0,
    "source_rest": 0.0,
}


def _mesh(grid: Mesh) -> dict[str, Any]:
    return {
        "ask": "field",
        "n": len(grid.rho) - 1,
        "m": len(grid.theta) - 1,
        "inner": float(grid.rho[0]),
        "outer": float(grid.rho[-1]),
        "widest": float(grid.theta[-1]),
    }


def _per_mass(ion: str, density: float) -> float:
    """Formula units per nm3 and mass fraction, from kg/m3."""
    return density * 1e3 / fields.MOLAR_MASS[ion] * 6.02214076e23 * 1e-27


def cation_question(ion: str, rate: float, c: Mapping[str, float], grid: Mesh) -> dict[str, Any]:
    """A cation in the cone: held at zero at the interface, fed at the far end."""
    diffusivity = c[f"diffusion_{ion}"] * _per_mass(ion, c["density_dmf"])
    inflow = fields.STOICHIOMETRY[ion] * rate
    return {**_mesh(grid), **_NONE, "held": "inner", "diffusivity": diffusivity, "inflow": inflow}


def bromide_question(rate: float, c: Mapping[str, float], grid: Mesh) -> dict[str, Any]:
    """Bromide in the reservoir at the reference light: made everywhere, used at the disc."""
    unit = _per_mass("bromide", 1.0)
    return {
        **_mesh(grid),
        **_NONE,
        "held": "outer",
        "diffusivity": c["diffusion_bromide"] * unit * c["density_bromobenzene"],
        "disc_outflow": fields.STOICHIOMETRY["bromide"] * rate,
        "disc_radius": 0.5 * c["reference_tip"],
        "lit_radius": 0.5 * c["lit_diameter"],
        "source_lit": c["source_lit"] * 60.0 / c["reference_irradiance"] * unit,
        "source_rest": c["source_rest"] * 60.0 / c["reference_irradiance"] * unit,
    }
