"""Run the twins, and score them against published figures."""

from orchestrator.twins.checks import Check, RowFunction, above, below, difference

__all__ = ["Check", "RowFunction", "above", "below", "difference"]
