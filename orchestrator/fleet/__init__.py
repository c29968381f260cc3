"""Leases for remote labs, and the loops of the campaigns that they serve."""

from orchestrator.fleet._fleet import Fleet
from orchestrator.fleet._models import (
    Failure,
    Heartbeat,
    LateResult,
    Lease,
    LeaseAnswer,
    LeaseLostError,
    Member,
    PackedArray,
    Result,
    SpectrumItem,
    WorkerRegistration,
    WorkerRow,
)
from orchestrator.fleet._reported import read_result
from orchestrator.fleet._roster import LEASE_S
from orchestrator.fleet._runner import LoopRunner
from orchestrator.fleet._served import ServedLoop, proposed_step, proposed_through
from orchestrator.fleet._stops import Stop, last_stop, order_stop, report_stop, worker_states
from orchestrator.wire import packed, result_document

__all__ = [
    "LEASE_S",
    "Failure",
    "Fleet",
    "Heartbeat",
    "LateResult",
    "Lease",
    "LeaseAnswer",
    "LeaseLostError",
    "LoopRunner",
    "Member",
    "PackedArray",
    "Result",
    "ServedLoop",
    "SpectrumItem",
    "Stop",
    "WorkerRegistration",
    "WorkerRow",
    "last_stop",
    "order_stop",
    "packed",
    "proposed_step",
    "proposed_through",
    "read_result",
    "report_stop",
    "result_document",
    "worker_states",
]
