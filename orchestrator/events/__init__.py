"""Typed, versioned, hash-chained events: the vocabulary of the ledger. Pure.

An event's payload is one of the models below. Its text is canonical JSON (sorted keys, no
spaces, `repr` floats, no NaN), stored and hashed exactly as written. The hash of an event covers
its sequence number, campaign, type, version, time, actor, payload text and the previous hash.
Quantities inside payloads are plain numbers in the units that `campaign.created` declares.
"""

from orchestrator.events._campaign import (
    AgentRecord,
    CampaignCreated,
    CampaignDraining,
    CampaignFailed,
    CampaignFinished,
    CampaignPaused,
    CampaignResumed,
    CampaignStarted,
    CampaignStopped,
    PredictedValue,
    ProposedTrial,
    StepProposed,
)
from orchestrator.events._envelope import (
    FIRST_HASH,
    Event,
    Hash,
    canonical,
    event_hash,
    make_event,
)
from orchestrator.events._payload import (
    Payload,
    Value,
)
from orchestrator.events._payloads import (
    PAYLOADS,
)
from orchestrator.events._stores import (
    DoseRecord,
    Doses,
    DosesSettled,
    LotRecord,
    StockCorrected,
    StoresDeclared,
    WasteEmptied,
)
from orchestrator.events._trials import (
    BatchMember,
    EvidenceRecord,
    ObservableRecord,
    SpectrumRecord,
    TrialAbandoned,
    TrialAdded,
    TrialApproved,
    TrialCompleted,
    TrialDispatched,
    TrialEdited,
    TrialFailed,
    TrialImported,
    TrialInDoubt,
    TrialMeasured,
    TrialObserved,
    TrialRejected,
    TrialResolved,
    TrialRunning,
    VerdictRecord,
    adopted,
)

__all__ = [
    "AgentRecord",
    "BatchMember",
    "CampaignCreated",
    "CampaignDraining",
    "CampaignFailed",
    "CampaignFinished",
    "CampaignPaused",
    "CampaignResumed",
    "CampaignStarted",
    "CampaignStopped",
    "DoseRecord",
    "Doses",
    "DosesSettled",
    "Event",
    "EvidenceRecord",
    "FIRST_HASH",
    "Hash",
    "LotRecord",
    "ObservableRecord",
    "PAYLOADS",
    "Payload",
    "PredictedValue",
    "ProposedTrial",
    "SpectrumRecord",
    "StepProposed",
    "StockCorrected",
    "StoresDeclared",
    "TrialAbandoned",
    "TrialAdded",
    "TrialApproved",
    "TrialCompleted",
    "TrialDispatched",
    "TrialEdited",
    "TrialFailed",
    "TrialImported",
    "TrialInDoubt",
    "TrialMeasured",
    "TrialObserved",
    "TrialRejected",
    "TrialResolved",
    "TrialRunning",
    "Value",
    "VerdictRecord",
    "WasteEmptied",
    "adopted",
    "canonical",
    "event_hash",
    "make_event",
]
