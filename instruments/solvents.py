"""Liquids that stations may hold: where they freeze, boil and catch fire, and what they swell.

Temperatures in [degC] at 101 kPa. Boiling and melting points: CRC Handbook of Chemistry and
Physics, 97th ed., section 3; flash points (closed cup): section 16; otherwise as `source` says.
Swelling is the length of a PDMS solid in the liquid over its dry length: Lee, Park and Whitesides
2003, Anal. Chem. 75, 6544, table 1.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

CRC = "CRC Handbook, 97th ed."


@dataclass(frozen=True, slots=True)
class Liquid:
    """One liquid.

    Attributes:
        boiling: [degC]
        melting: [degC]
        flash: [degC]; None where it does not burn.
        classes: What it is, in the words of the incompatibility rules.
        swelling: Of PDMS, as a ratio of lengths; None where nobody measured it.
        source: Of what does not come from the module's own sources.
    """

    boiling: float
    melting: float
    flash: float | None
    classes: frozenset[str]
    swelling: float | None = None
    source: str = CRC


def _liquid(
    boiling: float,
    melting: float,
    flash: float | None,
    classes: str,
    swelling: float | None = None,
    source: str = CRC,
) -> Liquid:
    return Liquid(boiling, melting, flash, frozenset(classes.split()), swelling, source)


_SUPPLIER = "supplier's data sheet (3M Fluorinert, Novec; F2 Chemicals Flutec)"
LIQUIDS = {
    "water": _liquid(100.0, 0.0, None, "water", 1.00),
    "methanol": _liquid(64.6, -97.5, 11.0, "alcohol organic", 1.02),
    "ethanol": _liquid(78.2, -114.1, 13.0, "alcohol organic", 1.04),
    "isopropanol": _liquid(82.3, -87.9, 12.0, "alcohol organic", 1.09),
    "butanol": _liquid(117.7, -88.6, 37.0, "alcohol organic"),
    "acetone": _liquid(56.1, -94.7, -20.0, "ketone organic", 1.06),
    "dmf": _liquid(153.0, -60.4, 58.0, "amide organic", 1.02),
    "dmso": _liquid(189.0, 18.5, 95.0, "sulfoxide organic", 1.00),
    "acetonitrile": _liquid(81.6, -43.8, 6.0, "nitrile organic", 1.01),
    "methyl_acetate": _liquid(56.9, -98.3, -10.0, "ester organic"),
    "ethyl_acetate": _liquid(77.1, -83.8, -4.0, "ester organic", 1.18),
    "hexane": _liquid(68.7, -95.3, -22.0, "hydrocarbon organic", 1.35),
    "heptane": _liquid(98.4, -90.6, -4.0, "hydrocarbon organic", 1.34),
    "octane": _liquid(125.6, -56.8, 13.0, "hydrocarbon organic"),
    "cyclohexane": _liquid(80.7, 6.6, -20.0, "hydrocarbon organic", 1.33),
    "octadecene": _liquid(
        314.9, 17.5, 148.0, "hydrocarbon organic", None, f"{CRC}; flash point: PubChem CID 8217"
    ),
    "toluene": _liquid(110.6, -94.9, 4.0, "aromatic organic", 1.31),
    "bromobenzene": _liquid(156.1, -30.7, 51.0, "aromatic halocarbon organic"),
    "chlorobenzene": _liquid(131.7, -45.3, 28.0, "aromatic halocarbon organic", 1.22),
    "dichloromethane": _liquid(39.8, -97.2, None, "halocarbon organic", 1.22),
    "chloroform": _liquid(61.2, -63.4, None, "halocarbon trichloromethane organic", 1.39),
    "perfluorodecalin": _liquid(142.0, -10.0, None, "fluorocarbon", 1.00, _SUPPLIER),
    "fc40": _liquid(165.0, -57.0, None, "fluorocarbon", 1.00, f"{_SUPPLIER}; swelling of FC-43"),
    "hfe7500": _liquid(128.0, -100.0, None, "fluorocarbon", None, _SUPPLIER),
    "perfluorinated_oil": _liquid(
        215.0,
        -25.0,
        None,
        "fluorocarbon",
        1.00,
        "assumed: FC-70, because the flow review heats its oil to 180 degC; swelling of FC-43",
    ),
}

_C = frozenset
SUBSTANCES = {
    "trimethylsilyl_iodide": _C({"silyl_halide", "organic"}),
    "trimethylsilyl_bromide": _C({"silyl_halide", "organic"}),
    "trimethylsilyl_chloride": _C({"silyl_halide", "organic"}),
    "nitric_acid": _C({"oxidiser", "acid", "water"}),
    "piranha": _C({"oxidiser", "acid", "water"}),
    "hydrogen_peroxide": _C({"oxidiser", "water"}),
    "perchloric_acid": _C({"oxidiser", "acid", "water"}),
    "sodium_hypochlorite": _C({"oxidiser", "base", "water"}),
    "oleic_acid": _C({"carboxylic_acid", "organic"}),
    "octanoic_acid": _C({"carboxylic_acid", "organic"}),
    "ethylhexanoic_acid": _C({"carboxylic_acid", "organic"}),
    "oleylamine": _C({"amine", "base", "organic"}),
    "octylamine": _C({"amine", "base", "organic"}),
    "ethylhexylamine": _C({"amine", "base", "organic"}),
}
"""Classes of what may be dissolved, or stand neat beside a station; a salt has none."""


def is_known(name: str) -> bool:
    """Whether a name is one of a liquid or of a substance with classes."""
    return name in LIQUIDS or name in SUBSTANCES


def classes_of(name: str) -> frozenset[str]:
    """Classes of a liquid or substance; none for one that is in neither table."""
    return LIQUIDS[name].classes if name in LIQUIDS else SUBSTANCES.get(name, frozenset())


def unknown_liquid(name: str) -> str:
    """Say that a name is in neither table, and which one is near."""
    names = [*LIQUIDS, *SUBSTANCES]
    near = difflib.get_close_matches(name, names, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"a liquid must be one of {', '.join(names)}, but got {name!r}{hint}"
