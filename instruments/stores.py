"""What stands beside a station: lots of its stocks, the waste, and which stocks it draws from.

Volumes are in [µL], concentrations in [mmol/L], prices per [µL]. A station file gives them with
units (`orchestrator.worker`); here they are plain numbers.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

CONCENTRATION_TOLERANCE = 0.01
"""Relative; assumed, because a stock made up by weight in a volumetric flask is known so well."""
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Hazard = Annotated[str, Field(pattern=r"^(H\d{3}[A-Za-z]{0,3}|EUH\d{3}[A-Z]?|GHS0[1-9])$")]
Word = Annotated[str, Field(min_length=1, max_length=200)]


@dataclass(frozen=True, slots=True)
class StockDeclaration:
    """One liquid that a station draws from.

    Attributes:
        name: As a station file names it.
        solvent: A name of the solvents' table; "" for a neat substance that is none.
        contains: Substances in it, or the neat substance itself.
        concentrations: Species that the station reckons with [mmol/L].
    """

    name: str
    solvent: str
    contains: tuple[str, ...] = ()
    concentrations: Mapping[str, float] = field(default_factory=dict)


@runtime_checkable
class StockedStation(Protocol):
    """A station that says what it draws from."""

    def stocks(self) -> tuple[StockDeclaration, ...]:
        """Every stock, in a fixed order."""
        ...


class _Item(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Price(_Item):
    """What a stock costs: `value` [currency/µL], and the currency's three letters (ISO 4217)."""

    value: Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class StockLot(_Item):
    """One lot of a stock, as it stands at the station.

    Attributes:
        lot: The lab's own name of it; doses are counted per lot.
        volume: What was there when the lot was put up [µL].
        opened: Day on which it was opened.
        expires: Last day on which it may be used.
        concentration: Of species [mmol/L], or words about it.
        solvent: A name of the solvents' table; the station's own, if left out.
        hazards: Codes of the GHS: statements such as H225, pictograms such as GHS02.
        price: What it costs.
    """

    lot: Word
    volume: Positive
    opened: date | None = None
    expires: date | None = None
    concentration: dict[str, Positive] | Word | None = None
    solvent: Word | None = None
    hazards: tuple[Hazard, ...] = ()
    price: Price | None = None


class Waste(_Item):
    """Where everything goes that leaves the station; `capacity` [µL]."""

    capacity: Positive


class Stores(_Item):
    """Lots by the name of the station's stock, and the waste; both may be left out."""

    stocks: dict[str, StockLot] = {}
    waste: Waste | None = None


def declared_stocks(station: object) -> tuple[StockDeclaration, ...]:
    """Return what a station says that it draws from; () where it says nothing."""
    return station.stocks() if isinstance(station, StockedStation) else ()


def stores_problems(stores: Stores, declared: Sequence[StockDeclaration]) -> list[str]:
    """Return every lot that is not of a declared stock, or not what the station reckons with."""
    known = {stock.name: stock for stock in declared}
    problems: list[str] = []
    for name, lot in stores.stocks.items():
        if name in known:
            problems += [f"stocks.{name}.{p}" for p in _departures(lot, known[name])]
            continue
        near = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        problems.append(
            f"stocks.{name}: a stock must be one that the station draws from "
            f"({', '.join(known) or 'it names none'}), but got {name!r}{hint}"
        )
    return problems


def _departures(lot: StockLot, stock: StockDeclaration) -> list[str]:
    problems: list[str] = []
    if lot.solvent is not None and lot.solvent != stock.solvent:
        problems.append(
            f"solvent: the station reckons with {stock.solvent or 'no solvent'}, but got "
            f"{lot.solvent!r}; put up a lot in the station's solvent"
        )
    given = lot.concentration if isinstance(lot.concentration, Mapping) else {}
    for species, value in given.items():
        wanted = stock.concentrations.get(species)
        if wanted is None:
            problems.append(
                f"concentration: a species must be one of "
                f"{', '.join(stock.concentrations) or 'none'}, but got {species!r}; remove it"
            )
        elif abs(value - wanted) > CONCENTRATION_TOLERANCE * wanted:
            problems.append(
                f"concentration.{species}: flows are reckoned with {wanted:g} mmol/L within "
                f"{100.0 * CONCENTRATION_TOLERANCE:g} %, but got {value:g} mmol/L; put up a lot "
                "of that concentration"
            )
    return problems
