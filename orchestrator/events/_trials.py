"""Events of a trial on its way through the lab."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.events._payload import Payload, Value
from orchestrator.events._stores import Doses


class TrialApproved(Payload):
    """A trial may be run: approved by a person, or to be run again as `attempt`."""

    TYPE: ClassVar[str] = "trial.approved"
    trial: int
    attempt: int
    reason: str


class TrialAdded(Payload):
    """A person added a recipe of their own; it runs as any other trial of the present step."""

    TYPE: ClassVar[str] = "trial.added"
    trial: int = Field(ge=1)
    step: int = Field(ge=0)
    recipe: dict[str, Value]
    note: str
    request: str | None = None  # hash of the caller's key, so that no crash adds it twice


class TrialEdited(Payload):
    """A person changed a proposed recipe before it was approved."""

    TYPE: ClassVar[str] = "trial.edited"
    trial: int
    recipe: dict[str, Value]
    note: str


class BatchMember(BaseModel):
    """One attempt of those that a station makes in one run."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    trial: int
    attempt: int


class TrialDispatched(Payload):
    """Write-ahead intent: from here on matter may have moved. `batch` is what is run together.

    `lab` and `worker` name who holds the lease; both are empty where the loop runs the station.
    `planned` is the most that the attempt may draw.
    """

    TYPE: ClassVar[str] = "trial.dispatched"
    trial: int
    attempt: int
    station: str
    batch: tuple[BatchMember, ...] = ()
    lab: str = ""
    worker: str = ""
    planned: Doses = {}


class TrialRunning(Payload):
    """The station took the attempt up; `planned` is what a lab's worker says it may draw."""

    TYPE: ClassVar[str] = "trial.running"
    trial: int
    attempt: int
    planned: Doses = {}


class SpectrumRecord(BaseModel):
    """A spectrum of a measurement; its arrays lie in the array store under their digests."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    axis_sha256: str
    values_sha256: str
    axis_unit: str
    unit: str
    settings: dict[str, Any] = {}


class TrialMeasured(Payload):
    """Raw data and conditions, as the instruments gave them."""

    TYPE: ClassVar[str] = "trial.measured"
    trial: int
    attempt: int
    achieved: dict[str, Value]
    conditions: dict[str, dict[str, Any]]
    spectra: tuple[SpectrumRecord, ...]
    station_state: dict[str, Any]
    identities: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...]
    lab_time: float
    doses: Doses = {}


class ObservableRecord(BaseModel):
    """A derived number, its standard error (None where unknown), unit and method."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    value: float
    se: float | None
    unit: str
    method: str


class VerdictRecord(BaseModel):
    """The quality gate's word."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: Literal["accept", "accept_wide", "repeat", "stop"]
    reasons: tuple[str, ...] = ()


class TrialCompleted(Payload):
    """Observables were derived and accepted."""

    TYPE: ClassVar[str] = "trial.completed"
    trial: int
    attempt: int
    observables: dict[str, ObservableRecord]
    verdict: VerdictRecord


class TrialRejected(Payload):
    """The quality gate refused the measurement; it may be repeated as a new attempt."""

    TYPE: ClassVar[str] = "trial.rejected"
    trial: int
    attempt: int
    observables: dict[str, ObservableRecord]
    verdict: VerdictRecord


class TrialFailed(Payload):
    """A defined, informative failure; `reason` is a stable slug."""

    TYPE: ClassVar[str] = "trial.failed"
    trial: int
    attempt: int
    reason: str
    message: str
    lab_time: float | None = None
    station_state: dict[str, Any] | None = None
    verdict: VerdictRecord | None = None
    doses: Doses = {}


class TrialInDoubt(Payload):
    """An intent without an outcome was found: nobody knows what happened."""

    TYPE: ClassVar[str] = "trial.in_doubt"
    trial: int
    attempt: int
    found: str
    reason: str
    doses: Doses = {}


class TrialResolved(Payload):
    """A recorded decision ended the doubt. `attempt` is the one to run where it is repeated."""

    TYPE: ClassVar[str] = "trial.resolved"
    trial: int
    attempt: int
    decision: Literal["adopt", "repeat", "abandon"]
    by: Literal["person", "policy"]
    note: str
    achieved: dict[str, Value] = {}
    observables: dict[str, ObservableRecord] = {}
    evidence: dict[str, Any] | None = None


def adopted(resolved: TrialResolved) -> TrialMeasured | None:
    """Return the raw data of a late result that a doubt was ended with.

    Raises:
        ValueError: evidence that is no measurement.
    """
    found = (resolved.evidence or {}).get("measurement")
    return None if found is None else TrialMeasured.model_validate(found)


class EvidenceRecord(BaseModel):
    """A file of evidence; its bytes lie in the array store, as an array of bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    size: int = Field(ge=1)
    sha256: str
    array_sha256: str


class TrialObserved(Payload):
    """A later measurement: values that hold from here on, and the file that they rest on."""

    TYPE: ClassVar[str] = "trial.observed"
    trial: int
    attempt: int
    observables: dict[str, ObservableRecord] = Field(min_length=1)
    technique: str
    stated: dict[str, Any] | None = None
    read: dict[str, dict[str, Any]] = {}
    evidence: EvidenceRecord
    corrects: tuple[str, ...] = ()
    measured_at: str | None = None
    sample: str = ""
    note: str
    request: str | None = None
    origin: dict[str, Any] = {}


class TrialAbandoned(Payload):
    """The trial will not be run; nothing was learned."""

    TYPE: ClassVar[str] = "trial.abandoned"
    trial: int
    reason: str


class TrialImported(Payload):
    """A trial that another record brought: a laboratory file's row, or a fork's parent."""

    TYPE: ClassVar[str] = "trial.imported"
    trial: int
    attempt: int
    step: int
    state: Literal["completed", "rejected", "failed", "abandoned"]
    recipe: dict[str, Value]
    achieved: dict[str, Value] = {}
    observables: dict[str, ObservableRecord] = {}
    verdict: VerdictRecord | None = None
    conditions: dict[str, dict[str, Any]] = {}
    spectra: tuple[SpectrumRecord, ...] = ()
    station_state: dict[str, Any] | None = None
    identities: tuple[dict[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()
    failure: str | None = None
    lab_time: float | None = None
    origin: dict[str, Any] = {}
