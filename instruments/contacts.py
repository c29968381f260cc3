"""Which liquids meet where in each station, and how hot it is there; see `instruments.hazards`."""

from __future__ import annotations

from instruments import flow_line
from instruments.hazards import Contact
from instruments.plate_deck import ACID, AMINE, CAESIUM
from instruments.station import Recipe

OILED = "fluorinated_oil"


def flow_contacts(recipe: Recipe) -> tuple[Contact, ...]:
    """The feed, the reactor, and the second reactor where a salt joins."""
    feed = tuple(s.name for s in flow_line.synthesis_stocks(recipe))
    salt = tuple(s.name for s in flow_line.exchange_stocks(recipe))
    oil = ("perfluorinated_oil",) if flow_line.CARRIER[str(recipe["flow_format"])] == OILED else ()
    reactor = ("reactor",)
    found = [
        Contact("the feed", feed, (), tubes=("feed",)),
        Contact("the reactor", feed, oil, float(recipe["temperature"]), reactor),
    ]
    if salt:
        hot = float(recipe["exchange_temperature"])
        found.append(Contact("the second reactor", (*feed, *salt), oil, hot, reactor))
    return tuple(found)


def plate_contacts(recipe: Recipe) -> tuple[Contact, ...]:
    """The vial and the well."""
    pair = str(recipe["ligand_pair"])
    vial = (ACID[pair], AMINE[pair], "lead", "diluent")
    well = (*vial, CAESIUM[str(recipe["antisolvent"])])
    return Contact("a vial", vial), Contact("a well", well)


def topo_contacts(recipe: Recipe) -> tuple[Contact, ...]:
    """The vessel."""
    stocks = (f"caesium_{recipe['caesium_ligand']}", "lead", "topo", "solvent")
    return (Contact("the vessel", stocks, (), float(recipe["temperature"])),)


def exchange_contacts(recipe: Recipe) -> tuple[Contact, ...]:
    """The flasks and the washing where a batch is made; the cell or cuvette where it is used."""
    found = []
    if recipe["nanocrystal_source"] == "synthesised":
        hot = float(recipe["synthesis_temperature"])
        found.append(Contact("the flask", ("lead_bromide", "caesium_oleate"), (), hot))
        if recipe["washing"] == "antisolvent":
            found.append(Contact("the washing", ("nanocrystals", "antisolvent"), ("octadecene",)))
    tmsi = "tmsi_titration" if recipe["observation"] == "titration" else "tmsi"
    place = "the flow cell" if recipe["observation"] == "single_particle" else "the cuvette"
    found.append(Contact(place, ("nanocrystals", "hexane", tmsi)))
    return tuple(found)


def micropipette_contacts(recipe: Recipe) -> tuple[Contact, ...]:
    """The pipette and what its tip is immersed in."""
    inside = ("lead_acetate", "caesium_acetate", "diluent")
    return (Contact("the tip", (*inside, "bromobenzene")),)
