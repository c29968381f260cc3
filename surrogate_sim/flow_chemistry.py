"""Chemistry of the flow line's feed: contents, what crystallises, what caps and what holds faces.

Every law takes a composition of numbers, or one of columns (`stacked`), which go through it at a
time. Concentrations [mM], ligand contents as volume fractions, temperatures [K], times [s].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

import numpy as np
from scipy.special import expit

from surrogate_sim.materials import BOLTZMANN, ROOM

Constants = Mapping[str, float]
KELVIN = 273.15
ACID_MOLAR = 3.17
"""Neat oleic acid (physics specification 3.3) [mol/L]."""
LEAST = 1e-6
_PAIRS = 0.1
"""Ligand pairs that the opening temperature is stated for [mol/L]; the reference feed's."""
_HOT = 433.15
"""Temperature that the conversion time in octadecene is stated for [K]."""


@dataclass(frozen=True, slots=True)
class Composition:
    """Contents of a solution: species [mM], ligands as volume fractions, chain length [atoms].

    `branching` is the share of the ligands that is branched.
    """

    lead: float = 0.0
    caesium: float = 0.0
    bromide: float = 0.0
    chloride: float = 0.0
    iodide: float = 0.0
    zinc: float = 0.0
    acid: float = 0.0
    amine: float = 0.0
    ligand_length: float = 18.0
    branching: float = 0.0


_AMOUNTS = tuple(f.name for f in fields(Composition))[:8]
_CONTENTS = attrgetter(*_AMOUNTS)
_ALL = attrgetter(*(f.name for f in fields(Composition)))


def mix(parts: list[tuple[float, Composition]]) -> Composition:
    """Mix volumes of solutions (additive volumes); chain length by ligand volume."""
    total = sum(volume for volume, _ in parts)
    if total <= 0.0:
        return Composition()
    sums, ligand, weighted, branched = [0.0] * len(_AMOUNTS), 0.0, 0.0, 0.0
    for volume, c in parts:
        held = _CONTENTS(c)
        sums = [s + volume * x for s, x in zip(sums, held, strict=True)]
        capping = volume * (c.acid + c.amine)
        ligand += capping
        weighted += capping * c.ligand_length
        branched += capping * c.branching
    mixed = dict(zip(_AMOUNTS, (s / total for s in sums), strict=True))
    mixed["ligand_length"] = weighted / ligand if ligand > 0.0 else 18.0
    mixed["branching"] = branched / ligand if ligand > 0.0 else 0.0
    return Composition(**mixed)


def stacked(compositions: Sequence[Composition]) -> Any:
    """One composition whose fields are columns, shape (r, 1): chemistry of many at a time."""
    columns = zip(*map(_ALL, compositions), strict=True)
    return Composition(*(np.array(column)[:, None] for column in columns))  # type: ignore[arg-type]


def smooth_least(*values: float, sharpness: float = 6.0) -> float:
    """Smooth minimum of positive numbers or columns: (sum x^-p)^(-1/p), never above the least."""
    powers = sum(np.maximum(v, LEAST) ** -sharpness for v in values)
    least: float = powers ** (-1.0 / sharpness)
    return least


def formula_units(feed: Composition, temperature: float, f: Constants) -> float:
    """Formula units CsPbBr3 in dots [mM]: the scarcest ion, less what stays dissolved.

    Lead that Cs4PbBr6 takes (4 Cs per Pb) at high Cs:Pb is lost to the dots.
    """
    limit = smooth_least(feed.lead, feed.caesium, feed.bromide / f["bromide_need"])
    ratio = feed.caesium / np.maximum(feed.lead, LEAST)
    kept = expit((f["depletion_ratio"] - ratio) / f["depletion_width"])
    warm = arrhenius(f["solubility_enthalpy"], temperature)
    acid = np.maximum(feed.acid, LEAST) / f["reference_acid"]
    dissolved = f["solubility"] * acid ** f["solubility_acid"] * warm
    units: float = limit * kept * np.maximum(0.0, 1.0 - dissolved / np.maximum(limit, LEAST))
    return units


def open_sites(feed: Composition, temperature: float, f: Constants) -> float:
    """Share of growth sites that no alkylammonium pair holds in octadecene (Langmuir).

    Alkylammonium competes with caesium for the faces' sites until heat drives it off (van 't
    Hoff): at 90 to 100 degC faces stay closed and platelets a few cells thin come, at 130 degC
    cubes (Bekenstein 2015, from memory); which faces grow is set by temperature and by how
    strongly ligands bind (Burlakov 2020, J. Phys. Chem. Lett.). Half are open at
    `opening_temperature` beside `_PAIRS` of pairs of C18; shorter and branched ones bind as in
    `coverage`.
    """
    half = f["opening_temperature"] + KELVIN
    pair = smooth_least(feed.acid, feed.amine, sharpness=4.0) * ACID_MOLAR
    affinity = (feed.ligand_length / 18.0) ** f["coverage_chain"]
    affinity *= 1.0 - (1.0 - f["branching_coverage"]) * feed.branching
    cold = np.exp(f["opening_enthalpy"] / BOLTZMANN * (1.0 / temperature - 1.0 / half))
    opened: float = 1.0 / (1.0 + affinity * cold * pair / _PAIRS)
    return opened


def conversion_time(temperature: float, octadecene: bool, f: Constants) -> float:
    """First-order time of solute into monomer [s]."""
    if not octadecene:
        return f["conversion_time"] / arrhenius(f["activation_energy"], temperature)
    hot = arrhenius(f["activation_energy"], _HOT)
    return f["octadecene_conversion"] * hot / arrhenius(f["activation_energy"], temperature)


def arrhenius(energy: float, temperature: float) -> float:
    """Factor of an activation energy [eV] at a temperature [K], 1 at room temperature."""
    factor: float = np.exp(energy / BOLTZMANN * (1.0 / ROOM - 1.0 / temperature))
    return factor


def coverage(feed: Composition, temperature: float, f: Constants) -> float:
    """Share of the surface that acid-amine ion pairs cap (Langmuir; the scarcer one limits).

    Heat desorbs them (van 't Hoff); branched chains pack worse. Of columns (`stacked`), a column.
    """
    pair = smooth_least(feed.acid, feed.amine, sharpness=4.0) * ACID_MOLAR
    affinity = f["coverage_affinity"] * (feed.ligand_length / 18.0) ** f["coverage_chain"]
    affinity *= arrhenius(-f["desorption_enthalpy"], temperature)
    affinity *= 1.0 - (1.0 - f["branching_coverage"]) * feed.branching
    crowd = 1.0 + feed.lead / 20.0  # more surface shares the ligands of a concentrated feed
    covered: float = affinity * pair / (crowd + affinity * pair)
    return covered
