"""What people found: a bottle that holds more or less than the record says, an emptied waste."""

from __future__ import annotations

from orchestrator.errors import InputRefusedError, NotFoundError
from orchestrator.events import Payload, StockCorrected, WasteEmptied
from orchestrator.inventory._holdings import read_inventory
from orchestrator.ledger import Ledger, dose_rows

LARGEST = 1e9  # µL; assumed, because no lab draws from a bottle of more than a cubic metre


def correct_stock(
    ledger: Ledger, lab: str, stock: str, lot: str, volume: float, note: str
) -> None:
    """Record that a bottle holds `volume` [µL]; what was drawn or doubted before is in it.

    Raises:
        NotFoundError: no such bottle.
        InputRefusedError: a volume below zero, or more than the bottle was opened with.
    """
    held = read_inventory(ledger, lab).holdings
    if (stock, lot) not in held:
        known = ", ".join(f"{s}/{x}" for s, x in held) or "none"
        raise NotFoundError(f"{lab} has no bottle {stock}/{lot}; it has {known}")
    found = held[stock, lot]
    most = found.lot.volume if found.opened else LARGEST
    if not 0.0 <= volume <= most * (1.0 + 1e-9):
        raise InputRefusedError(
            f"a bottle holds from 0 µL to the {most:g} µL that it was opened with, but got "
            f"{volume:g} µL; give a new bottle a lot of its own"
        )
    _append(ledger, lab, StockCorrected(lab=lab, stock=stock, lot=lot, volume=volume, note=note))


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
