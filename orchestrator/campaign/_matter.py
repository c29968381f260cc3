"""A budget of matter and money: volumes of stocks, amounts of species, what they cost."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from instruments.stores import StockDeclaration
from orchestrator.campaign._units import UnitError, convert
from orchestrator.campaign._words import nearest

_TEXT = re.compile(r"\s*(?P<value>[+-]?\d+\.?\d*(?:[eE][+-]?\d{1,3})?)\s*(?P<unit>\S.*)")
_MONEY = re.compile(r"\s*(?P<value>\d+\.?\d*)\s*(?P<currency>[A-Z]{3})")


@dataclass(frozen=True)
class MatterBudget:
    """What a campaign may draw in all.

    Attributes:
        stocks: Volumes by stock [µL].
        species: Amounts [µmol] of species that the station knows the concentrations of.
        money: What the drawn volumes may cost, in `currency`; None for no bound.
        currency: Three letters (ISO 4217).
    """

    stocks: Mapping[str, float] = field(default_factory=dict)
    species: Mapping[str, float] = field(default_factory=dict)
    money: float | None = None
    currency: str = ""

    @property
    def given(self) -> bool:
        """Whether it bounds anything."""
        return bool(self.stocks or self.species) or self.money is not None

    def document(self) -> dict[str, Any]:
        """Return what `MatterBudget(**document)` takes."""
        return asdict(self)


def read_matter(
    stocks: Mapping[str, Any],
    species: Mapping[str, Any],
    money: str | None,
    declared: Sequence[StockDeclaration],
    report: Callable[[str], None],
) -> MatterBudget:
    """Check the budget of a campaign file against what its station draws from.

    Args:
        stocks: Volumes as text such as "20 mL", by stock.
        species: Amounts such as "0.5 mmol", by species.
        money: Such as "20 EUR".
        declared: The station's stocks.
        report: Takes every mistake.
    """
    names = [s.name for s in declared]
    known = sorted({name for s in declared for name in s.concentrations})
    volumes = _bounds("stocks", stocks, names, "µL", report)
    amounts = _bounds("species", species, known, "µmol", report)
    if money is None:
        return MatterBudget(volumes, amounts)
    found = _MONEY.fullmatch(money)
    if found is None:
        report(f"budget.money: must be a sum such as '20 EUR', but got {money!r}")
        return MatterBudget(volumes, amounts)
    return MatterBudget(volumes, amounts, float(found["value"]), found["currency"])


def _bounds(
    key: str,
    given: Mapping[str, Any],
    known: Sequence[str],
    unit: str,
    report: Callable[[str], None],
) -> dict[str, float]:
    bounds = {}
    for name, said in given.items():
        where = f"budget.{key}.{name}"
        if name not in known:
            report(f"{where}: must be one of {', '.join(known) or 'none'}{nearest(name, known)}")
            continue
        found = _TEXT.fullmatch(said) if isinstance(said, str) else None
        try:
            value = convert(float(found["value"]), found["unit"], unit) if found else -1.0
        except UnitError as error:
            report(f"{where}: {error}")
            continue
        if not value > 0.0:
            report(f"{where}: must be text such as '20 {unit}', above zero, but got {said!r}")
            continue
        bounds[name] = value
    return bounds
