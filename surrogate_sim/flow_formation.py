"""How dots form from a feed that mixes, converts and cools or heats: full and reduced model.

Mixing lets solute in over the local mixing time, conversion makes monomer of it (first order,
Arrhenius, behind the tube's heating lag), and monomer nucleates and grows. Elements of the fluid
mix at different speeds (log-normal), so that each has its own ramp of supersaturation. Once the
feed is used, ligands cap the dots and only bare sites exchange monomer: what is left is slow
coarsening. The *full* model solves the population balance (`surrogate_sim.population`) of each
element, the *reduced* one follows cohorts along its characteristics; the physics is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from surrogate_sim import _cohort_kernels as kernels
from surrogate_sim import population

Array = NDArray[np.float64]
Model = Literal["full", "reduced"]
MODELS: tuple[Model, ...] = ("full", "reduced")
CLASSES = 4
"""Sizes that stand for the distribution of one element, of equal volume each."""
ELEMENTS = 5
"""Fluid elements of equal share that stand for the spread of mixing times."""
_NODES = np.array([-1.5, 0.0, 1.5])  # standard normal scores of the elements that are solved
_BINS = 72
_SCALE = 1e-3  # the balance counts in thousandths of its units, so that traces cost no steps
_TOLERANCE = 1e-3
_BULK = 30.0  # nm; larger crystals are bulk, which both models follow by cohorts
_SUPPLY = (
    "units", "mixing_time", "mixing_spread", "conversion_time", "conversion_energy", "cold",
    "heating_time",
)  # fmt: skip
_RATES = 8  # of `Rates.packed` that a formation sets; the others keep their defaults
_DEFAULTS = population.Rates().packed()
_BURST = 5  # place of the burst in `Rates.packed`
_TAIL = 6.0  # conversion times after which the surface counts as capped


@dataclass(frozen=True, slots=True)
class Formation:
    """Everything that decides how dots form.

    Attributes:
        units: Formula units that can crystallise [mmol/L].
        mixing_time: Mean over the elements [s].
        mixing_spread: Standard deviation of its logarithm between elements.
        conversion_time: Of solute into monomer at the tube's temperature [s].
        conversion_energy: Activation energy of that over k_B T at the tube's temperature.
        cold: How much colder than the tube the feed comes, over the tube's temperature.
        heating_time: Lag of the liquid behind the tube [s].
        growth: Velocity per excess of monomer [nm/(s mmol/L)].
        solubility: Of a flat face [mmol/L].
        capillary: Capillary length [nm].
        surface_length: Size from which diffusion, below which the surface limits growth [nm].
        burst: Prefactor of nucleation [µmol/(L s)].
        nucleus: Least size of a nucleus [nm].
        bare: Share of the surface that stays open once capped.
        cell: Volume of a formula unit [nm3].
    """

    units: float
    mixing_time: float
    mixing_spread: float
    conversion_time: float
    conversion_energy: float
    cold: float
    heating_time: float
    growth: float
    solubility: float
    capillary: float
    surface_length: float
    burst: float
    nucleus: float
    bare: float
    cell: float

    def rates(self, capped: bool) -> population.Rates:
        """Constants of the balance; classical barrier of a cubic nucleus, alpha^3 / 2v."""
        return population.Rates(
            growth=self.growth * (self.bare if capped else 1.0),
            solubility=self.solubility,
            capillary=self.capillary,
            surface_length=self.surface_length,
            burst=0.0 if capped else self.burst,
            burst_barrier=self.capillary**3 / (2.0 * self.cell),
            nucleus=self.nucleus,
        )


@dataclass(frozen=True)
class Growth:
    """Dots over time.

    Attributes:
        time: Shape (t,), rising [s].
        edge: Shape (e, t, c), sizes of the classes of each element [nm].
        bound: Shape (e, t), formula units in dots [mmol/L].
    """

    time: Array
    edge: Array
    bound: Array

    def at(self, times: Array) -> tuple[Array, Array]:
        """Sizes, shape (k, e, c), and bound units, shape (k, e), at `times` of shape (k,)."""
        x = np.log(np.clip(times, self.time[0], self.time[-1]))
        grid = np.log(self.time)
        place = np.clip(np.searchsorted(grid, x) - 1, 0, len(grid) - 2)
        part = (x - grid[place]) / (grid[place + 1] - grid[place])
        edge = np.moveaxis(self.edge, 1, 0)
        sizes = edge[place] * (1.0 - part[:, None, None]) + edge[place + 1] * part[:, None, None]
        bound = self.bound.T
        return sizes, bound[place] * (1.0 - part[:, None]) + bound[place + 1] * part[:, None]


def form(what: Formation, longest: float, model: Model) -> Growth:
    """Form dots and follow them for `longest` [s].

    Inputs count to five digits, so that a plant that reads its line again and again, while
    flows settle to the last bit, solves the balance once.
    """
    rounded = Formation(*(_rounded(getattr(what, name)) for name in Formation.__slots__))
    if rounded.units <= 0.0:
        return Growth(
            np.array([0.02, 1.0]), np.full((ELEMENTS, 2, CLASSES), 2.0), np.zeros((ELEMENTS, 2))
        )
    grown = _formed(rounded, float(2.0 ** np.ceil(np.log2(max(longest, 1.0)))), model)
    return replace(grown, bound=grown.bound * (what.units / rounded.units))


def _rounded(value: float) -> float:
    return float(f"{value:.4e}")


def form_many(what: Any, times: Array) -> tuple[Array, Array]:
    """Form dots of many recipes at once by the reduced model.

    Args:
        what: A `Formation` whose fields are numbers or columns, shape (r, 1), of r recipes.
        times: Shape (r, t), rising [s].

    Returns:
        Sizes, shape (r, e, t, c) [nm], and bound units, shape (r, e, t) [mmol/L].
    """
    count = len(times)
    table = np.empty((len(Formation.__slots__), count))
    for row, name in zip(table, Formation.__slots__, strict=True):
        row[:] = np.ravel(getattr(what, name))
    of = Formation(*table)
    values = np.array(
        [*(getattr(of, n) for n in _SUPPLY), np.full(count, _TAIL), 1.0 / of.cell]
    ).T.copy()
    bare = np.empty((count, len(_DEFAULTS)))
    bare[:] = _DEFAULTS
    for i, rate in enumerate(of.rates(False).first(_RATES)):
        bare[:, i] = rate
    capped = bare.copy()
    capped[:, 0] *= of.bare
    capped[:, _BURST] = 0.0
    shape = (count, len(_NODES), times.shape[1])
    edges, volume = np.empty((*shape, CLASSES)), np.empty(shape)
    kernels.form_many(values, _NODES, bare, capped, np.ascontiguousarray(times), edges, volume)
    bound = 1e-3 * volume / table[-1][:, None, None]
    weights, between = _weights()
    sizes = np.log(np.where(np.isfinite(edges), edges, 2.0))
    held = np.where(bound > 1e-6, bound, 0.0)
    share = np.einsum("en,rnt->ret", between, held)
    return np.exp(np.einsum("en,rntc->retc", weights, sizes)), share


@lru_cache(maxsize=128)
def _formed(what: Formation, longest: float, model: Model) -> Growth:
    time = np.geomspace(0.02, longest, 28)
    solved = [_element(what, float(z), time, model) for z in _NODES]
    sizes = np.log(np.array([s for s, _ in solved]))
    bound = np.array([b for _, b in solved])
    weights, between = _weights()
    edge = np.exp(np.tensordot(weights, sizes, axes=(1, 0)))
    share = between @ bound
    return Growth(time, edge, share)


@cache
def _weights() -> tuple[Array, Array]:
    """Weights of sizes and of amounts of the solved elements in all, shape (ELEMENTS, 3) each."""
    return _interpolation(_scores()), _between(_scores())


def _scores() -> Array:
    """Standard normal scores of the elements, of unit variance, shape (ELEMENTS,)."""
    scores = ndtri((np.arange(ELEMENTS) + 0.5) / ELEMENTS)
    return np.asarray(scores / np.sqrt(np.mean(scores**2)))


def _interpolation(at: Array) -> Array:
    """Lagrange weights of the nodes, shape (len(at), 3)."""
    a, b, c = _NODES
    return np.stack(
        [
            (at - b) * (at - c) / ((a - b) * (a - c)),
            (at - a) * (at - c) / ((b - a) * (b - c)),
            (at - a) * (at - b) / ((c - a) * (c - b)),
        ],
        axis=1,
    )


def _between(at: Array) -> Array:
    """Linear weights of the nodes, shape (len(at), 3); amounts stay between those solved."""
    return np.stack([np.interp(at, _NODES, unit) for unit in np.eye(len(_NODES))], axis=1)


def _element(what: Formation, score: float, time: Array, model: Model) -> tuple[Array, Array]:
    """Class sizes, shape (t, c), and bound units, shape (t,), of the element of this score."""
    mixing = what.mixing_time * float(np.exp(what.mixing_spread * score))
    feed_time, amount = supply(what, mixing)
    switch = capping_time(what, mixing)
    nothing = np.zeros(0)
    numbers, sizes = _followed(what, (feed_time, amount), switch, time, 0.0, nothing, nothing)
    top = float(sizes[numbers > 1e-9].max()) if np.any(numbers > 1e-9) else 0.0
    if model == "reduced" or not 0.0 < top < _BULK:
        return _classes(numbers, sizes, what.cell)
    return _balanced(what, (feed_time, amount), switch, time, top)


def supply(what: Formation, mixing: float) -> tuple[Array, Array]:
    """Monomer made until each time: rising times [s] and amounts [mmol/L], shape (f,) each.

    Solute enters evenly over `mixing` and converts at first order with a rate that follows the
    liquid's temperature, T - (T - T_in) e^(-t / tau): the exact sum over what entered when, for
    the clock s(t) that runs with the rate.
    """
    warm = what.heating_time if what.cold > 1e-6 else 0.0
    last = 2.0 * _TAIL * what.conversion_time + mixing + 5.0 * warm
    time, made = np.empty(kernels.FEED_POINTS), np.empty(kernels.FEED_POINTS)
    kernels.feed_table(
        mixing,
        what.conversion_time,
        what.conversion_energy,
        what.cold,
        what.heating_time,
        last,
        time,
        made,
    )
    return time, np.asarray(what.units * made)


def capping_time(what: Formation, mixing: float) -> float:
    """Time at which the feed is used and ligands close the surface [s]."""
    warm = 3.0 * what.heating_time if what.cold > 1e-6 else 0.0
    return mixing + _TAIL * what.conversion_time + warm


def _balanced(
    what: Formation, feed: tuple[Array, Array], switch: float, time: Array, top: float
) -> tuple[Array, Array]:
    """Solve the balance while surfaces are open; coarsening under caps is followed by cohorts."""
    feed_time, amount = feed
    middle = 0.5 * (feed_time[1:] + feed_time[:-1])
    knots = np.concatenate([[0.0], middle, feed_time[-1:]])
    rates = np.concatenate([[0.0], np.diff(amount) / np.diff(feed_time), [0.0]])
    rates *= what.units / np.trapezoid(rates, knots)
    switch = min(switch, 0.999 * float(time[-1]))
    for reach in (1.6, 2.6, 5.0):
        roots = np.linspace(np.sqrt(0.8), np.sqrt(max(reach * top, 4.0)), _BINS + 1)
        grid = population.Grid(roots**2, 1.0, what.cell)
        try:
            formed = _open_stage(
                what, grid, (knots, rates), np.append(time[time < switch], switch)
            )
        except population.PopulationError:
            continue
        there = formed[-1] > 1e-6 * formed[-1].max()
        numbers, sizes = _followed(
            what, feed, switch, time, switch, formed[-1][there][::-1], grid.length[there][::-1]
        )
        early = len(formed) - 1
        width = numbers.shape[1]
        numbers[:early], sizes[:early] = 0.0, 1.0
        numbers[:early, : len(grid.length)] = formed[:-1, :width]
        sizes[:early, : len(grid.length)] = grid.length
        return _classes(numbers, sizes, what.cell)
    raise population.PopulationError(
        f"dots outgrow a grid of {5.0 * top:.0f} nm; the feed nucleates too little"
    )


def _followed(
    what: Formation,
    feed: tuple[Array, Array],
    switch: float,
    time: Array,
    begin: float,
    there: Array,
    there_sizes: Array,
) -> tuple[Array, Array]:
    """Cohorts at `time`: numbers [µM] and sizes [nm], shape (t, n) each."""
    room = max(kernels.COHORTS, _BINS if len(there) else 0)
    numbers, sizes = np.zeros((len(time), room)), np.ones((len(time), room))
    kernels.follow(
        time,
        *feed,
        what.rates(False).packed(),
        what.rates(True).packed(),
        switch,
        1.0 / what.cell,
        begin,
        np.ascontiguousarray(there),
        np.ascontiguousarray(there_sizes),
        numbers,
        sizes,
    )
    return numbers, sizes


def _open_stage(
    what: Formation, grid: population.Grid, source: tuple[Array, Array], time: Array
) -> Array:
    """Numbers of dots while the surface is open, at `time`, shape (t, n) [µM]."""
    knots, rates = source[0], source[1] * _SCALE
    empty = population.Stock(np.zeros(len(grid.length)))
    fed = population.Source(knots, rates)
    first = population.solve(grid, _scaled(what.rates(False)), empty, time, fed, _TOLERANCE)
    return np.maximum(first.number, 0.0) / _SCALE


def _scaled(rates: population.Rates) -> population.Rates:
    """The same balance for concentrations that are `_SCALE` times as large."""
    return replace(
        rates,
        growth=rates.growth / _SCALE,
        solubility=rates.solubility * _SCALE,
        burst=rates.burst * _SCALE,
    )


def _classes(number: Array, size: Array, cell: float) -> tuple[Array, Array]:
    """Mean size of each of `CLASSES` equal shares of volume, and units bound [mmol/L].

    Where there are no dots yet, the sizes are those of the first dots.
    """
    edges, volume = np.empty((len(number), CLASSES)), np.empty(len(number))
    kernels.share_out(number, np.ascontiguousarray(size), edges, volume)
    bound = 1e-3 * volume / cell
    known = np.flatnonzero(np.isfinite(edges[:, 0]))
    if len(known) == 0:
        return np.full_like(edges, 2.0), np.zeros_like(bound)
    edges[: known[0]] = edges[known[0]]
    edges[known[-1] + 1 :] = edges[known[-1]]
    return edges, np.where(bound > 1e-6, bound, 0.0)
