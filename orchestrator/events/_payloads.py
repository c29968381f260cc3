"""Every payload by its type."""

from __future__ import annotations

from orchestrator.events._campaign import (
    CampaignCreated,
    CampaignDraining,
    CampaignFailed,
    CampaignFinished,
    CampaignPaused,
    CampaignResumed,
    CampaignStarted,
    CampaignStopped,
    StepProposed,
)
from orchestrator.events._payload import Payload
from orchestrator.events._stores import (
    DosesSettled,
    StockCorrected,
    StoresDeclared,
    WasteEmptied,
)
from orchestrator.events._trials import (
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
)

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
