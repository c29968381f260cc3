"""Shapes of answers, for the OpenAPI document; fields may be added to every one of them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.trial import CampaignState, StopReason, TrialState


class _Document(BaseModel):
    model_config = ConfigDict(extra="allow")


class Mistake(_Document):
    """One mistake: the JSON pointer to it ("" for elsewhere), and what to do."""

    pointer: str
    message: str


class Problem(_Document):
    """A refusal (RFC 9457); `type` is `urn:dotpilot:SLUG`."""

    type: str = Field(pattern="^urn:dotpilot:[a-z-]+$")
    title: str
    status: int
    detail: str
    instance: str
    errors: list[Mistake]


class Quantity(_Document):
    """A number with its unit; where it was measured, with its standard error and method."""

    value: float
    unit: str
    se: float | None = None
    method: str | None = None


Quantities = dict[str, Quantity | str]


class Candidate(_Document):
    """A trial among the best."""

    trial: int
    recipe: Quantities
    observables: dict[str, Quantity]


class CampaignDocument(_Document):
    """As `dotpilot show --json`."""

    campaign: str
    name: str
    state: CampaignState
    stop_reason: StopReason | None
    trials: int
    completed: int
    best: Candidate | None
    pareto: list[Candidate]
    station: str
    agent: str
    seed: int
    source: Literal["launched", "imported", "forked"]
    created_at: str
    events: int


class CampaignFile(_Document):
    """The campaign file as it was declared."""


class CampaignEntry(_Document):
    """One line of the list."""

    campaign: str
    name: str
    state: CampaignState
    stop_reason: StopReason | None
    trials: int
    created_at: str


class CampaignList(_Document):
    """A page of campaigns, oldest first; `next` is null on the last."""

    campaigns: list[CampaignEntry]
    next: str | None


class EvidenceDocument(_Document):
    """A file that was attached: its name, its size [bytes], the SHA-256 of its bytes."""

    name: str
    size: int
    sha256: str


class AttachmentDocument(_Document):
    """A later measurement; `holds` names those of its values that no later one replaced."""

    event: int
    at: str
    actor: str
    attempt: int
    observables: dict[str, Quantity]
    holds: list[str]
    corrects: list[str]
    evidence: EvidenceDocument
    measured_at: str | None
    sample: str
    note: str


class TrialDocument(_Document):
    """As an entry of `dotpilot trials --json`."""

    trial: int
    attempt: int
    state: TrialState
    recipe: Quantities
    achieved: Quantities
    observables: dict[str, Quantity]
    verdict: dict[str, Any] | None
    proposal: dict[str, Any] | None
    conditions: dict[str, Any]
    failure: str | None
    warnings: list[str]
    lab_time: float | None
    identities: list[dict[str, Any]]
    attachments: list[AttachmentDocument]


class LateResultDocument(_Document):
    """A result that came with a stale fence: evidence for a decision."""

    id: str
    lease: str
    trial: int
    attempt: int
    worker: str | None
    at: str
    spectra: list[str]
    conditions: dict[str, Any]


class FullTrialDocument(TrialDocument):
    """A trial with who ran it, its leases, and what came too late for them."""

    lab: str | None
    worker: str | None
    leases: list[dict[str, Any]]
    late_results: list[LateResultDocument]


class TrialList(_Document):
    """A page of trials, by number."""

    trials: list[TrialDocument]
    next: str | None


class ProposalDocument(_Document):
    """Who made a recipe, and why."""

    trial: int
    step: int
    by: Literal["agent", "person", "record"]
    recipe: Quantities
    agent: dict[str, Any] | None
    seed: int | None
    history_hash: str | None
    policy: str | None
    policy_value: float | None
    predicted: dict[str, Any]
    details: dict[str, Any]
    origin: dict[str, Any]


class SpectrumDocument(_Document):
    """A raw spectrum; `values` has one row per frame where the instrument read repeatedly."""

    name: str
    axis: list[float | None]
    values: list[float | None] | list[list[float | None]]
    axis_unit: str
    unit: str
    settings: dict[str, Any]


class SpectrumList(_Document):
    """The spectra of one attempt."""

    trial: int
    attempt: int
    spectra: list[SpectrumDocument]


class EventDocument(_Document):
    """One link of the chain."""

    campaign: str
    seq: int
    type: str
    version: int
    at: str
    actor: str
    payload: dict[str, Any]
    prev_hash: str
    hash: str


class EventList(_Document):
    """Events in order; ask again with `after` set to `next`."""

    events: list[EventDocument]
    next: int


class Verification(_Document):
    """As `dotpilot replay verify --json`."""

    events: int
    head: str | None
    chain_ok: bool
    tables_ok: bool
    observables_checked: int
    observables_ok: int
    proposals_checked: int
    proposals_ok: int
    max_difference: float
    diverged_at: int | None
    findings: list[dict[str, Any]]


class AgentEntry(_Document):
    """One agent of the list."""

    name: str
    version: str


class AgentList(_Document):
    """The installed agents."""

    agents: list[AgentEntry]


class AgentDocument(AgentEntry):
    """As `dotpilot agent show --json`."""

    description: str
    options: dict[str, Any]
    libraries: dict[str, str]


class StationEntry(_Document):
    """One station of the list."""

    name: str
    version: str
    description: str
    simulated: bool


class StationList(_Document):
    """Stations with code here, and stations that were declared."""

    stations: list[StationEntry]


class StationDocument(StationEntry):
    """As `dotpilot station show --json`."""

    parameters: list[dict[str, Any]]
    observables: list[dict[str, Any]]
    repeatable: bool
    max_batch: int


class LabEntry(_Document):
    """A lab that has workers."""

    lab: str
    workers: list[str]
    stations: list[str]


class LabList(_Document):
    """The labs that have workers."""

    labs: list[LabEntry]


class WorkerDocument(_Document):
    """A worker as it registered; `seen_ago` is how long it has been silent [s]."""

    worker: str
    lab: str
    station: str
    simulated: dict[str, Any] | None
    version: str
    safe_within: float
    details: dict[str, Any]
    state: str
    registered_at: str
    seen_ago: float


class RegisteredWorker(WorkerDocument):
    """A worker with the times that it is to keep [s]."""

    lease_s: float
    heartbeat_s: float


class WorkerList(_Document):
    """The workers, by lab and name."""

    workers: list[WorkerDocument]


class LeaseMember(_Document):
    """One attempt of a lease, its recipe in the station's units."""

    trial: int
    attempt: int
    recipe: dict[str, float | str]


class LeaseDocument(_Document):
    """The right to run some attempts once; every message about it carries `fence`."""

    lease: str
    fence: int
    campaign: str
    station: str
    lab: str | None
    worker: str | None
    state: Literal["offered", "leased", "done", "lapsed", "withdrawn"]
    expires_in: float | None
    members: list[LeaseMember]
    simulated: dict[str, Any] | None
    lab_seed: int
    restore: dict[str, Any]
    progress: str | None
    cancel: bool


class LeaseList(_Document):
    """Leases that a worker holds."""

    leases: list[LeaseDocument]


class HeartbeatAnswer(_Document):
    """Time left [s], and what the worker is asked to do."""

    expires_in: float
    cancel: bool
    pause: bool


class LeaseEnd(_Document):
    """What a lease became, and the digest of what it keeps."""

    state: str
    digest: str | None


class TokenDocument(_Document):
    """A token without its secret."""

    id: str
    scopes: list[str]
    lab: str | None
    label: str
    created: str
    expires: str | None
    revoked: str | None
    used: str | None


class TokenList(_Document):
    """All tokens, oldest first."""

    tokens: list[TokenDocument]


class NewTokenDocument(_Document):
    """A token as it is shown, once."""

    token: str
    id: str
    scopes: list[str]
    lab: str | None
    expires: str | None


class AuditEntry(_Document):
    """Who did what to what."""

    number: int
    at: str
    actor: str
    action: str
    target: str
    status: int
    detail: str


class AuditList(_Document):
    """A page of the trail, the latest first."""

    audit: list[AuditEntry]
    next: str | None


class Health(_Document):
    """The process answers."""

    status: Literal["ok"]


class Version(_Document):
    """What runs here."""

    dotpilot: str
    api: str
    schema_: str = Field(alias="schema")
