"""Solutions of the ligand-assisted reprecipitation of CsPbBr3: mixing, speciation, solubility.

A precursor (carboxylic acid, amine, PbBr2 in DMF) is injected into caesium carboxylate in an
antisolvent. Everything is an array over wells, shape (n,), concentrations [M]. What a mixture
holds follows from the precursor's share of its volume alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from surrogate_sim.equilibria import Tableau, solve, tableau

Array = NDArray[np.float64]
Constants = Mapping[str, float]
LN10 = float(np.log(10.0))
LONG_CHAIN = 18.0
"""Carbon atoms of the ligand to which the constants refer (oleic acid, oleylamine)."""
PERMITTIVITY = {"toluene": 2.38, "chloroform": 4.81, "dmf": 36.7, "ethanol": 24.5}
"""Relative static permittivities (CRC Handbook; S002 for the first two)."""
COMPONENTS = ("carboxylate", "proton", "amine", "lead", "bromide", "caesium")
UNIT: Array = np.array([0.0, 0.0, 0.0, 1.0, 3.0, 1.0])
"""Components in a formula unit of CsPbBr3."""
SYSTEM: Tableau = tableau(
    COMPONENTS,
    {
        "acid": {"carboxylate": 1, "proton": 1},
        "ammonium": {"amine": 1, "proton": 1},
        "ion_pair": {"carboxylate": 1, "amine": 1, "proton": 1},
        "ammonium_bromide": {"amine": 1, "proton": 1, "bromide": 1},
        "caesium_carboxylate": {"caesium": 1, "carboxylate": 1},
        "lead_bromide_1": {"lead": 1, "bromide": 1},
        "lead_bromide_2": {"lead": 1, "bromide": 2},
        "lead_bromide_3": {"lead": 1, "bromide": 3},
        "lead_amine_1": {"lead": 1, "bromide": 2, "amine": 1},
        "lead_amine_2": {"lead": 1, "bromide": 2, "amine": 2},
        "lead_carboxylate": {"lead": 1, "carboxylate": 2},
    },
)


def polarity(permittivity: ArrayLike) -> Array:
    """Kirkwood's function (eps - 1) / (2 eps + 1)."""
    eps = np.asarray(permittivity, float)
    return np.asarray((eps - 1.0) / (2.0 * eps + 1.0))


TOLUENE = float(polarity(PERMITTIVITY["toluene"]))
DMF = float(polarity(PERMITTIVITY["dmf"]))


@dataclass(frozen=True)
class Wells:
    """What meets in each well, as volumes and stocks; every field has shape (n,).

    Attributes:
        carbons: Chain length of acid and amine.
        acid_volume: Neat acid per volume of PbBr2 solution.
        amine_volume: Neat amine per volume of PbBr2 solution.
        acid_molarity: Of the neat acid [M].
        amine_molarity: Of the neat amine [M].
        lead: PbBr2 in its DMF solution [M].
        caesium: In the antisolvent [M].
        caesium_acid: Acid in the antisolvent, free and as carboxylate [M].
        antisolvent: Polarity function of the antisolvent.
        share: Precursor's share of the well's volume.
        mixing: Time in which the injected precursor mixes with the antisolvent [s].
        acidity: Change of the decadic logarithm of K_ip by the batches' water and impurities.
    """

    carbons: Array
    acid_volume: Array
    amine_volume: Array
    acid_molarity: Array
    amine_molarity: Array
    lead: Array
    caesium: Array
    caesium_acid: Array
    antisolvent: Array
    share: Array
    mixing: Array
    acidity: Array

    def take(self, index: ArrayLike) -> Wells:
        """Return the wells at `index`."""
        rows = np.asarray(index)
        return Wells(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def precursor_totals(wells: Wells) -> Array:
    """Totals of the components in the precursor, shape (n, 6) [M]."""
    volume = 1.0 + wells.acid_volume + wells.amine_volume
    acid = wells.acid_molarity * wells.acid_volume / volume
    amine = wells.amine_molarity * wells.amine_volume / volume
    lead = wells.lead / volume
    return np.stack([acid, acid, amine, lead, 2.0 * lead, np.zeros_like(acid)], axis=1)


def antisolvent_totals(wells: Wells) -> Array:
    """Totals in the antisolvent, shape (n, 6) [M]; caesium carbonate took up protons."""
    none = np.zeros_like(wells.caesium)
    protons = wells.caesium_acid - wells.caesium
    return np.stack([wells.caesium_acid, protons, none, none, none, wells.caesium], axis=1)


def mixture_totals(wells: Wells, share: Array, consumed: ArrayLike = 0.0) -> Array:
    """Totals at a precursor `share` of the volume, less CsPbBr3 `consumed` [M], shape (n, 6)."""
    part = np.asarray(share, float)[:, None]
    total = part * precursor_totals(wells) + (1.0 - part) * antisolvent_totals(wells)
    units = np.asarray(consumed, float) * np.ones(len(total))
    return np.asarray(total - units[:, None] * UNIT)


def mixture_polarity(wells: Wells, share: Array) -> Array:
    """Polarity function of the mixture, linear in volume; the ligands count as antisolvent."""
    volume = 1.0 + wells.acid_volume + wells.amine_volume
    return np.asarray(wells.antisolvent + share / volume * (DMF - wells.antisolvent))


def constants(wells: Wells, c: Constants) -> Array:
    """Decadic logarithms of the formation constants, shape (n, species).

    The short amine, smaller and more polar, binds lead more strongly (S002: its dipole moment).
    """
    short = np.clip((LONG_CHAIN - wells.carbons) / 10.0, 0.0, None)
    amine = c["log_lead_amine"] + short * np.log10(c["short_amine_factor"])
    pair = c["log_ion_pair"] + wells.acidity
    two = c["log_lead_bromide_2"]
    zero = np.zeros_like(amine)
    columns = {
        "acid": c["log_acid"] + zero,
        "ammonium": c["log_ammonium"] + zero,
        "ion_pair": c["log_acid"] + pair,
        "ammonium_bromide": c["log_ammonium"] + c["log_ammonium_bromide"] + zero,
        "caesium_carboxylate": c["log_caesium_carboxylate"] + zero,
        "lead_bromide_1": c["log_lead_bromide_1"] + zero,
        "lead_bromide_2": two + zero,
        "lead_bromide_3": c["log_lead_bromide_3"] + zero,
        "lead_amine_1": two + amine,
        "lead_amine_2": two + 2.0 * amine + np.log10(c["second_amine_factor"]),
        "lead_carboxylate": c["log_lead_carboxylate"] + zero,
    }
    return np.stack([columns.get(name, zero) for name in SYSTEM.species], axis=1)


@dataclass(frozen=True)
class Solution:
    """A mixture at equilibrium; every field has shape (n,) [M], `coverage` is a share.

    Attributes:
        caesium: Free caesium.
        tribromide: PbBr3-, with caesium the building block of the crystal.
        lead_bromide: Free neutral PbBr2.
        amine: Free amine.
        ion_pair: Alkylammonium carboxylate.
        coverage: Share of a dot's surface that ion pairs hold.
        saturation: Square root of the solubility product of CsPbBr3 in this mixture.
    """

    caesium: Array
    tribromide: Array
    lead_bromide: Array
    amine: Array
    ion_pair: Array
    coverage: Array
    saturation: Array

    @property
    def driving(self) -> Array:
        """Geometric mean of both ions: the concentration that compares with `saturation`."""
        return np.sqrt(self.caesium * self.tribromide)


def locked_totals(wells: Wells, c: Constants) -> Array:
    """What lead-amine complexes keep while dots grow, per precursor, shape (n, 6) [M].

    Dots form in the precursor's own micelles (S002, figure 7), where the amine stays with the
    lead while caesium comes in; lead that an amine holds there takes no part in growth. A micelle
    keeps it only as far as ligands close its wall, which they do as they cover a dot: short chains
    and polar antisolvents let amine and lead out, to meet again as dilute as the well is.
    """
    found = solve(SYSTEM, constants(wells, c), precursor_totals(wells))
    names = ("lead_amine_1", "lead_amine_2")
    wall = speciate(wells, wells.share, mixture_totals(wells, wells.share), c).coverage
    held = sum(
        found[:, SYSTEM.index(n)][:, None] * SYSTEM.stoichiometry[SYSTEM.index(n)][None, :]
        for n in names
    )
    return np.asarray(wall[:, None] * held)


def speciate(wells: Wells, share: Array, totals: Array, c: Constants) -> Solution:
    """Return the equilibrium of `totals` [M], shape (n, 6), in the medium of a `share`."""
    found = solve(SYSTEM, constants(wells, c), totals)
    medium = mixture_polarity(wells, share)

    def of(name: str) -> Array:
        return np.asarray(found[:, SYSTEM.index(name)])

    return Solution(
        of("caesium"),
        of("lead_bromide_3"),
        of("lead_bromide_2"),
        of("amine"),
        of("ion_pair"),
        coverage(of("ion_pair"), of("amine"), wells.carbons, medium, c),
        saturation(medium, c),
    )


def coverage(pair: Array, amine: Array, carbons: Array, medium: Array, c: Constants) -> Array:
    """Share of the surface held by ion pairs, in competition with solvent and free amine."""
    held = hold(carbons, medium, c)
    bound = np.exp(LN10 * c["log_ligand_binding"]) * held * pair
    return np.asarray(bound / (1.0 + bound + c["amine_stripping"] * held * amine))


def hold(carbons: Array, medium: Array, c: Constants) -> Array:
    """How much better a surface holds a ligand than one of 18 carbons in toluene, shape (n,).

    ln K_L = ln K_0 + g (n_C - 18) - kappa (f - f_toluene): chains hold each other, polar solvents
    take ligands off (specification 3.3), ion pairs and amines alike.
    """
    return np.asarray(
        np.exp(
            c["binding_per_carbon"] * (carbons - LONG_CHAIN)
            - c["binding_polarity"] * (medium - TOLUENE)
        )
    )


def saturation(medium: Array, c: Constants) -> Array:
    """Square root of the solubility product [M] against polarity.

    Born: the logarithm is linear in the polarity function, through toluene's value (calibrated)
    and that of DMF.
    """
    low, high = LN10 * c["log_solubility_toluene"], LN10 * c["log_solubility_dmf"]
    slope = (high - low) / (DMF - TOLUENE)
    return np.asarray(np.exp(low + slope * (medium - TOLUENE)))
