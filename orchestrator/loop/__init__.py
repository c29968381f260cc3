"""The loop: propose, dispatch, observe, decide."""

from orchestrator.loop._attempt import (
    MAX_ATTEMPTS,
    analysis_records,
    recorded_measurement,
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
from orchestrator.loop._propose import Planner, agent_record, feasibility, make_agent
from orchestrator.loop._run import CampaignLoop, Observer, StopRequest
from orchestrator.loop._stop import lab_hours, stop_decision

__all__ = [
    "MAX_ATTEMPTS",
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
    "station_document",
    "station_of",
    "analysis_records",
    "feasibility",
    "history",
    "lab_hours",
    "make_agent",
    "observations",
    "outcomes",
    "step_seed",
    "stop_decision",
    "stored_measurement",
]
