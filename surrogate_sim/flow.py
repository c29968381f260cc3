"""From a mixed feed and its path through the line to an ensemble of dots.

Mixing and conversion feed nucleation and growth (`flow_formation`: the full or the reduced
model); stoichiometry and ligands set how much crystallises and how fast; quantum yield from one
trap model; halide exchange in three stages. Concentrations [mM], ligand contents as volume
fractions, times [s], temperatures [K], edges [nm].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from surrogate_sim import flow_formation, optics
from surrogate_sim.flow_chemistry import (
    ACID_MOLAR,
    LEAST,
    Composition,
    Constants,
    arrhenius,
    conversion_time,
    coverage,
    formula_units,
    mix,
    open_sites,
    smooth_least,
    stacked,
)
from surrogate_sim.flow_formation import Formation, Model
from surrogate_sim.materials import BOLTZMANN, ROOM
from surrogate_sim.parameters import FlowParameters

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Conditions:
    """How the liquid went through the line.

    Attributes:
        mixing_time: Of the precursors [s].
        growth_time: Mean time before the exchange junction, or to the probe [s].
        exchange_time: Mean time behind the junction [s]; 0 without salt.
        spread: Residence times over their mean, equal shares, shape (k,).
        temperature: Of the tube [K].
        mixing_spread: Standard deviation of the logarithm of the mixing time between elements.
        entry: Temperature of the feed as it enters the tube [K].
        exchange_temperature: Of the tube behind the junction [K]; None: the same.
        octadecene: Whether the solvent is octadecene, where lead converts only with heat.
        model: What solves formation.
    """

    mixing_time: float
    growth_time: float
    exchange_time: float
    spread: Array
    temperature: float
    mixing_spread: float = 0.0
    entry: float = ROOM
    exchange_temperature: float | None = None
    octadecene: bool = False
    model: Model = "reduced"

    @property
    def at_probe(self) -> float:
        """Temperature of the liquid where the probe may stand [K]."""
        hot = self.exchange_temperature
        return self.temperature if hot is None or self.exchange_time <= 0.0 else hot


@dataclass(frozen=True, slots=True)
class Product:
    """What arrives at the probe, and where the matter went (for conservation).

    `mean_edge` [nm] and `dispersion` (relative) are by number; `traps` is the mean number on a
    dot of each class, `lifetime` that of emission and thermal quenching without them [ns].
    """

    ensemble: optics.Ensemble
    traps: Array
    lifetime: Array
    mean_edge: float
    dispersion: float
    coverage: float
    units: float
    dissolved: Composition


def formation(feed: Composition, at: Conditions, p: FlowParameters) -> Formation:
    """Return what decides how dots form of a feed under conditions.

    Acid takes lead into carboxylates and so raises what stays dissolved beside a crystal, as
    far as the feed lasts long enough to complex; amine and long chains slow growth, branched
    ones leave the surface open; the capillary length goes with 1/T, solubility after van 't
    Hoff, growth and conversion after Arrhenius. In octadecene ligand pairs hold the sites of
    growth until heat opens them (`open_sites`).
    """
    f, warm = p.flow, at.temperature
    slow = conversion_time(warm, at.octadecene, f)
    feeding = at.mixing_time + slow
    acid, amine = np.maximum(feed.acid, LEAST), np.maximum(feed.amine, 1e-4)
    complexed = feeding / (feeding + f["complexation_time"])
    solubility = f["crystal_solubility"] * (acid / f["reference_acid"]) ** (
        f["acid_exponent"] * complexed
    )
    if at.octadecene:
        solubility *= f["octadecene_solubility"] * arrhenius(f["octadecene_enthalpy"], warm)
    else:
        solubility *= arrhenius(f["crystal_enthalpy"], warm)
    growth = f["growth"] * arrhenius(f["growth_energy"], warm)
    growth *= (amine / acid) ** (-f["amine_exponent"] * (1.0 - feed.branching))
    growth *= (feed.ligand_length / 18.0) ** f["chain_exponent"]
    growth *= 1.0 + f["branching_growth"] * feed.branching
    if at.octadecene:
        growth *= open_sites(feed, warm, f)
    cold = np.maximum(warm - at.entry, 0.0) / warm if at.octadecene else 0.0
    return Formation(
        units=formula_units(feed, warm, f),
        mixing_time=at.mixing_time,
        mixing_spread=at.mixing_spread,
        conversion_time=slow,
        conversion_energy=f["activation_energy"] / (BOLTZMANN * warm),
        cold=cold,
        heating_time=f["heating_time"],
        growth=growth,
        solubility=solubility,
        capillary=f["capillary"] * ROOM / warm,
        surface_length=f["surface_length"],
        burst=f["burst"],
        nucleus=f["nucleus"],
        bare=f["open_share"] * (1.0 - coverage(feed, warm, f)) ** 2,
        cell=p.materials["lattice_bromide"] ** 3,
    )


def mixing_spread(mixing_time: float, two_phase: bool, f: Constants) -> float:
    """Standard deviation of the logarithm of local mixing times that formation meets.

    What mixes within the reaction time has evened out before dots form: segregation decays as
    e^(-t / t_mix).
    """
    whole = f["mixing_spread_two"] if two_phase else f["mixing_spread_one"]
    return float(whole * np.exp(-f["reaction_time"] / mixing_time))


def trap_density(
    feed: Composition,
    at: Conditions,
    covered: float,
    chloride: Array,
    iodide: Array,
    salt: float,
    f: Constants,
) -> Array:
    """Surface traps [1/nm2] of each class, shape (n,).

    A halide site is a trap where neither a ligand pair nor excess bromide fills it; excess lead
    draws iodide from the surface. Time in heat anneals what growth froze in (second order).
    Of columns (`stacked`), shape (r, n).
    """
    lead = np.maximum(feed.lead, LEAST)
    per_lead = feed.bromide / lead
    vacancy = expit((f["bromide_full"] - per_lead) / f["bromide_width"])
    excess = np.maximum(per_lead - 5.0, 0.0)
    pair = smooth_least(feed.acid, feed.amine, sharpness=4.0) * ACID_MOLAR
    free_amine = np.maximum(feed.amine * ACID_MOLAR - pair, 0.0)
    free_acid = np.maximum(feed.acid * ACID_MOLAR - pair, 0.0)
    per_caesium = feed.lead / np.maximum(feed.caesium, LEAST)
    rich = np.logaddexp(0.0, 8.0 * (1.0 / np.maximum(per_caesium, LEAST) - 1.0)) / 8.0
    fast = f["reaction_time"] / (at.mixing_time + f["reaction_time"])
    unfilled = f["site_share"] + (1.0 - f["site_share"]) * vacancy
    healed = f["anneal_rate"] * arrhenius(f["anneal_energy"], at.temperature) * at.growth_time
    base = (f["trap_floor"] + f["trap_uncovered"] * unfilled * (1.0 - covered) ** 2) + (
        f["trap_bromide"] * vacancy
        + f["trap_excess_bromide"] * excess**2
        + f["trap_amine"] * free_amine**2
        + f["trap_acid"] * free_acid**2
        + f["trap_lead_poor"] * rich
        + f["trap_fast_mixing"] * fast**2
    ) / (1.0 + healed)
    bound = f["trap_lead_iodide"] * np.maximum(per_caesium - 1.0, 0.0)
    halide = f["trap_chloride"] * chloride + (f["trap_iodide"] + bound) * iodide
    return np.asarray(base + halide + f["trap_salt"] * salt)


def equilibrium_fraction(units: float, bromide: float, halide: float, constant: float) -> float:
    """Mole fraction of the new halide in the dots at equilibrium, from conservation.

    K = x (B - 3u(1 - x)) / ((1 - x) (H - 3u x)) with total bromide B, new halide H and formula
    units u [mM]: a quadratic in x, so the answer depends on amounts alone, not on ligands.
    """
    if halide <= 0.0 or units <= 0.0:
        return 0.0
    lattice = 3.0 * units
    free = max(bromide - lattice, 0.0)
    a = lattice * (1.0 - constant)
    b = free + constant * (halide + lattice)
    c = -constant * halide
    root = np.sqrt(max(b * b - 4.0 * a * c, 0.0))
    x = -2.0 * c / (b + root) if b + root > 0.0 else 0.0
    return float(min(max(x, 0.0), 1.0))


def exchange_progress(
    liquid: Composition, edge: Array, time: Array, temperature: float, f: Constants
) -> Array:
    """Share of the way to equilibrium after `time` [s], shape of `edge`.

    Surface exchange, k1 ~ C_s / (1 + K acid) and falling with ligand, then intraparticle
    diffusion, tau ~ L^2.
    """
    heat = arrhenius(f["exchange_activation"], temperature)
    barrier = (1.0 + f["exchange_acid"] * liquid.acid) * (
        1.0 + f["exchange_ligand"] * (liquid.acid + liquid.amine)
    )
    rate = f["exchange_rate"] * liquid.zinc * heat / barrier * (6.0 / edge)
    slow = heat / (f["exchange_diffusion_time"] * (edge / 13.1) ** 2)
    slow = rate * slow / np.maximum(rate + slow, 1e-12)
    share = f["exchange_diffusion_share"]
    return np.asarray(1.0 - (1.0 - share) * np.exp(-rate * time) - share * np.exp(-slow * time))


def product(
    feed: Composition, joined: Composition, share: float, at: Conditions, p: FlowParameters
) -> Product:
    """Make dots of `feed`, let the salt stream join, and bring them to the probe.

    Args:
        feed: The synthesis stream before the junction.
        joined: The whole liquid at the probe, feed and salt stream together.
        share: Volume of the feed over that of the whole liquid.
        at: Conditions of the passage.
        p: Constants of the laboratory.
    """
    made = flow_formation.form(
        formation(feed, at, p), float(at.growth_time * at.spread.max()), at.model
    )
    edge, amount = sizes(made, at, share)
    return observed(edge, amount, feed, joined, at, p)


def sizes(made: flow_formation.Growth, at: Conditions, share: float) -> tuple[Array, Array]:
    """Edges [nm] and formula units [mM] of the classes, (residence, element, class) ravelled."""
    edge, bound = made.at(at.growth_time * at.spread)
    each = bound * share / (edge.shape[0] * edge.shape[1] * edge.shape[2])
    return edge.ravel(), np.repeat(each.ravel(), edge.shape[2])


def observed(
    edge: Array,
    amount: Array,
    feed: Composition,
    joined: Composition,
    at: Conditions,
    p: FlowParameters,
) -> Product:
    """Let dots exchange, cap and shine; arguments as `product` and `sizes` give them."""
    f = p.flow
    time = np.repeat(at.exchange_time * at.spread, edge.size // at.spread.size)
    chloride, iodide, kept = exchange(joined, float(amount.sum()), edge, time, at.at_probe, f)
    covered = coverage(feed, at.at_probe, f)
    traps = trap_density(feed, at, covered, chloride, iodide, joined.zinc, f)
    lifetime = optics.radiative_lifetime(edge, chloride, iodide, p.materials)
    lifetime = lifetime / (1.0 + optics.quench(at.at_probe, p.materials))
    mean = optics.mean_traps(edge, traps, p.materials)
    yields = optics.quantum_yield(mean, lifetime, at.at_probe, p.materials)
    amount = amount * kept
    heat = np.full(edge.size, at.at_probe)
    ensemble = optics.Ensemble(edge, amount, chloride, iodide, yields, heat)
    number = amount / edge**3
    total = max(float(number.sum()), 1e-300)
    size = float(number @ edge) / total
    variance = max(float(number @ edge**2) / total - size**2, 0.0)
    spread = float(np.sqrt(variance)) / max(size, LEAST)
    return Product(
        ensemble,
        mean,
        lifetime,
        size,
        spread,
        covered,
        float(amount.sum()),
        _dissolved(joined, amount, chloride, iodide),
    )


def exchange(
    joined: Composition, units: float, edge: Array, time: Array, temperature: float, f: Constants
) -> tuple[Array, Array, float]:
    """Chloride and iodide fraction of each class, and the share of dots that survive."""
    zero = np.zeros_like(edge)
    progress = exchange_progress(joined, edge, time, temperature, f)
    if joined.chloride > 0.0:
        end = equilibrium_fraction(
            units, joined.bromide, joined.chloride, f["equilibrium_chloride"]
        )
        return end * progress, zero, 1.0
    if joined.iodide > 0.0:
        end = equilibrium_fraction(units, joined.bromide, joined.iodide, f["equilibrium_iodide"])
        protected = joined.acid / (joined.acid + f["iodide_loss_acid"])
        lost = f["iodide_loss"] * end * float(np.mean(progress)) * (1.0 - protected)
        return zero, end * progress, 1.0 - min(max(lost, 0.0), 1.0)
    return zero, zero, 1.0


def _dissolved(joined: Composition, amount: Array, chloride: Array, iodide: Array) -> Composition:
    """What the liquid holds beside the dots: all that came less what the dots took [mM]."""
    units = float(amount.sum())
    cl, iod = 3.0 * float(amount @ chloride), 3.0 * float(amount @ iodide)
    return Composition(
        lead=joined.lead - units,
        caesium=joined.caesium - units,
        bromide=joined.bromide - (3.0 * units - cl - iod),
        chloride=joined.chloride - cl,
        iodide=joined.iodide - iod,
        zinc=joined.zinc,
        acid=joined.acid,
        amine=joined.amine,
        ligand_length=joined.ligand_length,
        branching=joined.branching,
    )


__all__ = [
    "Composition",
    "Conditions",
    "Constants",
    "Product",
    "coverage",
    "equilibrium_fraction",
    "exchange",
    "exchange_progress",
    "formation",
    "formula_units",
    "mix",
    "mixing_spread",
    "observed",
    "open_sites",
    "product",
    "sizes",
    "stacked",
    "trap_density",
]
