"""Decisions of people about campaigns and trials; each is recorded.

A campaign that one process runs is decided on as its owner, while that process rests. A served one
has a loop that owns it and reads the record, so people write beside it.
"""

from orchestrator.decisions._attach import Attachment, attach_measurement
from orchestrator.decisions._campaigns import (
    abort_campaign,
    drain_campaign,
    fork_served,
    open_campaign,
    pause_campaign,
    resume_campaign,
)
from orchestrator.decisions._doubt import Decision, resolve_doubt
from orchestrator.decisions._permission import ACTOR
from orchestrator.decisions._recipes import (
    MovedOnError,
    add_trial,
    approve_trials,
    edit_trial,
    read_recipe,
    veto_trial,
)
from orchestrator.decisions._stations import declare_station, declared_stations

__all__ = [
    "ACTOR",
    "Attachment",
    "Decision",
    "MovedOnError",
    "abort_campaign",
    "add_trial",
    "approve_trials",
    "attach_measurement",
    "declare_station",
    "declared_stations",
    "drain_campaign",
    "edit_trial",
    "fork_served",
    "open_campaign",
    "pause_campaign",
    "read_recipe",
    "resolve_doubt",
    "resume_campaign",
    "veto_trial",
]
