"""What a campaign is: the declared file, checked against its station and its agent."""

from orchestrator.campaign._check import check_campaign, read_document
from orchestrator.campaign._model import Campaign, from_resolved, quantity
from orchestrator.campaign._units import UnitError, convert, convert_width

__all__ = [
    "Campaign",
    "UnitError",
    "check_campaign",
    "convert",
    "convert_width",
    "from_resolved",
    "quantity",
    "read_document",
]
