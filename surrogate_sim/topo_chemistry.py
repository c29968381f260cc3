"""Chemistry of the TOPO/PbBr2 synthesis: how much solute forms, and with which rates it reacts.

    3 PbBr2.2TOPO + 2 CsX  =  2 CsPbBr3 + PbX2.2TOPO + 4 TOPO        (seed 001; X = DOPA, oleate)

As many moles on either side, so dilution alone does not change the yield; more lead raises it,
more TOPO lowers it, and an oleate that binds lead more strongly caps it. Concentrations [mM].
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from scipy.optimize import brentq

from surrogate_sim.materials import ROOM
from surrogate_sim.population import Rates

Ligand = Literal["dopa", "oleate"]
LIGANDS: tuple[Ligand, ...] = ("dopa", "oleate")
GAS_CONSTANT = 8.314462e-3
"""[kJ/(mol K)] (CODATA 2018)."""
LEAD_PER_CAESIUM = 1.5
"""Lead that each caesium in the product uses up, the part bound to ligand included."""
ROUNDED = 0.619
"""Volume of a rhombicuboctahedron over the cube of its width (physics specification 2.5)."""
SPHERE = math.pi / 6.0


class ChemistryError(ValueError):
    """A charge that the equilibria do not cover: rule, what came, remedy."""


@dataclass(frozen=True)
class Charge:
    """What is in the vessel once caesium has been injected.

    Attributes:
        ligand: That caesium comes with.
        caesium: [mM].
        lead: [mM].
        topo: Trioctylphosphine oxide, bound and free [mM].
        temperature: [K].
    """

    ligand: Ligand
    caesium: float
    lead: float
    topo: float
    temperature: float


def free_topo(charge: Charge, yielded: float, own: Mapping[str, float]) -> float:
    """TOPO that is not bound to lead once a share `yielded` of the caesium has reacted [mM]."""
    bound = own["topo_bound"]
    left = charge.lead - LEAD_PER_CAESIUM * yielded * charge.caesium
    return charge.topo - bound * (left + 0.5 * yielded * charge.caesium)


def solute_fraction(charge: Charge, own: Mapping[str, float]) -> float:
    """Share of the caesium that becomes Cs[PbBr3] and its crystals, by mass action.

    K = [PbX2] [TOPO]^4 / ([PbBr2]^3 [CsX]^2), solved for the extent of the reaction.

    Raises:
        ChemistryError: an unknown ligand, nothing to react, or too little TOPO to dissolve lead.
    """
    if charge.ligand not in LIGANDS:
        raise ChemistryError(
            f"a ligand must be one of {', '.join(LIGANDS)}, but got {charge.ligand!r}"
        )
    if min(charge.caesium, charge.lead) <= 0.0 or free_topo(charge, 0.0, own) <= 0.0:
        raise ChemistryError(
            "a charge needs caesium, lead and more TOPO than lead binds, but got "
            f"{charge.caesium:g}, {charge.lead:g} and {charge.topo:g} mM; add TOPO"
        )
    constant = own[f"exchange_{charge.ligand}"]
    power = LEAD_PER_CAESIUM * 2.0 * own["topo_bound"] - own["topo_bound"]
    highest = min(1.0, charge.lead / (LEAD_PER_CAESIUM * charge.caesium))

    def balance(share: float) -> float:
        lead = charge.lead - LEAD_PER_CAESIUM * share * charge.caesium
        caesium = charge.caesium * (1.0 - share)
        product = 0.5 * share * charge.caesium
        free = free_topo(charge, share, own)
        return (
            math.log(product)
            + power * math.log(free)
            - 3.0 * math.log(lead)
            - 2.0 * math.log(caesium)
            - math.log(constant)
        )

    return float(brentq(balance, 1e-9 * highest, (1.0 - 1e-12) * highest, xtol=1e-13))


def species(charge: Charge, yielded: float) -> dict[str, float]:
    """Concentrations after a share `yielded` of the caesium has reacted [mM], by name."""
    product = yielded * charge.caesium
    return {
        "caesium_ligand": charge.caesium - product,
        "lead_bromide": charge.lead - LEAD_PER_CAESIUM * product,
        "lead_ligand": 0.5 * product,
        "solute": product,
    }


def nucleus_diameter(own: Mapping[str, float], cell: float) -> float:
    """Sphere as large as a rhombicuboctahedron that is `nucleus_cells` unit cells wide [nm]."""
    return rounded_diameter(own["nucleus_cells"], cell)


def rounded_diameter(cells: float, cell: float) -> float:
    """Diameter of the sphere as large as a dot `cells` unit cells of `cell` [nm] wide [nm]."""
    return float(cells * cell * (ROUNDED / SPHERE) ** (1.0 / 3.0))


def rates(charge: Charge, own: Mapping[str, float], materials: Mapping[str, float]) -> Rates:
    """Constants of the population balance for this charge.

    One activation energy for all rates; solubilities follow their enthalpy and the free TOPO; the
    capillary length falls and the size that ligands keep apart rises with temperature, as both
    compare an energy with kT.
    """
    kelvin = charge.temperature
    inverse = 1.0 / kelvin - 1.0 / ROOM
    faster = math.exp(-own["activation_energy"] / GAS_CONSTANT * inverse)
    dissolving = math.exp(-own["solution_enthalpy"] / GAS_CONSTANT * inverse)
    reference = own["topo_reference"] - own["topo_bound"] * _REFERENCE_LEAD
    held = (free_topo(charge, 0.0, own) / reference) ** own["solubility_order"] * dissolving
    capillary = own["capillary"] * ROOM / kelvin
    common = {
        "solubility": own[f"solubility_{charge.ligand}"] * held,
        "capillary": capillary,
        "surface_length": own["surface_length"],
        "growth": own["growth"] * faster,
        "precursor": own["precursor_rate"] * faster,
    }
    cell = materials["lattice_bromide"]
    if charge.ligand == "oleate":
        # (pi / 12) alpha^3 / v is 16 pi gamma^3 v^2 / (3 (kT)^3) with alpha = 4 gamma v / kT
        barrier = own["burst_wetting"] * math.pi / 12.0 * capillary**3 / cell**3
        return Rates(
            **common,
            burst=own["burst_oleate"] * faster,
            burst_barrier=barrier,
            nucleus=own["burst_nucleus"],
        )
    warmth = (kelvin / ROOM) ** own["coalescence_warming"]
    return Rates(
        **common,
        coalescence=own["coalescence"] * faster,
        coalescence_size=own["coalescence_size"] * warmth,
        coalescence_width=own["coalescence_width"] * warmth,
        nucleus=nucleus_diameter(own, cell),
        conversion=own["conversion"] * faster,
        conversion_order=own["conversion_order"],
        conversion_spread=own["conversion_spread"],
        ripening=own["ripening"] / faster,
        release=own["release"] * faster,
        agglomerate_solubility=own["agglomerate_solubility"] * held,
    )


_REFERENCE_LEAD = 6.0  # mM; with the reference TOPO, what is left free there anchors solubility
