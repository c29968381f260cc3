"""What a campaign has drawn and what that cost, against its budget; doubtful doses count whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from instruments import Station
from instruments.stores import declared_stocks
from orchestrator.campaign import Campaign
from orchestrator.inventory import Stores
from orchestrator.ledger import Ledger, declared_stores, dose_rows

PER_LITRE = 1e-3  # mmol/L times µL is this many µmol


class MatterSpent:
    """Adds up the doses of one campaign.

    Args:
        ledger: The record.
        campaign_id: Whose doses.
        campaign: Whose budget.
        station: Knows what is in its stocks.
    """

    def __init__(
        self, ledger: Ledger, campaign_id: str, campaign: Campaign, station: Station
    ) -> None:
        self._ledger, self._id, self._budget = ledger, campaign_id, campaign.matter
        self._stocks = {s.name: s for s in declared_stocks(station)}

    def exceeded(self, needs: Mapping[str, float] | None = None) -> str:
        """Return why the budget is spent, or would be by a run; empty where it is not.

        Args:
            needs: Most that the run may draw of each stock [µL]; None asks whether it is spent.
        """
        if not self._budget.given:
            return ""
        drawn, cost = self._drawn()
        more = needs or {}
        for stock, bound in self._budget.stocks.items():
            if said := _over(stock, drawn.get(stock, 0.0), more.get(stock, 0.0), bound, "µL"):
                return said
        for species, bound in self._budget.species.items():
            held, wanted = self._amount(drawn, species), self._amount(more, species)
            if said := _over(species, held, wanted, bound, "µmol"):
                return said
        if self._budget.money is None:
            return ""
        wanted = sum(volume * self._price(stock) for stock, volume in more.items())
        return _over("money", cost, wanted, self._budget.money, self._budget.currency)

    def _drawn(self) -> tuple[dict[str, float], float]:
        """Volumes by stock [µL], and what they cost."""
        prices = self._prices()
        volumes: dict[str, float] = {}
        cost = 0.0
        for row in dose_rows(self._ledger, None, self._id):
            if row.kind in ("drawn", "doubtful", "settled"):
                for stock, dose in row.doses.items():
                    volumes[stock] = volumes.get(stock, 0.0) + dose.most
                    cost += dose.most * prices.get((stock, dose.lot), 0.0)
        return volumes, cost

    def _amount(self, volumes: Mapping[str, float], species: str) -> float:
        """Amount of a species in these volumes [µmol]."""
        return PER_LITRE * sum(
            volume * self._stocks[stock].concentrations.get(species, 0.0)
            for stock, volume in volumes.items()
            if stock in self._stocks
        )

    def _prices(self) -> dict[tuple[str, str], float]:
        """Price of each bottle [currency/µL]; zero in another currency than the budget's."""
        return {
            (stock, lot.lot): _price(lot.details, self._budget.currency)
            for stores in declared_stores(self._ledger, self._id).values()
            for stock, lot in stores.stocks.items()
        }

    def _price(self, stock: str) -> float:
        lot = Stores(self._ledger, self._id).stocks.get(stock)
        return 0.0 if lot is None else _price(lot.details, self._budget.currency)


def _price(details: Mapping[str, Any], currency: str) -> float:
    price = details.get("price") or {}
    return float(price.get("value", 0.0)) if price.get("currency") == currency else 0.0


def _over(what: str, drawn: float, more: float, bound: float, unit: str) -> str:
    if drawn + more <= bound and drawn < bound:
        return ""
    wanted = f", and the next run may take {more:.4g} {unit}" if more else ""
    return f"{what}: {drawn:.4g} of {bound:.4g} {unit} are spent{wanted}"
