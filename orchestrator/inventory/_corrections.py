"""What people found: a bottle that holds more or less than the record says, an emptied waste."""

from __future__ import annotations

from orchestrator.errors import InputRefusedError, NotFoundError
from orchestrator.events import Payload, StockCorrected, WasteEmptied
from orchestrator.inventory._holdings import read_inventory
from orchestrator.ledger import Ledger, dose_rows


def correct_stock(
    ledger: Ledger, lab: str, stock: str, lot: str, volume: float, note: str
) -> None:
    """Record that a bottle holds `volume` [µL]; doubts about it keep their width.

    Raises:
        NotFoundError: no such bottle.
        InputRefusedError: a volume below zero.
    """
    held = read_inventory(ledger, lab).holdings
    if (stock, lot) not in held:
        known = ", ".join(f"{s}/{x}" for s, x in held) or "none"
        raise NotFoundError(f"{lab} has no bottle {stock}/{lot}; it has {known}")
    if not volume >= 0.0:
        raise InputRefusedError(f"a bottle holds 0 µL or more, but got {volume:g} µL")
    change = volume - held[stock, lot].left_most
    _append(ledger, lab, StockCorrected(lab=lab, stock=stock, lot=lot, change=change, note=note))


def empty_waste(ledger: Ledger, lab: str, note: str) -> None:
    """Record that a lab's waste was emptied.

    Raises:
        NotFoundError: no campaign of this lab.
    """
    _append(ledger, lab, WasteEmptied(lab=lab, note=note))


def _append(ledger: Ledger, lab: str, payload: Payload) -> None:
    """Append to the latest campaign that drew from the lab's stocks."""
    rows = dose_rows(ledger, lab)
    if not rows:
        raise NotFoundError(f"no campaign has drawn anything at {lab!r} yet")
    ledger.append(rows[-1].campaign, payload, actor="person")
