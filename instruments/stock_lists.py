"""What the stations without a pump or a trough for each liquid draw from.

Strengths are those that a person makes the stocks up to; a recipe is mixed from them.
"""

from __future__ import annotations

from instruments.stores import StockDeclaration

TOPO = (
    StockDeclaration(
        "caesium_dopa", "hexane", ("caesium_diisooctylphosphinate",), {"caesium": 40.0}
    ),
    StockDeclaration("caesium_oleate", "hexane", ("caesium_oleate",), {"caesium": 40.0}),
    StockDeclaration("lead", "hexane", ("lead_bromide", "topo"), {"lead": 100.0, "topo": 220.0}),
    StockDeclaration("topo", "hexane", ("topo",), {"topo": 1000.0}),
    StockDeclaration("solvent", "hexane"),
)
"""PbBr2 in hexane with TOPO, and a caesium ligand (seed 001); strengths are assumed, because with
them every recipe leaves room for solvent."""

EXCHANGE = (
    StockDeclaration("tmsi", "hexane", ("trimethylsilyl_iodide",), {"iodide": 10.0}),
    StockDeclaration("tmsi_titration", "hexane", ("trimethylsilyl_iodide",), {"iodide": 1.0}),
    StockDeclaration("hexane", "hexane"),
    StockDeclaration("nanocrystals", "hexane", ("caesium_lead_bromide",)),
    StockDeclaration("caesium_oleate", "octadecene", ("caesium_oleate", "oleic_acid")),
    StockDeclaration("lead_bromide", "octadecene", ("lead_bromide", "oleic_acid", "oleylamine")),
    StockDeclaration("antisolvent", "acetone"),
)
"""0.01 and 0.001 mol/L TMSI in hexane, hot injection in octadecene, acetone as antisolvent (seed
003, Experimental section)."""

MICROPIPETTE = (
    StockDeclaration("lead_acetate", "dmf", ("lead_acetate",), {"lead": 120.0}),
    StockDeclaration("caesium_acetate", "dmf", ("caesium_acetate",), {"caesium": 180.0}),
    StockDeclaration("diluent", "dmf"),
    StockDeclaration("bromobenzene", "bromobenzene"),
)
"""Acetates in DMF against neat bromobenzene (seed 000); strengths are assumed, because equal parts
then make the strongest recipe."""
