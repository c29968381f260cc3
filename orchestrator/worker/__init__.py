"""What a remote lab runs: a process that owns a station, leases trials, and loses no result."""

from orchestrator.worker._outbox import Entry, Outbox
from orchestrator.worker._run import Outcome, run_lease
from orchestrator.worker._station_file import (
    Simulated,
    StationFile,
    is_declared,
    read_station_file,
    with_station_file,
)
from orchestrator.worker._worker import Worker

__all__ = [
    "Entry",
    "Outbox",
    "Outcome",
    "Simulated",
    "StationFile",
    "Worker",
    "is_declared",
    "read_station_file",
    "run_lease",
    "with_station_file",
]
