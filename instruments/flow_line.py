"""The flow line as built: geometry, stock solutions, declared parameters and observables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from instruments.capabilities import Carrier, FlowLimits
from instruments.errors import InstrumentError
from instruments.formulation import SPECIES, Contents, Stage, Stock
from instruments.procedures.flow import FlowGeometry
from instruments.station import ObservableDeclaration, ParameterDeclaration, Recipe
from instruments.stores import StockDeclaration
from instruments.tubing import Tube
from surrogate_sim.hydrodynamics import Solvent

# 0.4 mm bore: wide enough to rinse, narrow enough for perfluorinated oil (Bond number).
GEOMETRY = FlowGeometry(
    bore=0.40,
    length=3000.0,
    junction=300.0,
    dead_volume=60.0,
    cell_volume=5.0,
    optical_path=0.10,
)

TUBES = ("feed", "reactor")
"""From the pumps' valves to the tube, and the tube itself."""


def geometry(tubing: Mapping[str, Tube]) -> FlowGeometry:
    """Return the line as a lab has built it: `GEOMETRY` but for the tubes that it describes.

    Raises:
        InstrumentError: a tube that the line has not, or a reactor that ends before its junction.
    """
    if strangers := sorted(set(tubing) - set(TUBES)):
        raise InstrumentError(
            f"tubing: a tube must be one of {', '.join(TUBES)}, but got {', '.join(strangers)}"
        )
    made = GEOMETRY
    if "feed" in tubing:
        made = replace(made, dead_volume=tubing["feed"].volume)
    if "reactor" in tubing:
        made = replace(made, bore=tubing["reactor"].bore, length=tubing["reactor"].length)
    if made.length <= made.junction:
        raise InstrumentError(
            f"tubing.reactor: must be longer than {made.junction:g} mm, where the exchange "
            f"stage joins, but is {made.length:g} mm long"
        )
    return made


# A syringe pump with a 10 mL glass syringe: 0.3 to 1200 µL/min.
PUMP_LIMITS = FlowLimits(0.005, 20.0)

# What toluene with these ligands holds at 25 degC [mmol/L]; assumed, because the salts are
# dissolved as tetraoctylammonium and carboxylate complexes whose limits are not tabulated.
SOLUBILITY = {"lead": 22.0, "caesium": 25.0, "bromide": 130.0}

# Share of the stream that is liquid in segmented flow (assumed: equal volumes).
LIQUID_FRACTION: dict[str, float] = {"single_phase": 1.0, "gas_liquid": 0.5, "liquid_liquid": 0.5}
CARRIER: dict[str, Carrier] = {
    "single_phase": "none",
    "gas_liquid": "gas",
    "liquid_liquid": "fluorinated_oil",
}

# Suffix of the stocks, carbon atoms of the chain, branched share.
LIGAND_PAIRS = {
    "oleic_oleylamine": ("c18", 18.0, 0.0),
    "octanoic_octylamine": ("c8", 8.0, 0.0),
    "ethylhexanoic_ethylhexylamine": ("c8b", 8.0, 1.0),
}
LIGANDS = {
    (18.0, 0.0): ("oleic_acid", "oleylamine"),
    (8.0, 0.0): ("octanoic_acid", "octylamine"),
    (8.0, 1.0): ("ethylhexanoic_acid", "ethylhexylamine"),
}
"""Acid and amine by carbon atoms and branching."""
SALTS = {"ZnCl2": "chloride", "ZnI2": "iodide"}
SOLVENT = "toluene"
WITH_LIFETIME = "light_and_lifetime"
SOLVENTS: tuple[Solvent, ...] = ("toluene", "octadecene")


def _stock(name: str, contents: Contents, solvent: str, stage: str = "synthesis") -> Stock:
    """A stock; those in octadecene are named so."""
    called = name if solvent == SOLVENT or name == solvent else f"{name}_{solvent}"
    used: Stage = "exchange" if stage == "exchange" else "synthesis"
    return Stock(called, contents, used, PUMP_LIMITS, solvent)


def _shared(solvent: str) -> list[Stock]:
    # PbBr2 dissolved with half a mole of tetraoctylammonium bromide, so Br:Pb starts at 2.5.
    return [
        _stock("lead_bromide", Contents(lead=80.0, bromide=200.0), solvent),
        _stock("ammonium_bromide", Contents(bromide=400.0), solvent),
        _stock(solvent, Contents(), solvent),
    ]


def _ligand_set(pair: str, solvent: str) -> list[Stock]:
    suffix, length, branched = LIGAND_PAIRS[pair]
    chain = {"ligand_length": length, "branching": branched}
    return [
        _stock(f"caesium_{suffix}", Contents(caesium=80.0, acid=0.10, **chain), solvent),
        _stock(f"acid_{suffix}", Contents(acid=0.40, **chain), solvent),
        _stock(f"amine_{suffix}", Contents(amine=0.40, **chain), solvent),
    ]


def _salt_set(halide: str, solvent: str) -> list[Stock]:
    salt = {"zinc": 200.0, halide: 400.0}
    return [
        _stock(f"zinc_{halide}_acid", Contents(**salt, acid=0.30), solvent, "exchange"),
        _stock(f"zinc_{halide}_amine", Contents(**salt, amine=0.30), solvent, "exchange"),
    ]


def all_stocks() -> tuple[Stock, ...]:
    """Every stock solution of the line, one pump each."""
    found: list[Stock] = []
    for solvent in SOLVENTS:
        found += _shared(solvent)
        for pair in LIGAND_PAIRS:
            found += _ligand_set(pair, solvent)
        for halide in SALTS.values():
            found += _salt_set(halide, solvent)
    return tuple(found)


def stock_declarations() -> tuple[StockDeclaration, ...]:
    """What each of the stock solutions is, for those who put them up."""
    return tuple(
        StockDeclaration(stock.name, stock.solvent, _substances(stock), _species(stock.contents))
        for stock in all_stocks()
    )


def _species(contents: Contents) -> dict[str, float]:
    """Concentrations [mmol/L] of the species that there are."""
    found = {name: float(getattr(contents, name)) for name in SPECIES}
    return {name: value for name, value in found.items() if value > 0.0}


def _substances(stock: Stock) -> tuple[str, ...]:
    contents = stock.contents
    acid, amine = LIGANDS[contents.ligand_length, contents.branching]
    held = {
        "lead_bromide": contents.lead,
        "tetraoctylammonium_bromide": contents.bromide,
        "caesium_carboxylate": contents.caesium,
        "zinc_chloride": contents.chloride,
        "zinc_iodide": contents.iodide,
        acid: contents.acid,
        amine: contents.amine,
    }
    return tuple(name for name, amount in held.items() if amount > 0.0)


def solvent_of(recipe: Recipe) -> Solvent:
    """The recipe's solvent."""
    return "octadecene" if recipe["solvent"] == "octadecene" else "toluene"


def synthesis_stocks(recipe: Recipe) -> tuple[Stock, ...]:
    """The six stocks of the recipe's ligand pair and solvent."""
    solvent = solvent_of(recipe)
    return (*_shared(solvent), *_ligand_set(str(recipe["ligand_pair"]), solvent))


def exchange_stocks(recipe: Recipe) -> tuple[Stock, ...]:
    """The two stocks of the recipe's halide salt; none without one."""
    salt = str(recipe["halide_salt"])
    return tuple(_salt_set(SALTS[salt], solvent_of(recipe))) if salt in SALTS else ()


_WITH_SALT = ("halide_salt", tuple(SALTS))


def _number(
    name: str,
    description: str,
    unit: str,
    low: float,
    high: float,
    default: float,
    when: tuple[str, tuple[str, ...]] | None = None,
) -> ParameterDeclaration:
    return ParameterDeclaration(
        name, description, "continuous", unit, low, high, default=default, when=when
    )


def _choice(name: str, description: str, choices: tuple[str, ...]) -> ParameterDeclaration:
    return ParameterDeclaration(
        name, description, "categorical", choices=choices, default=choices[0]
    )


def _count(name: str, description: str, most: int) -> ParameterDeclaration:
    return ParameterDeclaration(name, description, "integer", "", 1, most, default=1)


PARAMETERS = (
    _number("lead_concentration", "lead in the feed", "mmol/L", 1.0, 20.0, 5.0),
    _number("cs_pb_ratio", "moles of caesium per mole of lead", "", 0.2, 2.0, 0.8),
    _number("br_pb_ratio", "moles of bromide per mole of lead", "", 2.5, 8.0, 4.0),
    _choice("ligand_pair", "carboxylic acid and amine", tuple(LIGAND_PAIRS)),
    _number(
        "oleic_acid_fraction", "carboxylic acid in the feed, by volume", "percent", 1.8, 6.7, 4.0
    ),
    _number(
        "ligand_solvent_ratio", "volume of acid and amine over the rest", "", 0.03, 0.20, 0.08
    ),
    _number("flow_velocity", "velocity of the whole stream", "mm/s", 12.0, 100.0, 40.0),
    _number(
        "probe_position",
        "where along the tube the stream is measured",
        "mm",
        100.0,
        3000.0,
        1000.0,
    ),
    _choice("flow_format", "phases in the tube", tuple(LIQUID_FRACTION)),
    _choice("halide_salt", "salt of the in-line exchange stage", ("none", *SALTS)),
    _number(
        "salt_concentration",
        "zinc salt in the joined stream",
        "mmol/L",
        1.0,
        60.0,
        10.0,
        _WITH_SALT,
    ),
    _number(
        "ligand_ratio",
        "V_acid / (V_acid + V_amine) of the salt stream, R_L",
        "",
        0.1,
        0.9,
        0.5,
        _WITH_SALT,
    ),
    _number("temperature", "temperature of the tube", "degC", 20.0, 220.0, 25.0),
    _number(
        "exchange_temperature",
        "temperature of the second reactor, behind the exchange junction",
        "degC",
        20.0,
        150.0,
        25.0,
        _WITH_SALT,
    ),
    _choice("solvent", "what the precursors are dissolved in", SOLVENTS),
    _choice("characterisation", "what is measured", ("light", WITH_LIFETIME)),
    _count("scan_positions", "positions along the tube that are measured, with the last", 76),
    _count("lines", "parallel lines that the recipe is scaled out to", 16),
)

OBSERVABLES = (
    ObservableDeclaration(
        "peak_emission", "maximum of the emission line, in energy, as a wavelength", "nm", True
    ),
    ObservableDeclaration("emission_fwhm", "full width at half maximum of the line", "nm"),
    ObservableDeclaration("emission_linewidth", "full width at half maximum in energy", "meV"),
    ObservableDeclaration("plqy", "photoluminescence quantum yield, in line", ""),
    ObservableDeclaration("intensity", "detected rate in the emission line", "counts/s"),
    ObservableDeclaration("first_exciton", "first excitonic absorption", "nm", True),
    ObservableDeclaration("lifetime", "mean lifetime of the emission, weighted by light", "ns"),
    ObservableDeclaration("emission_range", "largest less least peak of parallel lines", "nm"),
    ObservableDeclaration("fwhm_range", "largest less least linewidth of parallel lines", "nm"),
)
