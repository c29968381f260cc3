"""CsPbBr3 at the interface of DMF and bromobenzene in the tip of a micropipette (seed 000).

The pipette is a cone filled with lead and caesium acetate in DMF; light splits bromobenzene
outside it; dots grow where the two meet. Lengths [nm], times [s], concentrations [mM], light
[W/cm2], pressure [kPa]. The diffusion fields are in `micropipette_fields`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surrogate_sim.interface_growth import (
    Growth,
    Kinetics,
    cell_areas,
    grow,
    nucleated_share,
)
from surrogate_sim.materials import HC, ROOM, emission_energy, lattice, stokes_shift
from surrogate_sim.optics import (
    Ensemble,
    absorption_coefficient,
    decay,
    emission_shape,
    mean_traps,
    quantum_yield,
    radiative_lifetime,
)
from surrogate_sim.parameters import TwinParameters

Array = NDArray[np.float64]
PER_NM3 = 6.02214076e-4
"""Units per nm3 that 1 mM = 1 mol/m3 holds (exact)."""
CLASSES = 80
EXCITATION = HC / 405.0
"""Photon energy of the laser [eV] (seed 000)."""


@dataclass(frozen=True)
class Setting:
    """How one growth is set up.

    Attributes:
        tip: Diameter of the orifice [nm].
        lead: In the pipette [mM].
        caesium: In the pipette [mM].
        irradiance: 405 nm laser at the tip [W/cm2].
        pressure: Inside the pipette, relative to outside [kPa]; below 0 retracts the interface.
    """

    tip: float
    lead: float
    caesium: float
    irradiance: float
    pressure: float = 0.0


def interface_radius(setting: Setting, c: Mapping[str, float]) -> float:
    """Radius of the interface [nm]: the orifice, or the shank where pressure has drawn it to."""
    drawn = c["retraction"] * max(-setting.pressure, 0.0)
    return float(0.5 * setting.tip + drawn * np.tan(half_angle(c)))


def half_angle(c: Mapping[str, float]) -> float:
    """Half angle of the cone [rad] (seed 000: 1.6 to 10 um over 40 um)."""
    return float(np.arctan(0.5 * (c["shank_diameter"] - c["reference_tip"]) / c["shank_length"]))


def geometric_resistance(radius: float, c: Mapping[str, float]) -> float:
    """Resistance of the cone behind an interface of `radius` [nm], [1/nm].

    (1/rho_a - 1/rho_b) / 2 pi (1 - cos theta): the flow is D c over it.
    """
    angle = half_angle(c)
    near = radius / np.sin(angle)
    far = near + c["shank_length"] / np.cos(angle)
    return float((1.0 / near - 1.0 / far) / (2.0 * np.pi * (1.0 - np.cos(angle))))


def lit_radius(radius: float, c: Mapping[str, float]) -> float:
    """Radius of the part of the interface that bromide reaches [nm]: within the lit zone."""
    return min(radius, 0.5 * c["lit_diameter"])


def kinetics(setting: Setting, parameters: TwinParameters) -> Kinetics:
    """Return the constants of supply and uptake of one growth."""
    c = parameters.own
    radius = interface_radius(setting, c)
    lit = lit_radius(radius, c)
    relative = 0.5 * c["reference_tip"] / lit
    lead, caesium = c["diffusion_lead"], c["diffusion_caesium"]
    return Kinetics(
        lead=lead * setting.lead * PER_NM3,
        caesium=caesium * setting.caesium * PER_NM3,
        product=lead * caesium * c["solubility_product"] * PER_NM3**2,
        capillary_length=c["capillary_length"],
        exchange=c["exchange"],
        geometric=geometric_resistance(radius, c),
        interfacial=c["interfacial_resistance"] * relative ** c["resistance_exponent"],
        area=np.pi * lit**2,
        layer_share=c["layer_share"],
        unit_volume=float(lattice(constants=parameters.materials)) ** 3,
        own_share=c["own_share"],
    )


def saturation(setting: Setting, c: Mapping[str, float]) -> float:
    """Return ln S of the first ion product, when bromide meets the cations.

    First order in each cation and third in bromide, hence in light.
    """
    ions = setting.lead * setting.caesium
    if ions <= 0.0 or setting.irradiance <= 0.0:
        return -np.inf
    light = setting.irradiance / c["reference_irradiance"]
    return float(np.log(ions / c["solubility_product"]) + 3.0 * np.log(light))


def critical_edge(setting: Setting, c: Mapping[str, float]) -> float:
    """Edge of the critical nucleus [nm]: alpha over ln S of the two cations, bromide in excess.

    A smaller dot is more soluble than the solution that the pipette was filled with (Gibbs and
    Thomson); infinite where the solution does not exceed the solubility product.
    """
    ions = setting.lead * setting.caesium
    if ions <= c["solubility_product"]:
        return np.inf
    return float(c["capillary_length"] / np.log(ions / c["solubility_product"]))


def seeds(setting: Setting, parameters: TwinParameters) -> tuple[Array, Array]:
    """Return volume [nm3] and number of the seeds that stage 0 leaves, shape (classes,) each.

    A lens of liquid, deeper behind a wider interface and no deeper than the lit zone allows, is
    shared by the sites that nucleated, each by its own cell. Where the lens is too poor to give
    every cell a critical nucleus, as many nucleate as it can feed: the critical nucleus, and no
    longer the lens, then sets the size. Fewer dots at random places still have random cells.
    """
    c = parameters.own
    lit = lit_radius(interface_radius(setting, c), c)
    share = nucleated_share(
        saturation(setting, c), c["nucleation_barrier"], c["nucleation_prefactor"]
    )
    depth = (2.0 * lit / c["reference_tip"]) ** c["seed_exponent"]
    scarcer = min(setting.lead, setting.caesium)
    filled = scarcer / min(c["reference_lead"], c["reference_caesium"])
    held = c["seed_volume"] * depth * filled
    share = min(share, held / critical_edge(setting, c) ** 3)
    count = share * c["site_density"] * np.pi * lit**2
    if count < 1.0:
        return np.zeros(CLASSES), np.zeros(CLASSES)
    return held / share * cell_areas(CLASSES), np.full(CLASSES, count / CLASSES)


def follow(setting: Setting, parameters: TwinParameters, times: Array) -> Growth:
    """Grow the seeds of a setting to `times`, shape (t,), [s]."""
    volume, number = seeds(setting, parameters)
    return grow(volume, number, cell_areas(CLASSES), times, kinetics(setting, parameters))


def ensemble(volume: Array, number: Array, parameters: TwinParameters) -> Ensemble:
    """Return the living classes as the shared optics takes them; amounts are formula units."""
    alive = (volume > 0.0) & (number > 0.0)
    edge = np.cbrt(volume[alive])
    m = parameters.materials
    units = volume[alive] * number[alive] / float(lattice(constants=m)) ** 3
    none = np.zeros_like(edge)
    room = np.full_like(edge, ROOM)
    lifetime = radiative_lifetime(edge, none, none, m)
    traps = mean_traps(edge, parameters.own["trap_density"], m)
    return Ensemble(edge, units, none, none, quantum_yield(traps, lifetime, room, m), room)


def emission(volume: Array, number: Array, wavelength: Array, parameters: TwinParameters) -> Array:
    """Emitted light per nm, shape (m,): formula units times absorption times quantum yield.

    In units of a formula unit that absorbs like the solid at 405 nm and emits all of it.
    """
    dots = ensemble(volume, number, parameters)
    if dots.edge.size == 0:
        return np.zeros_like(wavelength)
    m = parameters.materials
    energy = HC / wavelength
    exciton = emission_energy(dots.edge, constants=m) + stokes_shift(dots.edge, m)
    absorbed = dots.amount @ absorption_coefficient(EXCITATION, exciton, m) / m["absorption_400"]
    shape = emission_shape(dots, energy, EXCITATION, m)
    return np.asarray(absorbed * shape * energy / wavelength)


def decays(volume: Array, number: Array, time: Array, parameters: TwinParameters) -> Array:
    """Emission after a pulse at `time` [ns], shape (m,), 1 at time 0.

    Every class decays with its own lifetime and traps; classes weigh as they absorb.
    """
    dots = ensemble(volume, number, parameters)
    m = parameters.materials
    none = np.zeros_like(dots.edge)
    lifetime = radiative_lifetime(dots.edge, none, none, m)
    traps = mean_traps(dots.edge, parameters.own["trap_density"], m)
    exciton = emission_energy(dots.edge, constants=m) + stokes_shift(dots.edge, m)
    weight = dots.amount * absorption_coefficient(EXCITATION, exciton, m) / lifetime
    curves = [decay(time, t, tau, m) for t, tau in zip(traps, lifetime, strict=True)]
    return np.asarray(weight @ np.array(curves) / weight.sum())


def composition(volume: Array, number: Array, parameters: TwinParameters) -> tuple[float, float]:
    """Caesium and lead in the dots [formula units].

    A cube of n unit cells along its edge has n^3 lead and, without its outermost caesium,
    (n - 1)^3 caesium: ((n - 1)/n)^3 of it (physics specification, MP-20).
    """
    cell = float(lattice(constants=parameters.materials))
    lead = volume * number / cell**3
    cells = np.cbrt(volume) / cell
    left = np.clip(1.0 - 1.0 / np.maximum(cells, 1.0), 0.0, 1.0) ** 3
    return float(lead @ left), float(lead.sum())


def inventory(
    growth: Growth, frame: int, parameters: TwinParameters
) -> dict[str, tuple[float, float, float]]:
    """Supplied, in the dots, and left at the interface of each element [formula units].

    What comes is 1 : 1 : 3; the caesium that the dots' surfaces lack stays in the liquid with
    as much bromide, so dots and liquid are both neutral.
    """
    unit = float(lattice(constants=parameters.materials)) ** 3
    supplied = float(growth.volume[0] @ growth.number) / unit + float(growth.taken[frame])
    caesium, lead = composition(growth.volume[frame], growth.number, parameters)
    held = {"lead": lead, "caesium": caesium, "bromide": 2.0 * lead + caesium}
    left = {"lead": 0.0, "caesium": lead - caesium, "bromide": lead - caesium}
    ratio = {"lead": 1.0, "caesium": 1.0, "bromide": 3.0}
    return {e: (ratio[e] * supplied, held[e], left[e]) for e in ratio}
