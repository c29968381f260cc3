"""The bottles that a campaign's station draws from now, and whether they suffice for a run."""

from __future__ import annotations

import math
from collections.abc import Mapping

from instruments.doses import Dose
from orchestrator.campaign import Campaign
from orchestrator.errors import InputRefusedError
from orchestrator.events import DoseRecord, LotRecord, StoresDeclared
from orchestrator.inventory._holdings import Inventory, read_inventory
from orchestrator.ledger import Ledger, stores_of

ROUNDING = 1e-6  # µL by which sums of doses may err


def check_stores(ledger: Ledger, stores: StoresDeclared) -> None:
    """Refuse bottles that the record knows otherwise.

    Raises:
        InputRefusedError: a lot that was opened with another volume.
    """
    held = read_inventory(ledger, stores.lab).holdings
    wrong = [
        f"stocks.{stock}: a lot is opened once, but {lot.lot!r} was opened with "
        f"{held[stock, lot.lot].lot.volume:g} µL and the file says {lot.volume:g} µL; give a new "
        "bottle a lot of its own, or write the volume that it was opened with"
        for stock, lot in stores.stocks.items()
        if (stock, lot.lot) in held
        and held[stock, lot.lot].opened
        and not math.isclose(held[stock, lot.lot].lot.volume, lot.volume, rel_tol=1e-9)
    ]
    if wrong:
        raise InputRefusedError(wrong)


def check_prices(campaign: Campaign, stores: StoresDeclared | None) -> None:
    """Refuse a budget of money that no price could ever spend.

    Raises:
        InputRefusedError: no bottle has a price in the budget's currency.
    """
    if campaign.matter.money is None:
        return
    lots = {} if stores is None else stores.stocks
    prices = [lot.details.get("price") or {} for lot in lots.values()]
    if not any(p.get("currency") == campaign.matter.currency for p in prices):
        raise InputRefusedError(
            f"budget.money: needs a price in {campaign.matter.currency} of some stock, but the "
            "station file names none; give `price` to its stocks, and the file with --station"
        )


class Stores:
    """What one campaign draws from.

    Args:
        ledger: The record.
        campaign: Identifier.
    """

    def __init__(self, ledger: Ledger, campaign: str) -> None:
        self._ledger = ledger
        self._declared = stores_of(ledger, campaign)

    @property
    def lab(self) -> str:
        """The place; empty where no station file was given."""
        return "" if self._declared is None else self._declared.lab

    @property
    def stocks(self) -> Mapping[str, LotRecord]:
        """The bottle of each stock that the station file names."""
        return {} if self._declared is None else self._declared.stocks

    def record(self, doses: Mapping[str, Dose]) -> dict[str, DoseRecord]:
        """Return doses as they are recorded, with the bottles that they came from."""
        return {
            stock: DoseRecord(least=dose.least, most=dose.most, lab=self.lab, lot=self._lot(stock))
            for stock, dose in doses.items()
        }

    def planned(self, needs: Mapping[str, float]) -> dict[str, DoseRecord]:
        """Return the most that a run may draw as an intent records it."""
        return self.record({n: Dose(0.0, most) for n, most in needs.items() if most > 0.0})

    def _lot(self, stock: str) -> str:
        found = self.stocks.get(stock)
        return "" if found is None else found.lot

    def shortages(self, needs: Mapping[str, float], supplies: Mapping[str, float]) -> list[str]:
        """Return why a run cannot be finished with what there is; nothing where it can.

        Args:
            needs: Most that the run may draw of each stock [µL].
            supplies: What the station can draw of a stock in one run [µL].
        """
        found = [
            _short(stock, supplies[stock], most, "the station as it stands")
            for stock, most in needs.items()
            if stock in supplies and most > supplies[stock] + ROUNDING
        ]
        if self._declared is None:
            return found
        held = read_inventory(self._ledger, self.lab)
        for stock, most in needs.items():
            left = held.left(stock, self._lot(stock))
            if stock in self.stocks and most > left + ROUNDING:
                found.append(_short(stock, left, most, f"lot {self._lot(stock)}"))
        return found + self._overflow(held, sum(needs.values()))

    def _overflow(self, held: Inventory, more: float) -> list[str]:
        capacity = held.waste_capacity
        if capacity is None or held.waste_most + more <= capacity + ROUNDING:
            return []
        return [
            f"the waste of {self.lab} takes {capacity:g} µL and holds up to "
            f"{held.waste_most:.1f} µL, so another {more:.1f} µL do not fit; empty it and say so "
            f"with `dotpilot inventory {self.lab} --waste-emptied`"
        ]


def _short(stock: str, left: float, most: float, where: str) -> str:
    return (
        f"{stock} falls {most - left:.1f} µL short: the run may draw up to {most:.1f} µL and "
        f"{where} surely holds {max(left, 0.0):.1f} µL; open a new bottle in the station file"
    )
