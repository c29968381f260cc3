"""What is left of each bottle of a lab, folded from the doses of all its campaigns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from orchestrator.events import LotRecord, StoresDeclared
from orchestrator.ledger import (
    DoseRow,
    Ledger,
    declared_stores,
    dose_rows,
    lab_seconds,
    open_intents,
)


@dataclass(frozen=True, slots=True)
class Holding:
    """One bottle, volumes in µL; where doses are in doubt, `drawn_least` is below `drawn_most`.

    Attributes:
        stock: Name that the station has for what is in it.
        lot: What its label says.
        drawn_least: At least drawn since it was opened.
        drawn_most: At most.
        base: What it held when somebody last weighed it, or when it was opened.
        since_least: At least drawn since then.
        since_most: At most.
        weighed: Whether somebody weighed it.
        opened: Whether a station file named it.
        draws: Attempts that drew from it.
    """

    stock: str
    lot: LotRecord
    drawn_least: float = 0.0
    drawn_most: float = 0.0
    base: float = 0.0
    since_least: float = 0.0
    since_most: float = 0.0
    weighed: bool = False
    opened: bool = False
    draws: int = 0

    @property
    def left_least(self) -> float:
        """What is surely left; below zero where the record and the bottle disagree."""
        return self.base - self.since_most

    @property
    def left_most(self) -> float:
        """What is left if nothing of the doubtful was drawn."""
        return self.base - self.since_least


@dataclass(frozen=True)
class Inventory:
    """What a lab holds.

    Attributes:
        lab: Its name; empty for campaigns that no station file was given.
        holdings: Every bottle that was opened or drawn from, by stock and lot.
        waste_least: What its waste surely holds [µL].
        waste_most: What it holds at most.
        waste_capacity: What it can hold; None where no station file says.
        doubts: Doses that nobody knows.
        seconds: How long its campaigns took on its own clock [s].
    """

    lab: str
    holdings: dict[tuple[str, str], Holding]
    waste_least: float
    waste_most: float
    waste_capacity: float | None
    doubts: list[DoseRow] = field(default_factory=list)
    seconds: float = 0.0

    def left(self, stock: str, lot: str) -> float:
        """Return what is surely left of a bottle [µL]; a bottle that nobody opened is empty."""
        found = self.holdings.get((stock, lot))
        return 0.0 if found is None else found.left_least


def read_inventory(ledger: Ledger, lab: str, file: StoresDeclared | None = None) -> Inventory:
    """Fold the doses of a lab's campaigns.

    What is drawn ends in the waste: wells, vials and the stream of a line alike.

    Args:
        ledger: The record.
        lab: Name of the place.
        file: What its station file names by now; bottles that no campaign opened are full.
    """
    rows = [*dose_rows(ledger, lab), *open_intents(ledger, lab)]
    holdings: dict[tuple[str, str], Holding] = {}
    capacity: float | None = None
    waste = [0.0, 0.0]
    for row in rows:
        if row.kind == "opened":
            stores = declared_stores(ledger, row.campaign)[row.seq]
            capacity = stores.waste_capacity
            for stock, lot in stores.stocks.items():
                _open(holdings, stock, lot)
            continue
        if row.kind == "emptied":
            waste = [0.0, 0.0]
            continue
        for stock, dose in row.doses.items():
            _draw(holdings, row.kind, stock, dose.lot, dose.least, dose.most)
            if row.kind in _DRAWN:
                waste = [waste[0] + dose.least, waste[1] + dose.most]
    if file is not None:
        capacity = file.waste_capacity
        for stock, lot in file.stocks.items():
            _open(holdings, stock, lot)
    doubts = [r for r in rows if any(d.least < d.most for d in r.doses.values())]
    ordered = dict(sorted(holdings.items()))
    return Inventory(lab, ordered, waste[0], waste[1], capacity, doubts, lab_seconds(ledger, lab))


_DRAWN = ("drawn", "doubtful", "settled", "planned")


def _open(holdings: dict[tuple[str, str], Holding], stock: str, lot: LotRecord) -> None:
    before = holdings.get((stock, lot.lot)) or Holding(stock, lot)
    base = before.base if before.opened or before.weighed else lot.volume
    holdings[stock, lot.lot] = replace(before, lot=lot, base=base, opened=True)


def _draw(
    holdings: dict[tuple[str, str], Holding],
    kind: str,
    stock: str,
    lot: str,
    least: float,
    most: float,
) -> None:
    before = holdings.get((stock, lot)) or Holding(stock, LotRecord(lot=lot, volume=0.0))
    if kind == "weighed":  # whatever was drawn or doubted before is in it
        holdings[stock, lot] = replace(
            before, base=most, since_least=0.0, since_most=0.0, weighed=True
        )
        return
    holdings[stock, lot] = replace(
        before,
        drawn_least=before.drawn_least + least,
        drawn_most=before.drawn_most + most,
        since_least=before.since_least + least,
        since_most=before.since_most + most,
        draws=before.draws + 1,
    )
