"""What a remote lab runs: a process that owns a station, leases trials, and loses no result."""

from orchestrator.worker._care import care_for
from orchestrator.worker._desk import Desk
from orchestrator.worker._dry_run import rehearse
from orchestrator.worker._orders import Orders
from orchestrator.worker._outbox import Entry, Outbox
from orchestrator.worker._person import ResultsFile, ask, tell
from orchestrator.worker._recipes import read_recipes
from orchestrator.worker._run import Outcome, run_lease
from orchestrator.worker._station_bay import StationBay
from orchestrator.worker._station_file import (
    Simulated,
    StationFile,
    is_declared,
    read_station_file,
    refuse_stale,
    stores_event,
    transcript_of,
    with_station_file,
)
from orchestrator.worker._worker import Worker

__all__ = [
    "Desk",
    "Entry",
    "Orders",
    "Outbox",
    "Outcome",
    "ResultsFile",
    "Simulated",
    "StationBay",
    "StationFile",
    "Worker",
    "ask",
    "care_for",
    "is_declared",
    "read_recipes",
    "read_station_file",
    "refuse_stale",
    "rehearse",
    "run_lease",
    "stores_event",
    "tell",
    "transcript_of",
    "with_station_file",
]
