"""The loop: propose, dispatch, observe, decide."""

from orchestrator.loop._attempt import (
    MAX_ATTEMPTS,
    Attempts,
    analysis_records,
    measured_event,
    recorded_measurement,
    reported_analysis,
    stored_measurement,
)
from orchestrator.loop._drive import (
    check_feasible,
    create_campaign,
    drive,
    recorded_campaign,
    station_document,
    station_of,
)
from orchestrator.loop._history import history, observations, outcomes, step_seed
from orchestrator.loop._matter import MatterSpent
from orchestrator.loop._propose import Planner, agent_record, feasibility, make_agent
from orchestrator.loop._run import CampaignLoop, Observer, StopRequest
from orchestrator.loop._settle import policy_decision, unheeded_stop
from orchestrator.loop._stop import budget_spent, lab_hours, room_in_budget, stop_decision

__all__ = [
    "MAX_ATTEMPTS",
    "Attempts",
    "MatterSpent",
    "budget_spent",
    "CampaignLoop",
    "Observer",
    "Planner",
    "StopRequest",
    "agent_record",
    "check_feasible",
    "create_campaign",
    "drive",
    "recorded_campaign",
    "recorded_measurement",
    "reported_analysis",
    "station_document",
    "station_of",
    "analysis_records",
    "feasibility",
    "history",
    "lab_hours",
    "measured_event",
    "policy_decision",
    "room_in_budget",
    "unheeded_stop",
    "make_agent",
    "observations",
    "outcomes",
    "step_seed",
    "stop_decision",
    "stored_measurement",
]
