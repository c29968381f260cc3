"""FiPy, sasmodels and fluids answer one JSON line with another; nothing of dotpilot is here."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def field(q: dict[str, Any]) -> dict[str, Any]:
    """Steady diffusion in a cone or hemisphere by FiPy, in u = ln rho and theta.

    Of div(D grad Y) + S = 0, times rho^3 sin(theta), that is a plane problem with the
    diffusivity rho sin(theta): what FiPy's Grid2D and DiffusionTerm solve. Amounts over 2 pi.
    """
    import fipy
    from fipy import CellVariable, DiffusionTerm, FaceVariable, Grid2D

    n, m = q["n"], q["m"]
    inner, outer, widest = q["inner"], q["outer"], q["widest"]
    start = time.process_time()
    step_u, step_a = np.log(outer / inner) / n, widest / m
    mesh = Grid2D(nx=n, ny=m, dx=step_u, dy=step_a)
    solved = CellVariable(mesh=mesh, value=0.0)
    face_rho = inner * np.exp(np.asarray(mesh.faceCenters[0]))
    face_sine = np.sin(np.asarray(mesh.faceCenters[1]))
    coefficient = FaceVariable(mesh=mesh, value=q["diffusivity"] * face_rho * face_sine)
    cell_rho = inner * np.exp(np.asarray(mesh.cellCenters[0]))
    cell_sine = np.sin(np.asarray(mesh.cellCenters[1]))
    sources = np.where(cell_rho < q["lit_radius"], q["source_lit"], q["source_rest"])
    amount = CellVariable(mesh=mesh, value=sources * cell_rho**3 * cell_sine)
    held = mesh.facesLeft if q["held"] == "inner" else mesh.facesRight
    solved.constrain(0.0, held)
    edge = np.zeros(mesh.numberOfFaces)
    if q["inflow"]:
        right = np.asarray(mesh.facesRight.value)
        edge[right] = q["inflow"] / (2.0 * np.pi * (1.0 - np.cos(widest))) * face_sine[right]
    if q["disc_outflow"]:
        top, disc = np.asarray(mesh.facesTop.value), q["disc_radius"]
        low = np.minimum(face_rho * np.exp(-0.5 * step_u), disc)
        high = np.minimum(face_rho * np.exp(0.5 * step_u), disc)
        ring = (high**2 - low**2) / disc**2 / step_u
        edge[top] = -q["disc_outflow"] / (2.0 * np.pi) * ring[top]
    flux = FaceVariable(mesh=mesh, value=edge) * mesh.faceNormals
    (DiffusionTerm(coeff=coefficient) + flux.divergence + amount == 0).solve(var=solved)
    values = np.asarray(solved.value).reshape(m, n)
    seconds = time.process_time() - start
    return {"values": values.T.tolist(), "seconds": seconds, "version": fipy.__version__}


def sphere(q: dict[str, Any]) -> dict[str, Any]:
    """Scattering of spheres by sasmodels, over that at the first q; q in 1/nm, sizes in nm."""
    import sasmodels
    from sasmodels.core import load_model
    from sasmodels.direct_model import call_kernel

    kernel = load_model("sphere").make_kernel([np.array(q["q"]) / 10.0])
    pars = {
        "radius": 5.0 * q["diameter"],
        "sld": 4.0,
        "sld_solvent": 1.0,
        "scale": 1.0,
        "background": 0.0,
        "radius_pd": q["dispersion"],
        "radius_pd_n": 201 if q["dispersion"] else 0,
        "radius_pd_nsigma": 5.0,
    }
    found = np.asarray(call_kernel(kernel, pars))
    return {"shape": (found / found[0]).tolist(), "version": sasmodels.__version__}


def numbers(q: dict[str, Any]) -> dict[str, Any]:
    """Dimensionless numbers by fluids, SI units."""
    import fluids

    u, d = q["velocity"], q["bore"]
    reynolds = fluids.Reynolds(V=u, D=d, rho=q["density"], mu=q["viscosity"])
    schmidt = fluids.Schmidt(D=q["diffusivity"], mu=q["viscosity"], rho=q["density"])
    return {
        "reynolds": reynolds,
        "capillary": fluids.Capillary(V=u, mu=q["film_viscosity"], sigma=q["tension"]),
        "weber": fluids.Weber(V=u, L=d, rho=q["density"], sigma=q["tension"]),
        "bond": fluids.Bond(rhol=q["density_difference"], rhog=0.0, sigma=q["tension"], L=d),
        "peclet": reynolds * schmidt,
        "version": fluids.__version__,
    }


ANSWERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "field": field,
    "sphere": sphere,
    "numbers": numbers,
}


def main() -> None:
    for line in sys.stdin:
        question = json.loads(line)
        print(json.dumps(ANSWERS[question.pop("ask")](question)), flush=True)


if __name__ == "__main__":
    main()
