"""From a mixed feed and its path through the line to an ensemble of dots.

Size from mixing (LaMer and Sugimoto: N ~ t_mix^-m), stoichiometry, ligands, temperature and
residence; quantum yield from one trap model; halide exchange in three stages. Concentrations
[mM], ligand contents as volume fractions, times [s], temperatures [K], edges [nm].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtri

from surrogate_sim import optics
from surrogate_sim.materials import BOLTZMANN, ROOM
from surrogate_sim.parameters import FlowParameters

Array = NDArray[np.float64]
Constants = Mapping[str, float]
_ACID_MOLAR = 3.17  # mol/L of neat oleic acid (physics specification 3.3)
_LEAST = 1e-6
SIZE_CLASSES = 9


@dataclass(frozen=True, slots=True)
class Composition:
    """Contents of a solution: species [mM], ligands as volume fractions, chain length [atoms]."""

    lead: float = 0.0
    caesium: float = 0.0
    bromide: float = 0.0
    chloride: float = 0.0
    iodide: float = 0.0
    zinc: float = 0.0
    acid: float = 0.0
    amine: float = 0.0
    ligand_length: float = 18.0


@dataclass(frozen=True, slots=True)
class Conditions:
    """How the liquid went through the line.

    Attributes:
        mixing_time: Of the precursors [s].
        growth_time: Mean time before the exchange junction, or to the probe [s].
        exchange_time: Mean time behind the junction [s]; 0 without salt.
        spread: Residence times over their mean, equal shares, shape (k,).
        temperature: Of the tube [K].
    """

    mixing_time: float
    growth_time: float
    exchange_time: float
    spread: Array
    temperature: float


@dataclass(frozen=True, slots=True)
class Product:
    """What arrives at the probe, and where the matter went (for conservation)."""

    ensemble: optics.Ensemble
    mean_edge: float
    dispersion: float
    coverage: float
    units: float
    dissolved: Composition


def mix(parts: list[tuple[float, Composition]]) -> Composition:
    """Mix volumes of solutions (additive volumes); chain length by ligand volume."""
    total = sum(volume for volume, _ in parts)
    if total <= 0.0:
        return Composition()
    sums = {
        f.name: sum(v * getattr(c, f.name) for v, c in parts) / total for f in fields(Composition)
    }
    ligand = sum(v * (c.acid + c.amine) for v, c in parts)
    weighted = sum(v * (c.acid + c.amine) * c.ligand_length for v, c in parts)
    sums["ligand_length"] = weighted / ligand if ligand > 0.0 else 18.0
    return Composition(**sums)


def _smooth_least(*values: float, sharpness: float = 6.0) -> float:
    """Smooth minimum of positive numbers: (sum x^-p)^(-1/p), never above the least."""
    powers = [max(v, _LEAST) ** -sharpness for v in values]
    return float(sum(powers) ** (-1.0 / sharpness))


def formula_units(feed: Composition, temperature: float, f: Constants) -> float:
    """Formula units CsPbBr3 in dots [mM]: the scarcest ion, less what stays dissolved.

    Lead that Cs4PbBr6 takes (4 Cs per Pb) at high Cs:Pb is lost to the dots.
    """
    limit = _smooth_least(feed.lead, feed.caesium, feed.bromide / f["bromide_need"])
    ratio = feed.caesium / max(feed.lead, _LEAST)
    kept = float(expit((f["depletion_ratio"] - ratio) / f["depletion_width"]))
    warm = np.exp(f["solubility_enthalpy"] / BOLTZMANN * (1.0 / ROOM - 1.0 / temperature))
    acid = max(feed.acid, _LEAST) / f["reference_acid"]
    dissolved = f["solubility"] * acid ** f["solubility_acid"] * float(warm)
    return float(limit * kept * max(0.0, 1.0 - dissolved / max(limit, _LEAST)))


def mean_edge(feed: Composition, at: Conditions, units: float, f: Constants) -> float:
    """Mean edge after nucleation [nm], before growth along the tube."""
    m = f["mixing_exponent"]
    size = f["reference_edge"] * (at.mixing_time / f["reference_mixing_time"]) ** m
    size *= (max(units, _LEAST) / f["reference_units"]) ** ((1.0 - 3.0 * m) / 3.0)
    slow = at.mixing_time / (at.mixing_time + f["reaction_time"])
    acid, amine = max(feed.acid, _LEAST), max(feed.amine, 1e-4)
    size *= (acid / f["reference_acid"]) ** (f["acid_exponent"] * slow)
    size *= (amine / acid) ** -f["amine_exponent"]
    size *= (feed.ligand_length / 18.0) ** f["chain_exponent"]
    return float(size * np.exp(f["thermal_size"] * (at.temperature - ROOM) / 100.0))


def _arrhenius(energy: float, temperature: float) -> float:
    return float(np.exp(energy / BOLTZMANN * (1.0 / ROOM - 1.0 / temperature)))


def _growth(time: Array, temperature: float, f: Constants) -> Array:
    """Edge over the nucleated edge at `time` [s]: diffusion-limited plateau, then ripening."""
    rate = _arrhenius(f["activation_energy"], temperature)
    plateau = 1.0 - f["growth_share"] * np.exp(-time * rate / f["growth_time"])
    return np.asarray(plateau * (1.0 + f["ripening_rate"] * rate * time) ** (1.0 / 3.0))


def dispersion(feed: Composition, at: Conditions, units: float, f: Constants) -> float:
    """Relative standard deviation of the edge within one fluid element."""
    slow = at.mixing_time / (at.mixing_time + f["reaction_time"])
    short = (18.0 - feed.ligand_length) / 10.0
    dense = units / f["reference_units"]
    parts = (
        f["dispersion"],
        f["dispersion_mixing"] * slow,
        f["dispersion_chain"] * short,
        f["dispersion_concentration"] * max(dense - 1.0, 0.0) / (1.0 + max(dense - 1.0, 0.0)),
    )
    return float(np.sqrt(sum(p**2 for p in parts)))


def coverage(feed: Composition, f: Constants) -> float:
    """Share of the surface that acid-amine ion pairs cap (Langmuir; the scarcer one limits)."""
    pair = _smooth_least(feed.acid, feed.amine, sharpness=4.0) * _ACID_MOLAR
    affinity = f["coverage_affinity"] * (feed.ligand_length / 18.0) ** f["coverage_chain"]
    crowd = 1.0 + feed.lead / 20.0  # more surface shares the ligands of a concentrated feed
    return float(affinity * pair / (crowd + affinity * pair))


def trap_density(
    feed: Composition,
    at: Conditions,
    covered: float,
    chloride: Array,
    iodide: Array,
    salt: float,
    f: Constants,
) -> Array:
    """Surface traps [1/nm2] of each class, shape (n,)."""
    per_lead = feed.bromide / max(feed.lead, _LEAST)
    vacancy = float(expit((f["bromide_full"] - per_lead) / f["bromide_width"]))
    excess = max(per_lead - 5.0, 0.0)
    pair = _smooth_least(feed.acid, feed.amine, sharpness=4.0) * _ACID_MOLAR
    free_amine = max(feed.amine * _ACID_MOLAR - pair, 0.0)
    free_acid = max(feed.acid * _ACID_MOLAR - pair, 0.0)
    rich = float(np.logaddexp(0.0, 8.0 * (feed.caesium / max(feed.lead, _LEAST) - 1.0)) / 8.0)
    fast = f["reaction_time"] / (at.mixing_time + f["reaction_time"])
    base = (
        f["trap_floor"]
        + f["trap_uncovered"] * (1.0 - covered) ** 2
        + f["trap_bromide"] * vacancy
        + f["trap_excess_bromide"] * excess**2
        + f["trap_amine"] * free_amine**2
        + f["trap_acid"] * free_acid**2
        + f["trap_lead_poor"] * rich
        + f["trap_fast_mixing"] * fast**2
    )
    halide = f["trap_chloride"] * chloride + f["trap_iodide"] * iodide + f["trap_salt"] * salt
    return np.asarray(base + halide)


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
    heat = _arrhenius(f["exchange_activation"], temperature)
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
    f = p.flow
    units = formula_units(feed, at.temperature, f)
    nucleated = mean_edge(feed, at, units, f)
    width = dispersion(feed, at, units, f)
    scores = ndtri((np.arange(SIZE_CLASSES) + 0.5) / SIZE_CLASSES)
    scores = scores / np.sqrt(np.mean(scores**2))
    growth = _growth(at.growth_time * at.spread, at.temperature, f)
    edge = (nucleated * growth[:, None] * np.exp(width * scores)[None, :]).ravel()
    edge = np.maximum(edge, 2.0)
    time = np.repeat(at.exchange_time * at.spread, SIZE_CLASSES)
    diluted = units * share
    chloride, iodide, kept = _exchange(joined, diluted, edge, time, at.temperature, f)
    covered = coverage(feed, f)
    traps = trap_density(feed, at, covered, chloride, iodide, joined.zinc, f)
    lifetime = optics.radiative_lifetime(edge, chloride, iodide, p.materials)
    mean = optics.mean_traps(edge, traps, p.materials)
    yields = optics.quantum_yield(mean, lifetime, at.temperature, p.materials)
    amount = np.full(edge.size, diluted * kept / edge.size)
    ensemble = optics.Ensemble(
        edge, amount, chloride, iodide, yields, np.full(edge.size, at.temperature)
    )
    dissolved = _dissolved(joined, amount, chloride, iodide)
    spread = float(np.std(edge) / np.mean(edge))
    return Product(ensemble, float(np.mean(edge)), spread, covered, float(amount.sum()), dissolved)


def _exchange(
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
    )
