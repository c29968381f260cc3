"""Exchange of an ensemble in a closed cuvette: mean field over size classes, halide conserved.

Each class follows the mean of `exchange_kinetics`' events, with the backward reaction that its
equilibrium asks for: the net driving force is (1 - y) - y [Br] / (K_ex [I]). What the
nanocrystals take up leaves the solution, so iodide in solution follows from conservation, and
the final composition from iodide per bromide alone. Adsorbed iodide also etches
crystals as far as they are iodide already (seed 003: 622 to 615 nm in 280 s, after exchange);
what dissolves joins the solution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from surrogate_sim.exchange_kinetics import coverage, rates, resistance

Array = NDArray[np.float64]
Constants = Mapping[str, float]
_LEAST_EDGE = 1.2
"""Two unit cells [nm]: what is smaller has dissolved."""
_LAST_LAYER = 0.2
"""Over this length [nm] etching comes to its end, so that the integrator meets no corner."""
_TRACE = 1e-9
"""Least iodide in solution that a rate is computed for [umol/L]."""


@dataclass(frozen=True)
class Cuvette:
    """Contents of a cuvette. Amounts in nmol, volume in mL, so their ratio is umol/L.

    Attributes:
        volume: Of the liquid [mL].
        first_edge: Shape (n,), edges at the start [nm].
        first_units: Shape (n,), formula units at the start [nmol].
        edge: Shape (n,), bromide edges now [nm].
        shell: Shape (n,), iodide fraction of the shells.
        core: Shape (n,), iodide fraction of the cores.
        iodide: All iodide in the cuvette [nmol].
    """

    volume: float
    first_edge: Array
    first_units: Array
    edge: Array
    shell: Array
    core: Array
    iodide: float

    @classmethod
    def filled(cls, edge: Array, units: Array, volume: float) -> Cuvette:
        """Return a cuvette with bromide nanocrystals and no iodide."""
        none = np.zeros_like(edge)
        return cls(volume, edge, units, edge, none, none, 0.0)

    def units(self) -> Array:
        """Formula units left in each class, shape (n,) [nmol]."""
        return np.asarray(self.first_units * (self.edge / self.first_edge) ** 3)

    def composition(self, own: Constants) -> Array:
        """Mean iodide fraction of each class, shape (n,)."""
        return mixed(self.edge, self.shell, self.core, own)

    def balance(self, own: Constants) -> dict[str, tuple[float, float]]:
        """Return (in crystals, in solution) of each element [nmol]."""
        units, first = self.units(), float(self.first_units.sum())
        held = float(3.0 * (units * self.composition(own)).sum())
        crystal = float(units.sum())
        bromide = 3.0 * crystal - held
        return {
            "caesium": (crystal, first - crystal),
            "lead": (crystal, first - crystal),
            "bromide": (bromide, 3.0 * first - bromide),
            "iodide": (held, self.iodide - held),
        }

    def with_iodide(self, volume: float, concentration: float) -> Cuvette:
        """Return it after adding TMSI: `volume` [mL] at `concentration` [umol/L]."""
        return replace(
            self, volume=self.volume + volume, iodide=self.iodide + volume * concentration
        )


def mixed(edge: Array, shell: Array, core: Array, own: Constants) -> Array:
    """Mean iodide fraction of crystals of shell and core."""
    inner = np.maximum(edge - 2.0 * own["shell_depth"], 0.0)
    share = (inner / edge) ** 3
    return np.asarray((1.0 - share) * shell + share * core)


@dataclass(frozen=True)
class Course:
    """A cuvette over time.

    Attributes:
        edge: Shape (t, n) [nm].
        iodide: Shape (t, n), mean iodide fraction.
        amount: Shape (t, n), formula units [umol/L].
        final: The cuvette at the last time.
    """

    edge: Array
    iodide: Array
    amount: Array
    final: Cuvette


def advance(cuvette: Cuvette, times: Array, own: Constants) -> Course:
    """Follow the cuvette from time 0 to the last of `times`, shape (t,), rising, from 0 up [s].

    Raises:
        ArithmeticError: the integration failed.
    """
    n = len(cuvette.edge)

    def slope(_: float, state: Array) -> Array:
        return _slope(state.reshape(3, n), cuvette, own).ravel()

    start = np.concatenate([cuvette.shell, cuvette.core, cuvette.edge])
    end = float(times[-1])
    if end <= 0.0:
        states = np.repeat(start[:, None], len(times), axis=1)
    else:
        solution = solve_ivp(slope, (0.0, end), start, "LSODA", t_eval=times, rtol=1e-6, atol=1e-8)
        if not solution.success:
            raise ArithmeticError(f"the cuvette must integrate, but: {solution.message}")
        states = solution.y
    shell, core = np.clip(states[:n], 0.0, 1.0), np.clip(states[n : 2 * n], 0.0, 1.0)
    edge = states[2 * n :]
    units = cuvette.first_units[:, None] * (edge / cuvette.first_edge[:, None]) ** 3
    iodide = mixed(edge, shell, core, own)
    final = replace(cuvette, edge=edge[:, -1], shell=shell[:, -1], core=core[:, -1])
    return Course(edge.T, iodide.T, units.T / cuvette.volume, final)


def _slope(state: Array, cuvette: Cuvette, own: Constants) -> Array:
    """Change of shell, core and edge, shape (3, n) [1/s, 1/s, nm/s]."""
    shell, core = np.clip(state[0], 0.0, 1.0), np.clip(state[1], 0.0, 1.0)
    edge = np.maximum(state[2], _LEAST_EDGE)
    units = cuvette.first_units * (edge / cuvette.first_edge) ** 3
    held = float(3.0 * (units * mixed(edge, shell, core, own)).sum())
    free = max((cuvette.iodide - held) / cuvette.volume, _TRACE)
    bromide = max((3.0 * float(cuvette.first_units.sum() - units.sum()) + held), 0.0)
    pace = rates(edge, free, own)
    back = shell * bromide / cuvette.volume / (own["exchange_constant"] * free)
    exchange = (1.0 - shell - back) / resistance(shell, pace)
    left = -np.expm1(-(edge - _LEAST_EDGE) / _LAST_LAYER)
    etching = -own["etch_rate"] * float(coverage(free, own)) * shell * left
    return np.stack([exchange, (shell - core) / pace.core_time, etching])
