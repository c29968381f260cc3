"""Typed, versioned, hash-chained events: the vocabulary of the ledger. Pure.

An event's payload is one of the models below. Its text is canonical JSON (sorted keys, no
spaces, `repr` floats, no NaN), stored and hashed exactly as written. The hash of an event covers
its sequence number, campaign, type, version, time, actor, payload text and the previous hash.
Quantities inside payloads are plain numbers in the units that `campaign.created` declares.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.errors import RecordError
from orchestrator.trial import StopReason

Value = float | int | str
FIRST_HASH = "0" * 64


class Payload(BaseModel):
    """Base of all payloads; `TYPE` and `VERSION` name the shape."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    TYPE: ClassVar[str]
    VERSION: ClassVar[int] = 1


class AgentRecord(BaseModel):
    """Which agent, exactly."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    version: str
    configuration: dict[str, Any]
    libraries: dict[str, str]


class CampaignCreated(Payload):
    """A campaign exists. `declared` is the file as given, `resolved` the same in station units.

    `dispatch` says who runs its trials: the process that launched it, or the workers of labs.
    """

    TYPE: ClassVar[str] = "campaign.created"
    name: str
    source: Literal["launched", "imported", "forked"]
    declared: dict[str, Any]
    resolved: dict[str, Any]
    station: dict[str, Any]
    seed: int
    lab_seed: int
    parent: str | None = None
    forked_at: int | None = None
    dispatch: Literal["local", "fleet"] = "local"


class CampaignStarted(Payload):
    """The loop took the campaign up for the first time."""

    TYPE: ClassVar[str] = "campaign.started"


class CampaignPaused(Payload):
    """The loop let go of the campaign; it can be resumed."""

    TYPE: ClassVar[str] = "campaign.paused"
    reason: str


class CampaignDraining(Payload):
    """No new trial will be started; those under way are finished."""

    TYPE: ClassVar[str] = "campaign.draining"
    reason: str


class CampaignResumed(Payload):
    """The loop took the campaign up again."""

    TYPE: ClassVar[str] = "campaign.resumed"


class CampaignFinished(Payload):
    """A declared stop rule held (or an import is complete, with no stop reason)."""

    TYPE: ClassVar[str] = "campaign.finished"
    stop_reason: StopReason | None
    detail: str = ""
    trial: int | None = None


class CampaignStopped(Payload):
    """A person or the station stopped the campaign before a stop rule held."""

    TYPE: ClassVar[str] = "campaign.stopped"
    stop_reason: StopReason
    detail: str = ""


class CampaignFailed(Payload):
    """A bug or an outside failure ended the loop; it can be resumed."""

    TYPE: ClassVar[str] = "campaign.failed"
    error: str


class PredictedValue(BaseModel):
    """What the agent expected of one observable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    mean: float
    sd: float


class ProposedTrial(BaseModel):
    """One recipe of a step, with the reasons for it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    trial: int = Field(ge=1)
    recipe: dict[str, Value]
    policy: str
    predicted: dict[str, PredictedValue] = {}
    policy_value: float | None = None
    details: dict[str, Any] = {}


class StepProposed(Payload):
    """The agent proposed the trials of one step from the history before this event."""

    TYPE: ClassVar[str] = "step.proposed"
    step: int = Field(ge=1)
    seed: int
    history_hash: str
    agent: AgentRecord
    proposals: tuple[ProposedTrial, ...] = Field(min_length=1)


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


class DoseRecord(BaseModel):
    """A volume drawn of one stock [µL]: between `least` and `most`, the same where it is known.

    `lab` and `lot` say of which bottle; both are empty where no station file names one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    least: float = Field(ge=0)
    most: float = Field(ge=0)
    lab: str = ""
    lot: str = ""


Doses = dict[str, DoseRecord]


class LotRecord(BaseModel):
    """A bottle of a stock solution that a station draws from; `volume` [µL] is what it held."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    lot: str
    volume: float = Field(ge=0)
    expires: str | None = None
    details: dict[str, Any] = {}


class StoresDeclared(Payload):
    """What a station draws from, and how much waste it can hold [µL], as its file says."""

    TYPE: ClassVar[str] = "stores.declared"
    lab: str
    station: str
    stocks: dict[str, LotRecord]
    waste_capacity: float | None = None


class StockCorrected(Payload):
    """A person found that a lot holds more (or, negative, less) than the record says [µL]."""

    TYPE: ClassVar[str] = "stock.corrected"
    lab: str
    stock: str
    lot: str
    change: float
    note: str


class WasteEmptied(Payload):
    """A person emptied a lab's waste."""

    TYPE: ClassVar[str] = "waste.emptied"
    lab: str
    note: str


class DosesSettled(Payload):
    """A pump told later what was in doubt.

    `doubt` is the event that recorded the doubt, `doses` are all of that attempt as now known.
    """

    TYPE: ClassVar[str] = "doses.settled"
    trial: int
    attempt: int
    doubt: int
    doses: Doses


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


PAYLOADS: dict[str, type[Payload]] = {
    model.TYPE: model
    for model in (
        CampaignCreated,
        CampaignStarted,
        CampaignPaused,
        CampaignDraining,
        CampaignResumed,
        CampaignFinished,
        CampaignStopped,
        CampaignFailed,
        StoresDeclared,
        StockCorrected,
        WasteEmptied,
        DosesSettled,
        StepProposed,
        TrialAdded,
        TrialEdited,
        TrialApproved,
        TrialDispatched,
        TrialRunning,
        TrialMeasured,
        TrialCompleted,
        TrialRejected,
        TrialFailed,
        TrialInDoubt,
        TrialResolved,
        TrialObserved,
        TrialAbandoned,
        TrialImported,
    )
}


_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False
)


def canonical(document: Any) -> str:
    """Return canonical JSON: sorted keys, no spaces, shortest round-trip floats, no NaN."""
    return _ENCODER.encode(document)


Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True)
class Event:
    """One link of a campaign's chain; `payload` is the canonical text as stored.

    `at` is ISO 8601 in UTC with microseconds and `+00:00`.
    """

    campaign: str
    seq: int
    type: str
    version: int
    at: str
    actor: str
    payload: str
    prev_hash: str
    hash: str

    def expected_hash(self) -> str:
        """Compute the hash that this event should carry."""
        return event_hash(
            self.campaign,
            self.seq,
            self.type,
            self.version,
            self.at,
            self.actor,
            self.payload,
            self.prev_hash,
        )

    def read(self) -> Payload:
        """Parse the payload into its model.

        Raises:
            RecordError: unknown type or version, or a payload that does not fit its model.
        """
        model = PAYLOADS.get(self.type)
        if model is None or self.version != model.VERSION:
            raise RecordError(
                f"event {self.seq}: an event must be of a known type and version, but is "
                f"{self.type!r} version {self.version!r}; a newer dotpilot may read it"
            )
        try:
            return model.model_validate_json(self.payload)
        except ValueError as error:
            raise RecordError(
                f"event {self.seq} ({self.type}): unreadable payload: {error}"
            ) from error


def event_hash(
    campaign: str, seq: int, kind: str, version: int, at: str, actor: str, payload: str, prev: str
) -> str:
    """Return the SHA-256 over the canonical JSON list of all fields of an event."""
    text = canonical([campaign, seq, kind, version, at, actor, payload, prev])
    return hashlib.sha256(text.encode()).hexdigest()


def make_event(campaign: str, seq: int, at: str, actor: str, payload: Payload, prev: str) -> Event:
    """Build the event that follows the one whose hash is `prev` (`FIRST_HASH` for the first)."""
    text = canonical(payload.model_dump(mode="json"))
    digest = event_hash(campaign, seq, payload.TYPE, payload.VERSION, at, actor, text, prev)
    return Event(campaign, seq, payload.TYPE, payload.VERSION, at, actor, text, prev, digest)
