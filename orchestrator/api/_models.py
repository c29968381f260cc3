"""What requests hold. Unknown fields are refused, so that a slip is not taken for silence."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.events import DoseRecord
from orchestrator.fleet import Failure, Result
from orchestrator.replay import HEAD

Word = Annotated[str, Field(max_length=200)]
Note = Annotated[str, Field(max_length=4000)]
Seconds = Annotated[float, Field(gt=0, le=60 * 86_400, allow_inf_nan=False)]
Fence = Annotated[int, Field(ge=0, lt=2**63)]
# Whole numbers beyond this are not told apart as floating-point numbers.
_EXACT = 2**53
Plain = (
    Annotated[float, Field(allow_inf_nan=False)]
    | Annotated[int, Field(ge=-_EXACT, le=_EXACT)]
    | Word
)
Recipe = Annotated[dict[Word, Plain | dict[str, Plain]], Field(max_length=200)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CampaignRequest(_Body):
    """A campaign to open."""

    file: dict[str, Any] = Field(description="The campaign file.")
    start: bool = Field(True, description="Begin at once; else it is a draft.")
    id: str | None = Field(
        None,
        pattern="^[A-Za-z0-9][A-Za-z0-9_-]{5,63}$",
        description="A free identifier of the caller's making: the same again opens one campaign.",
    )


class ReasonRequest(_Body):
    """Why a campaign is steered."""

    reason: Note = ""


class ForkRequest(_Body):
    """Where a fork begins, and what is to be different."""

    at: int = Field(ge=1, lt=2**31, description="Number of the parent's event.")
    agent: Word | None = None
    seed: int | None = Field(None, ge=0, lt=2**63)
    start: bool = False


class VerifyRequest(_Body):
    """How strictly a record is verified."""

    tolerance: float = Field(1e-6, ge=0, allow_inf_nan=False)
    proposals: bool = True
    expect_head: Annotated[str, Field(pattern=HEAD)] | None = Field(
        None, description="The `head` of an earlier verification, `SEQ:HASH`."
    )


class RecipeRequest(_Body):
    """A recipe: values plain, in the station's units, or `{"value", "unit"}`."""

    recipe: Recipe
    note: Note = ""


class NoteRequest(_Body):
    """Why."""

    note: Note = ""


class ResolveRequest(_Body):
    """How a doubt ends."""

    decision: Literal["adopt", "repeat", "abandon"]
    note: Note
    evidence: dict[str, Any] | None = None
    late_result: Word | None = Field(None, description="Identifier of a result that came late.")


class FileContent(_Body):
    """A file: its name, and its bytes in base64."""

    name: Word
    base64: str = Field(min_length=1)


class StatedValue(_Body):
    """A number that a person states."""

    value: float = Field(allow_inf_nan=False)
    unit: Word = ""
    se: float | None = Field(None, ge=0, allow_inf_nan=False)


class AttachRequest(_Body):
    """A later measurement of a trial, with the file that it rests on."""

    observables: Annotated[list[Word], Field(min_length=1, max_length=20)]
    file: FileContent
    note: Note
    stated: StatedValue | None = Field(None, description="Left out, the file is read.")
    technique: Word = ""
    measured_at: Word | None = Field(None, description="ISO 8601 with its offset from UTC.")
    sample: Word = ""
    correct: bool = Field(False, description="Replace what the station measured.")


class LeaseRequest(_Body):
    """A worker asks for work."""

    worker: Word
    wait_s: float = Field(0.0, ge=0, le=60, description="How long to wait for some [s].")
    lease_s: Seconds | None = Field(None, description="How long to keep it in silence [s].")
    campaign: Word | None = Field(None, description="Of this campaign only.")
    instance: Word | None = Field(None, description="As the worker registered it.")


class HeartbeatRequest(_Body):
    """A worker is alive and at work."""

    fence: Fence
    progress: Note = ""
    lease_s: Seconds | None = None
    planned: dict[int, dict[str, DoseRecord]] = {}


class ResultRequest(_Body):
    """What a lease's run brought back: one result for each attempt."""

    fence: Fence
    results: Annotated[list[Result], Field(max_length=1000)]


class FailureRequest(Failure):
    """How a lease ended without a result."""

    fence: Fence


class ReturnRequest(_Body):
    """Nothing was moved; somebody else may have it."""

    fence: Fence
    reason: Note = ""
