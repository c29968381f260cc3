"""Population balance of growing particles: nucleation, growth, ripening, coalescence, reservoirs.

    dn/dt + d(G n)/dL = J delta(L - L_n) + coalescence
    G = g (M - M_eq e^(alpha/L)) / (1 + L/L_s)
    dA/dt = k_p P - k_rel A (1 - M/M_A) - f_n J_A       agglomerate reservoir
    dM/dt = source + k_rel A (1 - M/M_A) - uptake - f_n J

(physics specification 2.5.) Finite volumes with van Leer's limiter for growth, fixed pivots for
coalescence, LSODA for time. Lengths [nm], times [s], numbers of particles [µM], formula units in
solution [mM]. Any twin may use it: it knows rates and grids, no chemistry.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from functools import cached_property
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.special import gammainc

from surrogate_sim import _population_kernels as kernels

Array = NDArray[np.float64]
FORMULA_PER_NM3 = 0.602214076
"""Formula units per nm3 that 1 mol/L holds (exact)."""
_ABSOLUTE = (1e-9, 1e-11)  # µM per bin, mM of a reservoir
_TOP_SHARE = 1e-3  # of all volume; more in the top two bins means that the grid is too short


class PopulationError(ValueError):
    """A balance that cannot be set up or solved: rule, what came, remedy."""


@dataclass(frozen=True)
class Grid:
    """Bins of size.

    Attributes:
        edges: Shape (n + 1,), rising [nm].
        shape: Volume over the cube of the size: 1 cube, 0.619 rhombicuboctahedron, pi/6 sphere.
        formula_volume: Volume of a formula unit [nm3].

    Raises:
        PopulationError: edges that do not rise from above zero, or fewer than four bins.
    """

    edges: Array
    shape: float
    formula_volume: float

    def __post_init__(self) -> None:
        edges = np.asarray(self.edges, float)
        if len(edges) < 5 or edges[0] <= 0.0 or np.any(np.diff(edges) <= 0.0):
            raise PopulationError(
                "a grid needs at least five edges that rise from above 0 nm, but got "
                f"{len(edges)} from {edges[:1]} to {edges[-1:]}; give rising edges"
            )

    @cached_property
    def length(self) -> Array:
        """Middle of each bin, shape (n,) [nm]."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])

    @cached_property
    def volume(self) -> Array:
        """Formula units that a particle of each bin holds, shape (n,)."""
        return np.asarray(self.shape * self.length**3 / self.formula_volume)

    @cached_property
    def pivots(self) -> tuple[NDArray[np.int64], Array]:
        """Tables of `coalesce`: lower bin of each product and the part that goes there."""
        count = len(self.length)
        target, lower = np.empty((count, count), dtype=np.int64), np.zeros((count, count))
        kernels.pivots(self.volume, target, lower)
        return target, lower


def geometric_grid(
    low: float, high: float, bins: int, shape: float, formula_volume: float
) -> Grid:
    """Return bins whose widths rise in proportion to size, `low` to `high` [nm]."""
    return Grid(np.geomspace(low, high, bins + 1), shape, formula_volume)


def uniform_grid(low: float, high: float, bins: int, shape: float, formula_volume: float) -> Grid:
    """Return bins of equal width, `low` to `high` [nm]."""
    return Grid(np.linspace(low, high, bins + 1), shape, formula_volume)


@dataclass(frozen=True)
class Rates:
    """Constants of the balance; the defaults switch a process off.

    Attributes:
        growth: g, velocity per excess of monomer over solubility [nm/(s mM)].
        solubility: M_eq of a flat face [mM].
        capillary: Capillary length alpha = 4 gamma V_m / RT [nm].
        surface_length: L_s = 2 D / k_s [nm]: far above the size the face limits growth, far
            below it diffusion does.
        coalescence: K0 [1/(µM s)].
        burst: Prefactor A_n of nucleation from monomer [µM/s].
        burst_barrier: B in J = A_n exp(-B / ln^2 S).
        nucleus: Size of a nucleus [nm].
        nucleus_excess: A nucleus from monomer is at least this multiple of the critical size.
        conversion: k_n of nucleation from agglomerates [µM/(s mM^p)].
        conversion_order: p.
        ripening: Time after which agglomerates are able to convert [s]; 0 at once.
        release: k_rel of monomer from agglomerates [1/s].
        agglomerate_solubility: M_A, monomer beside agglomerates [mM]; 0: they do not form.
        precursor: k_p of precursor into solute [1/s].
        coalescence_size: L_c above which ligands prevent coalescence [nm].
        coalescence_width: Width of that limit [nm].
        conversion_spread: Standard deviation over mean of the volume of nuclei from agglomerates.
    """

    growth: float = 0.0
    solubility: float = 1e-6
    capillary: float = 0.0
    surface_length: float = 1e9
    coalescence: float = 0.0
    burst: float = 0.0
    burst_barrier: float = 0.0
    nucleus: float = 1.0
    nucleus_excess: float = 1.2
    conversion: float = 0.0
    conversion_order: float = 2.0
    ripening: float = 0.0
    release: float = 0.0
    agglomerate_solubility: float = 0.0
    precursor: float = 0.0
    coalescence_size: float = 1e9
    coalescence_width: float = 1.0
    conversion_spread: float = 0.0

    def packed(self) -> Array:
        """Constants in the order that the compiled right-hand side expects."""
        return np.array(_PACKED(self), dtype=np.float64)

    def first(self, count: int) -> tuple[Any, ...]:
        """Return the first `count` constants as they are, columns included."""
        return _PACKED(self)[:count]

    def share(self, length: Array) -> Array:
        """Factor s of the coalescence kernel K0 s(L1) s(L2), shape of `length` [nm]."""
        exponent = (length - self.coalescence_size) / self.coalescence_width
        return np.asarray(1.0 / (1.0 + np.exp(np.clip(exponent, -60.0, 60.0))))

    def nuclei(self, grid: Grid) -> Array:
        """Share of the nuclei from agglomerates in each bin, shape (n,).

        Volumes follow a gamma distribution about that of the nucleus: the sum of a chance number
        of parts of unequal size has about that shape. Without spread two bins share them.
        """
        if self.conversion_spread <= 0.0:
            out = np.zeros_like(grid.length)
            kernels.add_nuclei(1.0, self.nucleus, grid.length, grid.volume, out)
            return out
        order = self.conversion_spread**-2
        below = gammainc(order, order * (grid.edges / self.nucleus) ** 3)
        share = np.diff(below)
        return np.asarray(share / share.sum())


_PACKED = attrgetter(*(f.name for f in fields(Rates)[:15]))


@dataclass(frozen=True)
class Source:
    """Monomer fed from outside over time, piecewise linear, none before and after.

    Attributes:
        times: Shape (k,), rising [s].
        rates: Shape (k,) [mM/s].
    """

    times: Array = field(default_factory=lambda: np.zeros(2))
    rates: Array = field(default_factory=lambda: np.zeros(2))

    def amount(self, time: Array | float) -> Array:
        """What has been fed by `time` [mM], exactly; shape of `time` [s]."""
        times, rates = np.asarray(self.times, float), np.asarray(self.rates, float)
        at = np.asarray(time, float)
        made = [kernels.amount_fed(t, times, rates) for t in at.ravel()]
        return np.asarray(made).reshape(at.shape)


@dataclass(frozen=True)
class Stock:
    """What is there at the start: bins [µM], monomer, agglomerates, precursor [mM]."""

    number: Array
    monomer: float = 0.0
    agglomerate: float = 0.0
    precursor: float = 0.0


@dataclass(frozen=True)
class Course:
    """The solution at the times asked for.

    Attributes:
        grid: The bins.
        time: Shape (t,) [s].
        number: Shape (t, n), particles per bin [µM].
        monomer: Shape (t,) [mM].
        agglomerate: Shape (t,), formula units in agglomerates [mM].
        precursor: Shape (t,) [mM].
    """

    grid: Grid
    time: Array
    number: Array
    monomer: Array
    agglomerate: Array
    precursor: Array

    @property
    def total(self) -> Array:
        """Number of particles, shape (t,) [µM]."""
        return np.asarray(self.number.sum(axis=1))

    @property
    def bound(self) -> Array:
        """Formula units in particles, shape (t,) [mM]."""
        return np.asarray(self.number @ self.grid.volume * 1e-3)

    def moment(self, order: float) -> Array:
        """Mean of the size to the power `order`, shape (t,); NaN without particles."""
        total = self.total
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = self.number @ self.grid.length**order / total
        return np.where(total > 1e-9, mean, np.nan)

    @property
    def mean(self) -> Array:
        """Mean size by number, shape (t,) [nm]."""
        return self.moment(1.0)

    @property
    def deviation(self) -> Array:
        """Standard deviation of the size by number, shape (t,) [nm]."""
        return np.asarray(np.sqrt(np.maximum(self.moment(2.0) - self.moment(1.0) ** 2, 0.0)))


def solve(
    grid: Grid,
    rates: Rates,
    stock: Stock,
    times: Array,
    source: Source | None = None,
    tolerance: float = 1e-6,
) -> Course:
    """Integrate the balance and return it at `times`.

    Args:
        grid: The bins.
        rates: Constants.
        stock: What is there at time 0.
        times: Shape (t,), rising, from 0 on [s].
        source: Monomer fed from outside.
        tolerance: Relative, of the time integration.

    Raises:
        PopulationError: stock that does not fit the grid, times that do not rise, a solver that
            gives up, or particles that outgrow the grid.
    """
    times = np.asarray(times, float)
    start = _start(grid, stock)
    if len(times) == 0 or times[0] < 0.0 or np.any(np.diff(times) <= 0.0):
        raise PopulationError("times must rise from 0 s on; sort them and drop repeats")
    fed = source or Source()
    target, lower = grid.pivots
    share, nuclei = rates.share(grid.length), rates.nuclei(grid)
    shared = (grid.edges, grid.length, grid.volume, share, target, lower, nuclei)
    constants = (rates.packed(), fed.times.astype(float), fed.rates.astype(float))
    count = len(grid.length)
    if times[-1] == 0.0:
        states = start[None, :]
    else:
        found = solve_ivp(
            lambda t, y: kernels.derivative(t, y, *shared, *constants),
            (0.0, float(times[-1])),
            start,
            method="LSODA",
            t_eval=times,
            rtol=tolerance,
            atol=np.append(np.full(count, _ABSOLUTE[0]), np.full(3, _ABSOLUTE[1])),
            max_step=_largest_step(fed),
        )
        if not found.success:
            raise PopulationError(f"the balance could not be integrated: {found.message}")
        states = found.y.T.copy()
        states[:, count] += fed.amount(times)
    number = states[:, :count]
    course = Course(grid, times, number, *states[:, count:].T)
    _check_top(course)
    return course


def _start(grid: Grid, stock: Stock) -> Array:
    number = np.asarray(stock.number, float)
    if number.shape != grid.length.shape or np.any(number < 0.0):
        raise PopulationError(
            f"a stock needs {len(grid.length)} numbers of at least 0 µM, one for each bin, but "
            f"got shape {number.shape}; take the grid's bins"
        )
    return np.concatenate([number, [stock.monomer, stock.agglomerate, stock.precursor]])


def _largest_step(source: Source) -> float:
    """A step that cannot jump over the feed [s]."""
    length = float(source.times[-1] - source.times[0])
    return length / 4.0 if length > 0.0 else math.inf


def _check_top(course: Course) -> None:
    volume = course.number * course.grid.volume
    share = float(volume[:, -2:].sum(axis=1).max() / max(float(volume.sum(axis=1).max()), 1e-9))
    if share > _TOP_SHARE:
        raise PopulationError(
            f"at most {_TOP_SHARE:g} of the volume may stand in the top two bins, but {share:.2g} "
            f"does; give a grid beyond {course.grid.edges[-1]:.1f} nm"
        )
