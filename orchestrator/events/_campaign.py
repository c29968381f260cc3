"""Events of a campaign, and the steps that its agent proposes."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.events._payload import Payload, Value
from orchestrator.trial import StopReason


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
