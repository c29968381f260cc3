"""Many recipes of the flow line at once by the reduced model, for planners' inner loops.

The dots are those of `flow.product`; light is taken as the mean energy and the width of the
mixture of lines, without spectrum, cell or detector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate_sim import flow, flow_formation, hydrodynamics, optics
from surrogate_sim.flow import Composition, Conditions, Product
from surrogate_sim.flow_formation import CLASSES
from surrogate_sim.materials import HC, ROOM, emission_energy, lattice, stokes_shift
from surrogate_sim.parameters import FlowParameters, nominal

Array = NDArray[np.float64]
_FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))


@dataclass(frozen=True, slots=True)
class Passage:
    """A feed, the liquid that it makes with a salt stream, its share of that, and its way."""

    feed: Composition
    joined: Composition
    share: float
    at: Conditions


@dataclass(frozen=True)
class Batch:
    """What comes of the passages, shape (r,) each; NaN of dots where there are none.

    Attributes:
        edge: Mean edge by number [nm].
        dispersion: Relative standard deviation of the edge.
        units: Formula units in dots [mmol/L].
        energy: Mean photon energy of the emission [eV].
        width: FWHM of a normal line of the emission's variance [eV].
        quantum_yield: Of all dots together.
    """

    edge: Array
    dispersion: Array
    units: Array
    energy: Array
    width: Array
    quantum_yield: Array


def evaluate(passages: Sequence[Passage], parameters: FlowParameters | None = None) -> Batch:
    """Evaluate passages at once; their residence times must have the same number of shares."""
    p = parameters or nominal()
    growth = np.array([x.at.growth_time for x in passages])
    spread = np.array([x.at.spread for x in passages])
    times = np.sort(growth[:, None] * spread, axis=1)
    hot = np.array([x.at.octadecene for x in passages])
    edges = np.empty((len(passages), flow_formation.ELEMENTS, times.shape[1], CLASSES))
    bound = np.empty(edges.shape[:3])
    for those in (np.flatnonzero(~hot), np.flatnonzero(hot)):
        if len(those) == 0:
            continue
        chosen = [passages[int(i)] for i in those]
        what = flow.formation(flow.stacked([x.feed for x in chosen]), _columns(chosen), p)
        edges[those], bound[those] = flow_formation.form_many(what, times[those])
    size = np.moveaxis(edges, 1, 2)
    count = int(np.prod(size.shape[1:]))
    share = np.array([x.share for x in passages])[:, None, None, None]
    amount = np.repeat(np.moveaxis(bound, 1, 2)[..., None], size.shape[3], axis=3) * share / count
    return _light(passages, size.reshape(-1, count), amount.reshape(-1, count), p)


def _light(passages: Sequence[Passage], edge: Array, amount: Array, p: FlowParameters) -> Batch:
    """Exchange, cap and light of all classes, shape (r, n) each."""
    c = p.materials
    chloride, iodide = np.zeros_like(edge), np.zeros_like(edge)
    for i, x in enumerate(passages):
        if x.at.exchange_time > 0.0:
            time = np.repeat(x.at.exchange_time * x.at.spread, edge.shape[1] // x.at.spread.size)
            units = float(amount[i].sum())
            chloride[i], iodide[i], kept = flow.exchange(
                x.joined, units, edge[i], time, x.at.at_probe, p.flow
            )
            amount[i] *= kept
    heat = np.array([x.at.at_probe for x in passages])[:, None]
    traps = _traps(passages, heat, chloride, iodide, p.flow)
    lifetime = optics.radiative_lifetime(edge, chloride, iodide, c)
    lifetime = lifetime / (1.0 + optics.quench(heat, c))
    yields = optics.quantum_yield(optics.mean_traps(edge, traps, c), lifetime, heat, c)
    energy = emission_energy(edge, chloride, iodide, heat, c)
    taken = amount * lattice(chloride, iodide, c) ** 3
    exciton = energy + stokes_shift(edge, c)
    taken *= optics.absorption_coefficient(HC / 365.0, exciton, c)
    with np.errstate(divide="ignore", invalid="ignore"):
        light = taken * yields
        light_of = light / light.sum(axis=1, keepdims=True)
        mean = (light_of * energy).sum(axis=1)
        single = optics.linewidth(edge, chloride, iodide, heat, c) / _FWHM
        variance = (light_of * ((energy - mean[:, None]) ** 2 + single**2)).sum(axis=1)
        number = amount / edge**3
        number /= number.sum(axis=1, keepdims=True)
        size = (number * edge).sum(axis=1)
        spread = np.sqrt(np.maximum((number * edge**2).sum(axis=1) - size**2, 0.0)) / size
        quantum_yield = light.sum(axis=1) / taken.sum(axis=1)
    return Batch(size, spread, amount.sum(axis=1), mean, _FWHM * np.sqrt(variance), quantum_yield)


def _traps(
    passages: Sequence[Passage], heat: Array, chloride: Array, iodide: Array, f: flow.Constants
) -> Array:
    """Surface traps of all classes, shape (r, n) [1/nm2]; columns go through the chemistry."""
    feed = flow.stacked([x.feed for x in passages])
    at = _columns(passages)
    salt: Any = np.array([x.joined.zinc for x in passages])[:, None]
    covered = flow.coverage(feed, heat, f)  # type: ignore[arg-type]
    return flow.trap_density(feed, at, covered, chloride, iodide, salt, f)


def _columns(passages: Sequence[Passage]) -> Any:
    """Conditions whose fields are columns, shape (r, 1); the solvent is the first one's."""
    rows = [
        (x.at.mixing_time, x.at.growth_time, x.at.temperature, x.at.mixing_spread, x.at.entry)
        for x in passages
    ]
    mixing, growth, warm, uneven, entry = np.array(rows).T[..., None]
    return Conditions(
        mixing, growth, 0.0, np.ones(1), warm, uneven, entry, None, passages[0].at.octadecene
    )


def one(passage: Passage, parameters: FlowParameters | None = None) -> tuple[Product, float]:
    """Evaluate a single passage the way that the plant does, with its history and its spectrum.

    Returns:
        The product and the energy at which its emission is strongest, filtered by itself [eV].
    """
    p = parameters or nominal()
    made = flow.product(passage.feed, passage.joined, passage.share, passage.at, p)
    energy = np.linspace(1.2, 3.6, 601)
    shape = optics.emission_shape(made.ensemble, energy, HC / 365.0, p.materials)
    dark = optics.absorbance(made.ensemble, energy, 0.1, p.materials)
    seen = shape * optics.escape(float(np.interp(HC / 365.0, energy, dark)), dark)
    return made, float(energy[int(seen.argmax())])


def example(count: int, seed: int = 0) -> list[Passage]:
    """Passages of gas-segmented toluene, drawn over the station's range."""
    draw = np.random.default_rng(seed)
    f = nominal().flow
    pair = hydrodynamics.FLUID_PAIRS["gas"]
    found = []
    for _ in range(count):
        lead = float(np.exp(draw.uniform(np.log(2.0), np.log(16.0))))
        velocity = float(np.exp(draw.uniform(np.log(12.0), np.log(100.0))))
        feed = Composition(
            lead=lead,
            caesium=lead * draw.uniform(0.3, 1.2),
            bromide=lead * draw.uniform(3.0, 7.0),
            acid=draw.uniform(0.018, 0.067),
            amine=draw.uniform(0.01, 0.08),
        )
        mixing = hydrodynamics.mixing_time(pair, velocity, 0.4, kappa=f["song_kappa"])
        at = Conditions(
            mixing_time=mixing,
            growth_time=1000.0 / velocity,
            exchange_time=0.0,
            spread=hydrodynamics.residence_quantiles(pair, velocity, 0.4, 1000.0),
            temperature=ROOM,
            mixing_spread=flow.mixing_spread(mixing, True, f),
        )
        found.append(Passage(feed, feed, 1.0, at))
    return found
