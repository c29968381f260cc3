"""The plate station's declared parameters and observables, and volumes from a recipe."""

from __future__ import annotations

from collections.abc import Mapping

from instruments.procedures.plate import LEAD_STOCK, WellPlan
from instruments.station import (
    ObservableDeclaration,
    ParameterDeclaration,
    Recipe,
    Violation,
)

PORTIONS = 10.0
"""Portions that a precursor vial is made for, so that the pipette can deliver the amine."""
SMALLEST_TRANSFER = 2.0
"""Least volume that the pipette delivers [uL]."""
PIPETTE_DIGITS = 1
"""Decimals of a volume in uL that the pipette is told (as electronic pipettes take it)."""
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
        "pbbr2_volume",
        "PbBr2 solution in one portion of precursor (300 and 150 are the authors' levels)",
        "continuous",
        "uL",
        50.0,
        600.0,
        default=300.0,
    ),
    ParameterDeclaration(
        "ligand_solution_ratio",
        "volume of acid per volume of PbBr2 solution (1:30 is 0.0333)",
        "continuous",
        "",
        0.01,
        0.25,
        default=1.0 / 30.0,
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
        "duration",
        "how long the reader follows the well, a read every 10 min",
        "continuous",
        "h",
        0.0,
        16.0,
        default=12.0,
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
    ObservableDeclaration("peak_drift", "centre of the last read less that of the first", "nm"),
    ObservableDeclaration(
        "intensity_retained", "height of the last read over that of the first", ""
    ),
    ObservableDeclaration("final_fwhm", "full width at half maximum of the last read", "nm"),
    ObservableDeclaration("tem_length", "mean particle length after the last read", "nm"),
    ObservableDeclaration(
        "cs4_share", "share of lead in Cs4PbBr6 after the last read, by X-rays", ""
    ),
    ObservableDeclaration("mean_lifetime", "mean emission lifetime of the fresh well", "ns"),
    *(
        ObservableDeclaration(f"{phase}_line_{j}", f"2 theta of line {j} of {name}", "deg")
        for phase, name in (("cubic", "CsPbBr3"), ("hexagonal", "Cs4PbBr6"))
        for j in (1, 2, 3)
    ),
)


def plan(recipe: Recipe, c: Mapping[str, float]) -> WellPlan:
    """Return the volumes of one well, in tenths of a uL; `c` holds the deck's own volumes."""
    lead, acid = _volumes(recipe)
    amine = acid * float(recipe["amine_acid_ratio"])
    stock = lead * float(recipe["lead_concentration"]) / LEAD_STOCK
    return WellPlan(
        pair=str(recipe["ligand_pair"]),
        antisolvent=str(recipe["antisolvent"]),
        acid=round(acid, PIPETTE_DIGITS),
        amine=round(amine, PIPETTE_DIGITS),
        lead_stock=round(stock, PIPETTE_DIGITS),
        diluent=round(lead - stock, PIPETTE_DIGITS),
        antisolvent_volume=round(c["antisolvent_volume"], PIPETTE_DIGITS),
        injected=round(c["injected_volume"], PIPETTE_DIGITS),
        full=recipe["characterisation"] == "full",
        duration=3600.0 * float(recipe["duration"]),
    )


def achieved(made: WellPlan) -> dict[str, float]:
    """Return the recipe that the volumes of a well stand for."""
    return {
        "amine_acid_ratio": made.amine / made.acid,
        "pbbr2_volume": made.lead_solution / PORTIONS,
        "ligand_solution_ratio": made.acid / made.lead_solution,
        "lead_concentration": made.lead,
    }


def _volumes(recipe: Recipe) -> tuple[float, float]:
    """PbBr2 solution and acid in the vial [uL]."""
    lead = PORTIONS * float(recipe["pbbr2_volume"])
    return lead, lead * float(recipe["ligand_solution_ratio"])


def ligand_concentration(recipe: Recipe) -> float:
    """Acid and amine together in the precursor [mol/L]."""
    pair, r = str(recipe["ligand_pair"]), float(recipe["amine_acid_ratio"])
    volume = 1.0 + r + 1.0 / float(recipe["ligand_solution_ratio"])
    return (ACID_MOLARITY[pair] + r * AMINE_MOLARITY[pair]) / volume


def amine_violations(recipe: Recipe) -> list[Violation]:
    """Refuse an amine volume that the pipette cannot deliver: 0, or at least 2 uL."""
    acid, ratio = _volumes(recipe)[1], float(recipe["amine_acid_ratio"])
    least = SMALLEST_TRANSFER / acid
    if ratio == 0.0 or ratio >= least * (1.0 - 1e-9):
        return []
    return [
        Violation(
            "amine_acid_ratio",
            ratio,
            f"0 or >= {least:.3g}",
            "",
            f"the pipette delivers {SMALLEST_TRANSFER:g} uL or more, but a ratio of {ratio:g} "
            f"asks for {ratio * acid:.3g} uL of amine beside {acid:.4g} uL of acid in the vial; "
            f"use 0 or at least {least:.3g}",
        )
    ]
