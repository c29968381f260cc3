"""Self-assembly of dots in the vessel: stacks first, then face-centred orthorhombic crystals.

Seed 001: at 100 degC stacks appear once dots reach 11.6 nm, their spacing shrinks as ligands
interpenetrate, and crystals form where van der Waals attraction A R / 12 h reaches 2 kT.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_BOLTZMANN = 1.380649e-23
_PER_MICROMOLAR = 6.02214076e-7  # particles per nm3
_WITHIN_ONE = 0.54  # deviation of the part of a Gaussian within one deviation of its mean
_LONGEST = 60.0  # dots in a stack; longer ones give the same peaks


@dataclass(frozen=True)
class Assembly:
    """How the dots are arranged at each time.

    Attributes:
        onset: When stacks begin to form [s]; infinite if they do not.
        crystal_onset: When they begin to combine [s]; infinite if they do not.
        slowed: Shape (t,), time that free dots have had for growth [s]: assembled ones rest.
        assembled: Shape (t,), share of dots in stacks or crystals.
        crystalline: Shape (t,), share of the assembled dots that is in crystals.
        spacing: Shape (t,), centre to centre along the stack [nm]; NaN before the onset.
        stacked: Shape (t,), dots in a stack.
        domain: Coherent size of a crystal [nm].
        disorder: Standard deviation of the spacing [nm]: of the mean of two neighbours' sizes,
            where only dots within one deviation of the mean size fit in.
    """

    onset: float
    crystal_onset: float
    slowed: Array
    assembled: Array
    crystalline: Array
    spacing: Array
    stacked: Array
    domain: float
    disorder: float


def onset_size(number: Array, own: Mapping[str, float]) -> Array:
    """Size from which facets hold dots in stacks, shape of `number` [µM], in [nm].

    Contacts of free energy u form stacks where N v exp(u/kT) = 1. The shells' entropy makes u/kT
    grow in proportion to size at any temperature (assumed, because seed 001 sees no stacks of
    8.1 nm dots at 25 degC); the observed 11.6 nm at 100 degC is the anchor.
    """
    volume = own["contact_volume"] * _PER_MICROMOLAR
    reference = math.log(1.0 / (volume * own["assembly_number"]))
    entropy = np.log(1.0 / np.minimum(volume * np.maximum(number, 1e-12), 0.5))
    return np.asarray(own["assembly_size"] * entropy / reference)


def attraction_gap(size: float, temperature: float, own: Mapping[str, float]) -> float:
    """Surface gap h [nm] at which A R / 12 h is 2 kT for dots of `size` [nm]."""
    return own["hamaker"] * size / (48.0 * _BOLTZMANN * temperature)


def assemble(
    time: Array, size: Array, deviation: Array, number: Array, temperature: float,
    own: Mapping[str, float],
) -> Assembly:  # fmt: skip
    """Find when and how dots assemble.

    Args:
        time: Shape (t,), rising [s].
        size: Shape (t,), mean size that free dots would have [nm].
        deviation: Shape (t,), of the size [nm].
        number: Shape (t,) [µM].
        temperature: [K]
        own: Constants of the twin.
    """
    none = np.zeros_like(time)
    ready = np.nan_to_num(size) >= onset_size(number, own)
    if not ready.any():
        return Assembly(
            math.inf, math.inf, time, none, none, np.full_like(time, np.nan), none + 1.0, 0.0, 0.0
        )
    at = int(np.argmax(ready))
    onset = float(time[at])
    since = np.maximum(time - onset, 0.0)
    joining = own["assembly_time"]
    assembled = -np.expm1(-since / joining)
    slowed = np.minimum(time, onset) + joining * assembled
    grown = float(np.interp(onset + joining, time, size))
    spread = float(np.interp(onset + joining, time, deviation))
    gap = own["closed_gap"] + (own["stack_gap"] - own["closed_gap"]) * np.exp(
        -since / own["compression_time"]
    )
    core = np.interp(slowed, time, size)
    spacing = np.where(time >= onset, core + gap, np.nan)
    later = _crystal_onset(onset, grown, temperature, own)
    crystalline = -np.expm1(-np.maximum(time - later, 0.0) / own["crystal_time"])
    disorder = _WITHIN_ONE * spread / math.sqrt(2.0)
    final = grown + own["closed_gap"]
    domain = final * (own["paracrystal"] * final / max(disorder, 0.05)) ** 2
    stacked = np.minimum(2.0 + own["stack_rate"] * since, _LONGEST)
    return Assembly(
        onset, later, slowed, assembled, crystalline, spacing, stacked, domain, disorder
    )


def _crystal_onset(
    onset: float, size: float, temperature: float, own: Mapping[str, float]
) -> float:
    """When the shrinking gap lets van der Waals attraction reach 2 kT [s]."""
    needed = attraction_gap(size, temperature, own)
    open_gap, closed = own["stack_gap"], own["closed_gap"]
    if needed <= closed:
        return math.inf
    part = min((needed - closed) / (open_gap - closed), 1.0)
    return onset - own["compression_time"] * math.log(part)
