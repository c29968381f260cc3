"""What a campaign is: the declared file, checked against its station and its agent."""

from orchestrator.campaign._check import check_campaign
from orchestrator.campaign._declared import (
    read_station,
    reported_observables,
    reported_parameters,
)
from orchestrator.campaign._document import read_document
from orchestrator.campaign._evidence import LARGEST_EVIDENCE, attached_values
from orchestrator.campaign._file import Number
from orchestrator.campaign._later import LaterObservable, attachable
from orchestrator.campaign._model import Campaign, from_resolved, quantity
from orchestrator.campaign._outcome import (
    Outcome,
    best_trial,
    pareto_trials,
    probability_met,
    target_reached,
    trials_without_improvement,
)
from orchestrator.campaign._units import UnitError, check_unit, convert, convert_width
from orchestrator.campaign._words import said

__all__ = [
    "LARGEST_EVIDENCE",
    "Campaign",
    "LaterObservable",
    "Number",
    "Outcome",
    "UnitError",
    "attachable",
    "attached_values",
    "best_trial",
    "check_campaign",
    "check_unit",
    "convert",
    "convert_width",
    "from_resolved",
    "pareto_trials",
    "probability_met",
    "quantity",
    "read_document",
    "read_station",
    "reported_observables",
    "reported_parameters",
    "said",
    "target_reached",
    "trials_without_improvement",
]
