"""Alarms: what a person should hear of at once, and how it reaches them."""

from orchestrator.alarms._file import AlarmsFile, read_alarms_file
from orchestrator.alarms._model import KINDS, Alarm, Kind
from orchestrator.alarms._record import RecordWatch
from orchestrator.alarms._sender import Alarms
from orchestrator.alarms._steps import Durations, StepWatch

__all__ = [
    "KINDS",
    "Alarm",
    "Alarms",
    "AlarmsFile",
    "Durations",
    "Kind",
    "RecordWatch",
    "StepWatch",
    "read_alarms_file",
]
