"""Short campaigns on the simulated flow line."""

from __future__ import annotations

from typing import Any

from orchestrator.events import StepProposed
from orchestrator.ledger import TrialRow

SMALL: dict[str, Any] = {
    "name": "small",
    "station": "flow_synthesis",
    "lab": {"hidden": 3},
    "space": [
        {"name": "lead_concentration", "low": 3, "high": 12, "unit": "mmol/L", "log": True},
        {"name": "flow_velocity", "low": 20, "high": 90, "unit": "mm/s"},
        {"name": "halide_salt", "choices": ["none", "ZnI2"]},
        {"name": "salt_concentration", "low": 2, "high": 10, "unit": "mmol/L",
         "when": {"halide_salt": ["ZnI2"]}},
    ],
    "objectives": [
        {"observable": "peak_emission", "goal": "target", "value": 2.43, "tolerance": 0.01,
         "unit": "eV"},
        {"observable": "plqy", "goal": "maximise"},
    ],
    "agent": {"name": "sobol"},
    "batch": 2,
    "budget": {"trials": 4},
    "seed": 5,
}  # fmt: skip

PLATES: dict[str, Any] = {
    "name": "plates",
    "station": "larp_plate",
    "lab": {"hidden": 3},
    "space": [
        {"name": "amine_acid_ratio", "low": 0.05, "high": 1.0},
        {"name": "antisolvent", "choices": ["toluene", "chloroform"]},
        {"name": "characterisation", "value": "reader"},
    ],
    "objectives": [
        {"observable": "peak_emission", "goal": "target", "value": 515, "tolerance": 4},
        {"observable": "intensity", "goal": "maximise"},
    ],
    "agent": {"name": "sobol"},
    "batch": 3,
    "budget": {"trials": 4},
    "seed": 5,
}


class Silent:
    """An observer that watches nothing."""

    def proposed(self, step: StepProposed) -> None:
        """Nothing."""

    def running(self, trial: TrialRow) -> None:
        """Nothing."""

    def progress(self, text: str) -> None:
        """Nothing."""

    def ended(self, trial: TrialRow) -> None:
        """Nothing."""

    def finished(self, state: str, detail: str) -> None:
        """Nothing."""
