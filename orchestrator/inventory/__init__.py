"""What a lab holds of its stocks: bottles, doses, doubts, waste; and what a run still needs."""

from orchestrator.inventory._corrections import correct_stock, empty_waste
from orchestrator.inventory._holdings import Holding, Inventory, read_inventory
from orchestrator.inventory._stores import Stores, check_prices, check_stores

__all__ = [
    "Holding",
    "Inventory",
    "Stores",
    "check_prices",
    "check_stores",
    "correct_stock",
    "empty_waste",
    "read_inventory",
]
