"""Kinetics of bromide to iodide exchange in single nanocrystals (Zhang et al., seed 003).

A nanocrystal is a shell, `shell_depth` thick, and a core. Iodide enters the shell in coarse
events i of N with the mean waiting time

    t_i = [exp(-d (i/N)^2) / (k s(c) (L_0/L)^n) + tau_D] / (N (1 - i/N)),
    s(c) = c / (1 + K c),  d(L) = d_0 exp(l (1/L_0 - 1/L)),  tau_D = L^2 / (4 pi^2 D).

Cooperativity exp(d (i/N)^2) is the paper's dG_i = dG_0 - delta i^2 with d = delta N^2 / kT; the
Langmuir supply, the diffusion in series with it and d growing with size are those of the physics
specification 3.4. d grows with the bulk's share in a crystal, as melting and miscibility of small
crystals do (close to exponential in 1/L: Zhang, Li and Jiang 2000, J. Phys. D 33, 2653), not as a
power without end. Two terms are added: the driving force (1 - i/N), since only bromide that is
left can be exchanged, and n instead of 1, since the first iodide must also nucleate against
strain (Discussion of seed 003). The core follows the shell by slow interdiffusion: the
bromide-rich core of seed 003's reference 43.

Edges [nm] are those of the bromide, times [s], concentrations [umol/L], diffusivities [nm^2/s].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Constants = Mapping[str, float]


@dataclass(frozen=True)
class Rates:
    """What sets the pace of each nanocrystal, all of shape (n,).

    Attributes:
        supply: Rate of surface exchange without cooperativity [1/s].
        cooperativity: d, natural logarithm of the gain in rate at full exchange.
        diffusion: Resistance of diffusion inside the crystal [s].
        core: Share of the volume in the core.
        core_time: Relaxation time of the core [s].
    """

    supply: Array
    cooperativity: Array
    diffusion: Array
    core: Array
    core_time: Array


def langmuir(concentration: ArrayLike, own: Constants) -> Array:
    """Adsorbed iodide at the surface as a concentration: c / (1 + K c) [umol/L]."""
    c = np.asarray(concentration, float)
    return np.asarray(c / (1.0 + own["adsorption_constant"] * c))


def coverage(concentration: ArrayLike, own: Constants) -> Array:
    """Share of the surface that iodide covers, K c / (1 + K c)."""
    return np.asarray(own["adsorption_constant"] * langmuir(concentration, own))


def rates(edge: ArrayLike, concentration: ArrayLike, own: Constants) -> Rates:
    """Return the pace of nanocrystals of the given edges, shape (n,), at a concentration.

    Raises:
        ValueError: an edge that is not positive or a negative concentration.
    """
    length, c = np.asarray(edge, float), np.asarray(concentration, float)
    if np.any(length <= 0.0) or np.any(c < 0.0):
        raise ValueError(
            "exchange needs positive edges [nm] and a concentration of at least 0 umol/L, but "
            f"got {edge!r} and {concentration!r}; correct the recipe"
        )
    ratio = length / own["reference_edge"]
    inner = np.maximum(length - 2.0 * own["shell_depth"], 0.0)
    depth = own["cooperativity_length"]
    return Rates(
        supply=langmuir(c, own) / own["supply_time"] * ratio ** -own["supply_size_exponent"],
        cooperativity=own["cooperativity"]
        * np.exp(depth / own["reference_edge"] - depth / length),
        diffusion=length**2 / (4.0 * np.pi**2 * own["exchange_diffusivity"]),
        core=(inner / length) ** 3,
        core_time=np.maximum(inner**2 / (4.0 * np.pi**2 * own["core_diffusivity"]), 1.0),
    )


def resistance(shell: ArrayLike, pace: Rates) -> Array:
    """Time per unit of driving force [s] at shell composition `shell`: reaction and diffusion."""
    found: Array = np.asarray(-pace.cooperativity * np.asarray(shell, float) ** 2)
    with np.errstate(divide="ignore"):  # in place: arrays of a million numbers pass here
        np.exp(found, out=found)
        found /= pace.supply
    found += pace.diffusion
    return found


def event_times(
    edge: ArrayLike,
    concentration: float,
    own: Constants,
    generator: np.random.Generator | None = None,
) -> Array:
    """Return when each nanocrystal has made 0, 1, ... N events, shape (n, N + 1) [s].

    One reaction channel, so Gillespie's direct method is a cumulative sum of exponential
    waiting times; without a generator these are replaced by their means.
    """
    events = round(own["events"])
    shell = np.arange(events) / events
    pace = rates(np.atleast_1d(np.asarray(edge, float))[:, None], concentration, own)
    waits = resistance(shell[None, :], pace)
    waits /= events * (1.0 - shell)
    if generator is not None:
        waits *= generator.standard_exponential(waits.shape)
    times = np.empty((waits.shape[0], events + 1))
    times[:, 0] = 0.0
    np.cumsum(waits, axis=1, out=times[:, 1:])
    return times


def shell_composition(times: Array, events: Array) -> Array:
    """Iodide fraction of the shell at `times`, shape (t,): shape (n, t) from `event_times`."""
    grid = np.linspace(0.0, 1.0, events.shape[1])
    return np.stack([np.interp(times, row, grid) for row in events])


def core_composition(times: Array, shell: Array, core_time: Array) -> Array:
    """Iodide fraction of the core, shape (n, t), which relaxes to the shell's.

    Exact for a shell that holds its mean value between two times.

    Args:
        times: Shape (t,) [s], increasing.
        shell: Shape (n, t).
        core_time: Shape (n,) or (n, 1) [s].
    """
    core = np.zeros_like(shell)
    relaxation = -np.diff(times)[None, :] / np.reshape(core_time, (-1, 1))
    gain = -np.expm1(relaxation)
    middle = 0.5 * (shell[:, 1:] + shell[:, :-1])
    for i in range(gain.shape[1]):
        core[:, i + 1] = core[:, i] + gain[:, i] * (middle[:, i] - core[:, i])
    return core


def mean_field_time(edge: float, concentration: float, shell: float, own: Constants) -> float:
    """Time [s] at which the mean shell composition reaches `shell`, by quadrature."""
    grid = np.linspace(0.0, shell, 2001)
    pace = rates(np.array([edge]), concentration, own)
    return float(np.trapezoid(resistance(grid, pace) / (1.0 - grid), grid))


def arrival(times: Array, dead_time: float, ramp: float, concentration: float) -> Array:
    """Concentration at the field of view [umol/L], shape (t,): a linear ramp after a dead time."""
    share = np.clip((times - dead_time) / max(ramp, 1e-9), 0.0, 1.0)
    return np.asarray(concentration * share)


def operational_time(
    times: Array, dead_time: float, ramp: float, concentration: float, own: Constants
) -> Array:
    """Time at full supply [s] that the arriving front is worth, shape (t,).

    Reaction runs in proportion to the Langmuir supply, so an arrival that takes a while is a
    change of the time variable; diffusion is faster than any incubation and is left out of it.
    """
    fine = np.linspace(0.0, dead_time + ramp, 401)
    supply = langmuir(arrival(fine, dead_time, ramp, concentration), own)
    full = float(langmuir(concentration, own))
    worth = np.concatenate([[0.0], np.cumsum(0.5 * (supply[1:] + supply[:-1]) * np.diff(fine))])
    return np.asarray(np.interp(times, fine, worth / full) + np.maximum(times - fine[-1], 0.0))
