"""Dimensionless numbers, limits, mixing and residence times of a tube with one or two phases.

Velocities [mm/s], bores [mm], times [s]; fluid properties in SI units.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Carrier = Literal["none", "gas", "fluorinated_oil"]
Solvent = Literal["toluene", "octadecene"]
GRAVITY = 9.80665
CAPILLARY_LIMIT, BOND_LIMIT, WEBER_LIMIT = 0.01, 0.3, 1.0
PECLET_RANGE = (1e3, 1e5)
_ROUNDING = 1.0 + 1e-9


@dataclass(frozen=True, slots=True)
class FluidPair:
    """The reactive liquid and what segments it, with sources.

    Attributes:
        name: Carrier name, as `FlowPlant.set_carrier` takes it.
        density: Of the reactive liquid [kg/m3].
        viscosity: Of the reactive liquid [Pa s].
        film_viscosity: Of the continuous phase, which the capillary number counts [Pa s].
        tension: Interfacial tension [N/m]; 0 for one phase.
        density_difference: Between the phases [kg/m3].
        diffusivity: Of precursor ions in the liquid [m2/s].
        plug_length: Plug length over bore; 0 for one phase.
        film_leak: Whether the *reactive* liquid wets the wall and leaks through the film.
        highest_temperature: What solvent and carrier allow [degC].
        source: Where the numbers come from.
    """

    name: Carrier
    density: float
    viscosity: float
    film_viscosity: float
    tension: float
    density_difference: float
    diffusivity: float
    plug_length: float
    film_leak: bool
    highest_temperature: float
    source: str

    @property
    def two_phase(self) -> bool:
        """Whether the liquid travels as plugs."""
        return self.tension > 0.0


_TOLUENE = (
    "toluene at 25 degC: 867 kg/m3, 0.556 mPa s (CRC Handbook); boils at 111 degC; ion "
    "diffusivity 1e-9 m2/s, which makes Pe 1e5 at 1 mm and 100 mm/s (physics specification 3.5)"
)
FLUID_PAIRS: dict[Carrier, FluidPair] = {
    "none": FluidPair(
        "none", 867.0, 5.56e-4, 5.56e-4, 0.0, 0.0, 1e-9, 0.0, False, 105.0, _TOLUENE
    ),
    "gas": FluidPair(
        "gas",
        867.0,
        5.56e-4,
        5.56e-4,
        0.0285,
        865.3,
        1e-9,
        2.0,
        True,
        105.0,
        f"{_TOLUENE}; surface tension 28.5 mN/m at 20 degC (CRC Handbook); argon 1.7 kg/m3",
    ),
    "fluorinated_oil": FluidPair(
        "fluorinated_oil",
        867.0,
        5.56e-4,
        4.5e-3,
        0.009,
        990.0,
        1e-9,
        1.5,
        False,
        105.0,
        f"{_TOLUENE}; perfluorinated oil: interfacial tension 5 to 10 mN/m, 4 to 5 mPa s, about "
        "1000 kg/m3 denser (physics specification 3.5, literature not re-checked)",
    ),
}
"""Fluid pairs by carrier; `none` is toluene alone."""
_OCTADECENE = (
    "1-octadecene at 100 degC, as it mixes warm: 735 kg/m3, 1.1 mPa s (assumed from 789 kg/m3 and "
    "4 mPa s at 25 degC); ion diffusivity after Stokes and Einstein from that in toluene"
)
_OIL_LIMIT, _OCTADECENE_LIMIT = 180.0, 250.0  # degC, of the oil (flow review) and the solvent


def fluid_pair(solvent: Solvent, carrier: Carrier) -> FluidPair:
    """Return the properties of a solvent with its carrier.

    Octadecene bears 250 degC (it boils at 315 degC); with fluorinated oil 180 degC.
    """
    pair = FLUID_PAIRS[carrier]
    if solvent == "toluene":
        return pair
    return replace(
        pair,
        density=735.0,
        viscosity=1.1e-3,
        film_viscosity=pair.film_viscosity if carrier == "fluorinated_oil" else 1.1e-3,
        density_difference=pair.density_difference and pair.density_difference * 735.0 / 867.0,
        diffusivity=1e-9 * (5.56e-4 / 1.1e-3) * (373.0 / 298.0),
        highest_temperature=_OIL_LIMIT if carrier == "fluorinated_oil" else _OCTADECENE_LIMIT,
        source=_OCTADECENE,
    )


@dataclass(frozen=True, slots=True)
class DimensionlessNumbers:
    """Numbers of one flow; those of an interface are zero in one phase."""

    reynolds: float
    capillary: float
    weber: float
    bond: float
    peclet: float


class BrokenLimit(NamedTuple):
    """A number outside its limit; `limit` reads like `< 0.01`."""

    name: str
    value: float
    limit: str


def _check_positive(**quantities: float) -> None:
    wrong = {k: v for k, v in quantities.items() if not v > 0.0}
    if wrong:
        listed = ", ".join(f"{k} = {v}" for k, v in wrong.items())
        raise ValueError(f"a flow needs positive dimensions, but got {listed}; give positive ones")


def numbers(pair: FluidPair, velocity: float, bore: float) -> DimensionlessNumbers:
    """Reynolds, capillary, Weber, Bond and Peclet number (physics specification 3.5).

    Args:
        pair: The fluids.
        velocity: Mean velocity [mm/s].
        bore: Inner diameter of the tube [mm].

    Raises:
        ValueError: velocity or bore not positive.
    """
    _check_positive(velocity=velocity, bore=bore)
    u, d = velocity * 1e-3, bore * 1e-3
    reynolds = pair.density * u * d / pair.viscosity
    peclet = u * d / pair.diffusivity
    if not pair.two_phase:
        return DimensionlessNumbers(reynolds, 0.0, 0.0, 0.0, peclet)
    return DimensionlessNumbers(
        reynolds=reynolds,
        capillary=pair.film_viscosity * u / pair.tension,
        weber=pair.density * u**2 * d / pair.tension,
        bond=pair.density_difference * GRAVITY * d**2 / pair.tension,
        peclet=peclet,
    )


def check(pair: FluidPair, velocity: float, bore: float) -> list[BrokenLimit]:
    """Return each broken limit of stable two-phase flow; none apply to one phase.

    Ca < 0.01, Bo <= 0.3, We < 1, 1e3 <= Pe <= 1e5 (flow review of the field, 2020).

    Raises:
        ValueError: velocity or bore not positive.
    """
    n = numbers(pair, velocity, bore)
    if not pair.two_phase:
        return []
    low, high = PECLET_RANGE
    tests = (
        ("capillary_number", n.capillary, n.capillary < CAPILLARY_LIMIT, f"< {CAPILLARY_LIMIT:g}"),
        ("bond_number", n.bond, n.bond <= BOND_LIMIT * _ROUNDING, f"<= {BOND_LIMIT:g}"),
        ("weber_number", n.weber, n.weber < WEBER_LIMIT, f"< {WEBER_LIMIT:g}"),
        ("peclet_number", n.peclet, n.peclet * _ROUNDING >= low, f">= {low:g}"),
        ("peclet_number", n.peclet, n.peclet <= high * _ROUNDING, f"<= {high:g}"),
    )
    return [BrokenLimit(name, value, limit) for name, value, fine, limit in tests if not fine]


def diffusion_length(bore: float, two_phase: bool) -> float:
    """Characteristic diffusion length x [mm]: half the bore, or a quarter inside plugs."""
    return bore / (4.0 if two_phase else 2.0)


def diffusion_time(bore: float, diffusivity: float, two_phase: bool) -> float:
    """t = x^2 / 2 D [s], with the bore [mm] and the diffusivity [m2/s]."""
    return (diffusion_length(bore, two_phase) * 1e-3) ** 2 / (2.0 * diffusivity)


def radial_peclet(velocity: float, bore: float, diffusivity: float, two_phase: bool) -> float:
    """u x / D: the Peclet number over the diffusion length, halved by a second phase."""
    return velocity * 1e-3 * diffusion_length(bore, two_phase) * 1e-3 / diffusivity


def mixing_time(
    pair: FluidPair, velocity: float, bore: float, *, kappa: float = 1.0, lamellae: float = 6.0
) -> float:
    """Time to mix the precursors [s].

    In plugs the chaotic mixing time kappa (a w / U) ln Pe (Song 2003, Angew. Chem.), a being
    plug length over width. In one phase, diffusion across the lamellae of a static mixer that
    splits the bore (assumed, because a bare tube would need minutes and such lines carry one).

    Raises:
        ValueError: velocity or bore not positive.
    """
    peclet = numbers(pair, velocity, bore).peclet
    if pair.two_phase:
        return kappa * pair.plug_length * bore / velocity * float(np.log(max(peclet, np.e)))
    return diffusion_time(bore, pair.diffusivity, False) / lamellae**2


def damkohler(mixing: float, reaction: float) -> float:
    """Mixing time over reaction time; reported and warned of, never refused on.

    Raises:
        ValueError: a time is not positive.
    """
    _check_positive(mixing=mixing, reaction=reaction)
    return mixing / reaction


def film_fraction(capillary: float) -> float:
    """Share of the liquid in the wall film, 2 x 1.34 Ca^(2/3) / (1 + 3.34 Ca^(2/3)).

    Film thickness after Aussillous and Quere 2000, Phys. Fluids.
    """
    ca = capillary ** (2.0 / 3.0)
    return float(2.0 * 1.34 * ca / (1.0 + 3.34 * ca))


def tanks(pair: FluidPair, velocity: float, bore: float, position: float) -> float:
    """Number of equal tanks in series that a two-phase line spreads like, at least 50.

    Gas-liquid: each plug leaves its film to the next, so the spread grows with the film's
    share and falls with the number of plug lengths travelled (film-leak model). Plugs in
    fluorinated oil do not touch the wall; they spread by the plugs' unequal lengths (assumed
    N = 400, that is 5 %).
    """
    if not pair.film_leak:
        return 400.0
    leak = film_fraction(numbers(pair, velocity, bore).capillary)
    unit_cells = position / (2.0 * pair.plug_length * bore)
    return max(50.0, unit_cells / (2.0 * leak))


def residence_quantiles(
    pair: FluidPair, velocity: float, bore: float, position: float, count: int = 3
) -> NDArray[np.float64]:
    """Residence times over their mean, of `count` equal shares of the fluid, shape (count,).

    One phase: the laminar E = tau^2 / 2 t^3 (t > tau / 2), exact mean of each share; the
    Taylor-Aris form needs t >> r^2/D, some 4000 s for a 12 nm dot in 1 mm, which no line of
    metres reaches. Two phases: tanks in series, as a normal of the same variance.
    """
    if not pair.two_phase:
        root = np.sqrt(1.0 - np.linspace(0.0, 1.0, count + 1))
        return np.asarray((root[:-1] - root[1:]) * count)
    spread = 1.0 / np.sqrt(tanks(pair, velocity, bore, max(position, bore)))
    return np.asarray(1.0 + spread * _share_scores(count))


@cache
def _share_scores(count: int) -> NDArray[np.float64]:
    """Standard normal scores of the middles of equal shares, of unit variance, shape (count,)."""
    edges = np.linspace(0.0, 1.0, count + 1)
    scores = _normal_scores(0.5 * (edges[:-1] + edges[1:]))
    scores *= 1.0 / np.sqrt(np.mean(scores**2))
    scores.setflags(write=False)
    return scores


def _normal_scores(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard normal quantiles, antisymmetric to the last bit."""
    scores = np.asarray(ndtri(probability), dtype=float)
    return np.asarray(0.5 * (scores - scores[::-1]))
