"""What the commands of a procedure draw of each stock that no pump delivers [µL]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from instruments.plate_deck import demands
from instruments.procedures.anion_exchange import ENSEMBLE_TMSI, TITRATION_TMSI
from instruments.stock_lists import MICROPIPETTE, TOPO
from surrogate_sim.parameters import twin_parameters

VESSEL = 20_000.0
"""Filling of the TOPO vessel [µL]; assumed, because a stirred cell at a beamline holds that."""
PIPETTE, BATH = 30.0, 1000.0  # µL of polar phase and of bromobenzene (seed 000)
LEAD_FLASK, CAESIUM_SHOT, ANTISOLVENT = 7000.0, 400.0, 8000.0  # µL (seed 003)

Given = tuple[Any, ...]
Volumes = Mapping[str, float]


def draws_of(station: str, command: str, given: Given) -> Volumes:
    """Return what a command of an installed station draws; {} for one that draws nothing.

    Args:
        station: Its name.
        command: A method of its procedure's capabilities.
        given: What the method was given.
    """
    known = {
        "larp_plate": _plate,
        "topo_batch": _topo,
        "anion_exchange": _exchange,
        "micropipette": _micropipette,
    }
    return known[station](command, given) if station in known else {}


def _plate(command: str, given: Given) -> Volumes:
    if command != "fill":
        return {}
    return {name: volume for name, volume in demands([given[1]]).items() if volume > 0.0}


def _topo(command: str, given: Given) -> Volumes:
    if command != "charge":
        return {}
    ligand, caesium, lead, topo = given
    strength = {stock.name: stock.concentrations for stock in TOPO}
    with_lead = strength["lead"]["topo"] / strength["lead"]["lead"]
    shares = {
        f"caesium_{ligand}": caesium / strength[f"caesium_{ligand}"]["caesium"],
        "lead": lead / strength["lead"]["lead"],
        "topo": (topo - with_lead * lead) / strength["topo"]["topo"],
    }
    shares["solvent"] = 1.0 - sum(shares.values())
    return {name: VESSEL * share for name, share in shares.items() if share > 0.0}


def _micropipette(command: str, given: Given) -> Volumes:
    if command == "immerse":
        return {"bromobenzene": BATH}
    if command != "load":
        return {}
    strength = {stock.name: stock.concentrations for stock in MICROPIPETTE}
    lead = PIPETTE * given[1] / strength["lead_acetate"]["lead"]
    caesium = PIPETTE * given[2] / strength["caesium_acetate"]["caesium"]
    drawn = {"lead_acetate": lead, "caesium_acetate": caesium}
    drawn["diluent"] = PIPETTE - lead - caesium
    return {name: volume for name, volume in drawn.items() if volume > 1e-9}


def _exchange(command: str, given: Given) -> Volumes:
    own = twin_parameters("anion_exchange").own
    if command == "prepare":
        return _batch(given[0], own)
    if command == "fill":
        whole = 1000.0 * own["cuvette_volume"]
        crystals = whole / own["dilution"]
        return {"nanocrystals": crystals, "hexane": whole - crystals}
    if command == "add":
        name = "tmsi_titration" if given[1] == TITRATION_TMSI else "tmsi"
        return {name: given[0]}
    if command == "mount":
        return {"hexane": own["dead_volume"]}
    if command == "record":
        whole = own["dead_volume"] + own["injection_rate"] * given[1]
        tmsi = whole * given[0] / ENSEMBLE_TMSI
        return {"tmsi": tmsi, "hexane": whole - tmsi}
    return {}


def _batch(recipe: Mapping[str, Any], own: Mapping[str, float]) -> Volumes:
    if recipe["nanocrystal_source"] == "given":
        return {}
    drawn = {"lead_bromide": LEAD_FLASK, "caesium_oleate": CAESIUM_SHOT}
    drawn["hexane"] = 1000.0 * own["batch_volume"]
    if recipe["washing"] == "antisolvent":
        drawn["antisolvent"] = ANTISOLVENT
    return drawn
