"""What stands where on the pipetting robot's deck: a person dresses it so before each plate.

One slot each: the plate, twelve troughs of liquids, a tank of lead stock and one of its solvent,
four blocks of 24 vials in which precursors are mixed, a rack of 300 uL tips and two of 20 uL.
"""

from __future__ import annotations

from collections.abc import Sequence

from instruments.procedures.plate import LEAD_STOCK, WellPlan
from instruments.stores import StockDeclaration

SLOTS = {
    1: "plate",
    2: "troughs",
    3: "lead",
    4: "vials_1",
    5: "vials_2",
    6: "diluent",
    7: "vials_3",
    8: "vials_4",
    9: "tips_300",
    10: "tips_20",
    11: "tips_vials",
}
VIAL_SLOTS = (4, 5, 7, 8)
VIALS_PER_SLOT = 24
VIAL_CAPACITY = 10400.0
"""uL; of a 24-position deep-well block (assumed, because such blocks hold 10.4 mL)."""
WELL_CAPACITY = 360.0  # uL, corning_96_wellplate_360ul_flat
TROUGH, TANK = 20000.0, 200000.0
"""Volumes that may be drawn of a full trough of 22 mL and tank of 290 mL [uL]."""
ACID = {"oleic_oleylamine": "oleic_acid", "octanoic_octylamine": "octanoic_acid"}
AMINE = {"oleic_oleylamine": "oleylamine", "octanoic_octylamine": "octylamine"}
CAESIUM = {"toluene": "caesium_toluene", "chloroform": "caesium_chloroform"}
TROUGHS = (*ACID.values(), *AMINE.values(), *CAESIUM.values())
"""Liquids of the troughs, from the left."""
LIQUIDS = (*TROUGHS, "lead", "diluent")


def places() -> dict[str, tuple[int, int]]:
    """Slot of each liquid, and its place there counted from the left."""
    found = {name: (2, i) for i, name in enumerate(TROUGHS)}
    return {**found, "lead": (3, 0), "diluent": (6, 0)}


def stock_declarations() -> tuple[StockDeclaration, ...]:
    """What each of the liquids is, for those who put them up."""
    neat = [StockDeclaration(n, "", (n,)) for n in (*ACID.values(), *AMINE.values())]
    caesium = [
        StockDeclaration(name, solvent, ("caesium_carboxylate",))
        for solvent, name in CAESIUM.items()
    ]
    lead = StockDeclaration("lead", "dmf", ("lead_bromide",), {"lead": LEAD_STOCK})
    return (*neat, *caesium, lead, StockDeclaration("diluent", "dmf"))


def full() -> dict[str, float]:
    """Volume that may be drawn of each liquid on a freshly dressed deck [uL]."""
    return {name: TROUGH if name in TROUGHS else TANK for name in LIQUIDS}


def portions(plan: WellPlan) -> dict[str, float]:
    """Volume of each liquid that goes into a vial [uL], in the order of pipetting."""
    asked = {
        ACID[plan.pair]: plan.acid,
        AMINE[plan.pair]: plan.amine,
        "diluent": plan.diluent,
        "lead": plan.lead_stock,
    }
    return {name: volume for name, volume in asked.items() if volume > 0.0}


def demands(plans: Sequence[WellPlan]) -> dict[str, float]:
    """Volume of each liquid that a plate takes [uL]."""
    tenths = dict.fromkeys(LIQUIDS, 0)
    for plan in plans:
        drawn = {**portions(plan), CAESIUM[plan.antisolvent]: plan.antisolvent_volume}
        for name, volume in drawn.items():
            tenths[name] += round(10.0 * volume)
    return {name: n / 10.0 for name, n in tenths.items()}
