"""Tubes of a station: their volumes and delays, and what their material bears.

Lengths and bores in [mm], volumes in [µL], temperatures in [degC].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from instruments.solvents import LIQUIDS, classes_of

SWELLING_LIMIT = 1.10
"""Length ratio above which PDMS is not used (assumed, because a bore then changes by a tenth)."""


@dataclass(frozen=True, slots=True)
class Material:
    """What tubes are made of.

    Attributes:
        highest: In continuous use [degC].
        attacked_by: Classes of liquids that swell, extract or dissolve it.
        source: Of both.
    """

    highest: float
    attacked_by: frozenset[str]
    source: str


_ORGANICS = frozenset(
    {"hydrocarbon", "aromatic", "halocarbon", "ketone", "amide", "ester", "sulfoxide", "nitrile"}
)
_NONE: frozenset[str] = frozenset()
_CHEMOURS = "Chemours Teflon fluoropolymer resins, properties handbook: inert to organic liquids"
MATERIALS = {
    "FEP": Material(200.0, _NONE, _CHEMOURS),
    "PFA": Material(260.0, _NONE, _CHEMOURS),
    "PTFE": Material(260.0, _NONE, _CHEMOURS),
    "PEEK": Material(
        100.0,
        frozenset({"halocarbon", "sulfoxide", "oxidiser"}),
        "tubing vendors' charts: 100 degC; swollen by dichloromethane and DMSO, attacked by "
        "concentrated nitric and sulphuric acid; all halocarbons assumed like dichloromethane",
    ),
    "PDMS": Material(
        200.0,
        frozenset({"amine", "oxidiser"}),
        "Dow Sylgard 184: 200 degC; swelling by liquid: Lee, Park and Whitesides 2003",
    ),
    "Tygon": Material(
        74.0,
        _ORGANICS | {"amine", "oxidiser"},
        "Saint-Gobain Tygon E-3603: 74 degC; plasticised PVC, which organic liquids extract",
    ),
    "glass": Material(500.0, _NONE, "Schott Borofloat 33: 500 degC for short, 450 degC for long"),
    "steel": Material(400.0, frozenset({"acid"}), "316 steel; assumed: stations are cooler"),
}
MaterialName = Annotated[str, Field(pattern="^(" + "|".join(MATERIALS) + ")$")]
Length = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


class Tube(BaseModel):
    """One tube: `length` and `bore` [mm], `material` of `MATERIALS`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    length: Length
    bore: Length
    material: MaterialName

    @property
    def area(self) -> float:
        """Cross-section [mm²]."""
        return math.pi / 4.0 * self.bore**2

    @property
    def volume(self) -> float:
        """What it holds [µL]."""
        return self.area * self.length

    def delay(self, flow: float) -> float:
        """Time to pass it [s] at a flow [µL/s].

        Raises:
            ValueError: the flow is not positive.
        """
        if not flow > 0.0:
            raise ValueError(f"a delay needs a positive flow, but got {flow} µL/s")
        return self.volume / flow


@runtime_checkable
class TubedStation(Protocol):
    """A station whose tubes a lab may describe."""

    def tubes(self) -> tuple[str, ...]:
        """Names of its tubes."""
        ...


def attack(material: str, liquid: str) -> str:
    """Return why a material does not bear a liquid or substance; empty where it does.

    A liquid whose swelling of PDMS nobody measured counts as swelling where it is organic.
    """
    found = MATERIALS[material]
    caught = sorted(found.attacked_by & classes_of(liquid))
    if caught:
        return f"{caught[0]}s attack it ({found.source})"
    if material != "PDMS" or liquid not in LIQUIDS:
        return ""
    swelling = LIQUIDS[liquid].swelling
    if swelling is None and "organic" in LIQUIDS[liquid].classes:
        return f"nobody measured how it swells ({found.source})"
    if swelling is not None and swelling > SWELLING_LIMIT:
        return f"it swells to {swelling:.2f} of its length ({found.source})"
    return ""
