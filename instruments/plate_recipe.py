"""The plate station's declared parameters and observables, and volumes from a recipe."""

from __future__ import annotations

from collections.abc import Mapping

from instruments.procedures.plate import WellPlan
from instruments.station import (
    ObservableDeclaration,
    ParameterDeclaration,
    Recipe,
    Violation,
)

ACID_VOLUME = 100.0
"""Acid in a precursor vial [uL]; only the ratios matter."""
VIAL = 12000.0
"""What a precursor vial holds [uL]."""
PAIRS = ("oleic_oleylamine", "octanoic_octylamine")
ANTISOLVENTS = ("toluene", "chloroform")
ACID_MOLARITY = {"oleic_oleylamine": 3.17, "octanoic_octylamine": 6.31}
AMINE_MOLARITY = {"oleic_oleylamine": 3.04, "octanoic_octylamine": 6.05}
"""Neat liquids [mol/L] (physics specification 3.3)."""

PARAMETERS = (
    ParameterDeclaration(
        "ligand_pair",
        "acid and amine: 18 carbons, or 8",
        "categorical",
        choices=PAIRS,
        default=PAIRS[0],
    ),
    ParameterDeclaration(
        "antisolvent",
        "solvent of the caesium carboxylate in the well",
        "categorical",
        choices=ANTISOLVENTS,
        default=ANTISOLVENTS[0],
    ),
    ParameterDeclaration(
        "amine_acid_ratio",
        "volume of amine per volume of acid, r",
        "continuous",
        "",
        0.0,
        3.0,
        default=0.3,
    ),
    ParameterDeclaration(
        "lead_acid_ratio",
        "volume of PbBr2 solution per volume of acid (30 is 1:30)",
        "continuous",
        "",
        10.0,
        60.0,
        default=30.0,
    ),
    ParameterDeclaration(
        "lead_concentration",
        "PbBr2 in its DMF solution",
        "continuous",
        "mmol/L",
        10.0,
        60.0,
        default=50.1,
    ),
    ParameterDeclaration(
        "characterisation",
        "what looks at the well: the reader, or also microscope, diffractometer, photon counter",
        "categorical",
        choices=("reader", "full"),
        default="reader",
    ),
)

OBSERVABLES = (
    ObservableDeclaration("peak_emission", "centre of the first read's Gaussian", "nm", True),
    ObservableDeclaration("emission_fwhm", "full width at half maximum of the first read", "nm"),
    ObservableDeclaration("intensity", "height of the first read's Gaussian", "counts"),
    ObservableDeclaration("peak_drift", "centre after 12 h less that of the first read", "nm"),
    ObservableDeclaration("intensity_retained", "height after 12 h over that at first", ""),
    ObservableDeclaration("final_fwhm", "full width at half maximum after 12 h", "nm"),
    ObservableDeclaration("tem_length", "mean particle length after 12 h", "nm"),
    ObservableDeclaration("cs4_share", "share of lead in Cs4PbBr6 after 12 h, by X-rays", ""),
    ObservableDeclaration("mean_lifetime", "mean emission lifetime of the fresh well", "ns"),
    *(
        ObservableDeclaration(f"{phase}_line_{j}", f"2 theta of line {j} of {name}", "deg")
        for phase, name in (("cubic", "CsPbBr3"), ("hexagonal", "Cs4PbBr6"))
        for j in (1, 2, 3)
    ),
)


def plan(recipe: Recipe, c: Mapping[str, float]) -> WellPlan:
    """Return the volumes of one well; `c` holds the deck's own volumes."""
    return WellPlan(
        str(recipe["ligand_pair"]),
        str(recipe["antisolvent"]),
        ACID_VOLUME,
        ACID_VOLUME * float(recipe["amine_acid_ratio"]),
        ACID_VOLUME * float(recipe["lead_acid_ratio"]),
        float(recipe["lead_concentration"]),
        c["antisolvent_volume"],
        c["injected_volume"],
        recipe["characterisation"] == "full",
    )


def ligand_concentration(recipe: Recipe) -> float:
    """Acid and amine together in the precursor [mol/L]."""
    pair, r = str(recipe["ligand_pair"]), float(recipe["amine_acid_ratio"])
    volume = 1.0 + r + float(recipe["lead_acid_ratio"])
    return (ACID_MOLARITY[pair] + r * AMINE_MOLARITY[pair]) / volume


def amine_violations(recipe: Recipe) -> list[Violation]:
    """Refuse an amine volume that the pipette cannot deliver: 0, or at least 2 uL."""
    amine = ACID_VOLUME * float(recipe["amine_acid_ratio"])
    if amine == 0.0 or amine >= 2.0:
        return []
    return [
        Violation(
            "amine_acid_ratio",
            float(recipe["amine_acid_ratio"]),
            "0 or >= 0.02",
            "",
            f"the pipette delivers 2 uL or more, but a ratio of {amine / ACID_VOLUME:g} asks for "
            f"{amine:g} uL of amine beside {ACID_VOLUME:g} uL of acid; use 0 or at least 0.02",
        )
    ]
