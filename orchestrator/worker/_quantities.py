"""Quantities of a station file, written as "50 mL" or {value, unit}, in the units kept inside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from instruments.stores import StockLot, Waste
from instruments.tubing import Tube
from orchestrator.campaign import UnitError, convert

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?"
_TEXT = re.compile(rf"\s*(?P<value>{_NUMBER})\s*(?P<unit>[^\s\d].*)?")
_PRICE = re.compile(rf"\s*(?P<value>{_NUMBER})\s*(?P<currency>[A-Z]{{3}})\s*/\s*(?P<unit>\S.*)")


def quantity_in(given: Any, unit: str) -> float:
    """Return a quantity in `unit`.

    Args:
        given: Text such as "50 mL", or a mapping of `value` and `unit`.
        unit: That it is kept in.

    Raises:
        ValueError: neither of these, no unit, or one of another dimension.
    """
    if isinstance(given, Mapping) and set(given) == {"value", "unit"}:
        value, said = given["value"], given["unit"]
    else:
        found = _TEXT.fullmatch(given) if isinstance(given, str) else None
        value, said = (found["value"], found["unit"]) if found else (None, None)
    number = isinstance(value, (int, float, str)) and not isinstance(value, bool)
    if not number or not isinstance(said, str) or not said.strip():
        raise ValueError(
            f"a quantity is a number with its unit, such as '50 {unit}' or "
            f"{{value: 50, unit: {unit}}}, but got {given!r}"
        )
    try:
        return convert(float(str(value)), said.strip(), unit)
    except UnitError as error:
        raise ValueError(str(error)) from error


def price_in(given: Any, unit: str) -> dict[str, Any]:
    """Return a price such as "120 EUR/L" as `value` per `unit` and `currency`.

    Raises:
        ValueError: it is not of that form, or not per something of the unit's dimension.
    """
    found = _PRICE.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise ValueError(
            "a price is a number, a currency of three capitals and what it is for, such as "
            f"'120 EUR/L', but got {given!r}"
        )
    per = quantity_in(f"1 {found['unit'].strip()}", unit)
    return {"value": float(found["value"]) / per, "currency": found["currency"]}


def _plain_lot(given: Any) -> Any:
    """A lot with its quantities in the units of `instruments.stores`."""
    plain = _plain(given, {"volume": "µL"})
    if not isinstance(plain, dict):
        return plain
    if isinstance(plain.get("concentration"), Mapping):
        said = plain["concentration"]
        plain["concentration"] = {k: quantity_in(v, "mmol/L") for k, v in said.items()}
    if plain.get("price") is not None:
        plain["price"] = price_in(plain["price"], "µL")
    return plain


def _plain_waste(given: Any) -> Any:
    return _plain(given, {"capacity": "µL"})


def _plain_tube(given: Any) -> Any:
    return _plain(given, {"length": "mm", "bore": "mm"})


def _plain(given: Any, units: Mapping[str, str]) -> Any:
    """A mapping with these entries in these units; anything else as it came."""
    if not isinstance(given, Mapping):
        return given
    return {k: quantity_in(v, units[k]) if k in units else v for k, v in given.items()}


Lot = Annotated[StockLot, BeforeValidator(_plain_lot)]
Bin = Annotated[Waste, BeforeValidator(_plain_waste)]
Tubing = Annotated[Tube, BeforeValidator(_plain_tube)]
