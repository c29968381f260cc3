"""Calibration of the plate twin on the C rows of seed 002, without noise.

`residuals` is what least squares makes small: published values less the twin's, over half of the
rows' bands, and priors. Run `python -m orchestrator.twins._larp_fit` to repeat the fit.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from instruments.metrology.gaussian import fit_gaussians
from instruments.simulated.plate import SimulatedReader, WellNoise
from surrogate_sim.larp import Charge
from surrogate_sim.parameters import TwinParameters, twin_parameters
from surrogate_sim.plants.larp_plate import HALF_DAY, LarpPlant

Array = NDArray[np.float64]
PRIORS: dict[str, tuple[float, float, bool]] = {
    "log_lead_amine": (1.3, 0.4, False),
    "log_solubility_toluene": (-5.0, 0.5, False),
    "log_ligand_binding": (4.0, 0.5, False),
    "binding_polarity": (25.0, 4.0, False),
    "mixing_spread": (1.0, 0.4, False),
    "dots_per_precursor": (5.0, 0.7, True),
    "arrest_rate": (5.0, 0.7, True),
}
"""Prior value and standard deviation (of the logarithm where the last is true)."""
TOLUENE = {0.1: 522.6, 0.2: 522.3, 0.3: 523.2, 0.4: 520.0, 0.5: 517.8}
CHLOROFORM = (0.1, 0.4, 0.7, 1.0)
"""Ratios that stand for the ten wells of LP-12 and LP-17."""


def observe(p: TwinParameters, ratio: float, antisolvent: str) -> tuple[float, float, float]:
    """Peak and FWHM [nm] of a long-chain well at 1:30 after 10 min, and mean edge after 12 h."""
    plant = LarpPlant(p)
    plant.new_plate()
    volumes = (p.own["antisolvent_volume"], p.own["injected_volume"])
    charge = Charge(
        "oleic_oleylamine",
        antisolvent,
        100.0,
        100.0 * ratio,
        3000.0,
        p.own["lead_stock"],
        *volumes,
    )
    plant.fill(40, charge)
    plant.advance(600.0)
    reader = SimulatedReader(plant, {}, p.own)
    counts = reader.expected(40, _quiet())[None, :]
    line = fit_gaussians(reader.wavelengths, counts, np.ones(counts.shape, bool))
    plant.advance(HALF_DAY)
    return float(line.centre[0]), float(line.fwhm[0]), plant.truth(40)["mean_edge_nm"]


def _quiet() -> WellNoise:
    silent = np.random.default_rng(0)
    return WellNoise(silent, silent, silent, 1.0, 0.0, 1.0)


def residuals(p: TwinParameters) -> Array:
    """Differences from the C rows LP-01, LP-02, LP-06, LP-12 and LP-17 over half of the bands."""
    tol = {r: observe(p, r, "toluene") for r in TOLUENE}
    found = [(tol[r][0] - nm) / 1.5 for r, nm in TOLUENE.items()]
    found.append((float(np.mean([tol[r][1] for r in (0.1, 0.2, 0.3)])) - 26.0) / 1.25)
    found.append((tol[0.1][2] - 10.0) / 0.75)
    for r in CHLOROFORM:
        peak, width, _ = observe(p, r, "chloroform")
        found += [(peak - 506.8) / 3.0, (width - 33.0) / 3.0]
    return np.array(found)


def at(standard: Array, p: TwinParameters) -> TwinParameters:
    """Return `p` with the calibrated constants at `standard` deviations of their priors."""
    values = {}
    for (name, (mean, sd, log)), z in zip(PRIORS.items(), standard, strict=True):
        values[name] = mean * math.exp(sd * float(z)) if log else mean + sd * float(z)
    return p.replacing(**values)


def fit(start: Array | None = None) -> tuple[dict[str, float], Array, float]:
    """Return the calibrated constants, their residuals and the cost."""
    nominal = twin_parameters("larp_plate")
    found = least_squares(
        lambda z: np.append(residuals(at(z, nominal)), z),
        np.zeros(len(PRIORS)) if start is None else start,
        diff_step=0.02,
        max_nfev=14,
    )
    best = at(found.x, nominal)
    return {n: best.own[n] for n in PRIORS}, np.asarray(found.fun), float(found.cost)


if __name__ == "__main__":
    constants, left, cost = fit()
    for name, value in constants.items():
        print(f"{name} = {value:.4g}")
    print("residuals and priors:", np.round(left, 2), "cost", round(cost, 2))
