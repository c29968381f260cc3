"""The campaign ledger: an append-only event log and the read tables folded from it."""

from orchestrator.ledger._arrays import array_digest
from orchestrator.ledger._backup import backup, restore
from orchestrator.ledger._chain import Chain
from orchestrator.ledger._doses import (
    DoseRow,
    declared_stores,
    dose_rows,
    lab_seconds,
    labs_with_doses,
    open_intents,
    stores_of,
)
from orchestrator.ledger._fold import FoldedCampaign, fold
from orchestrator.ledger._integrity import (
    Finding,
    IntegrityReport,
    check_integrity,
    refuse_unreachable,
)
from orchestrator.ledger._ledger import Ledger, utc_now
from orchestrator.ledger._owner import Ownership
from orchestrator.ledger._pages import (
    campaign_page,
    event_counts,
    event_page,
    offer_mark,
    trial_counts,
    trial_page,
)
from orchestrator.ledger._rows import CampaignRow, SpectrumRow, StoredSpectrum, TrialRow
from orchestrator.ledger._schema import HEAD, schema_state, upgrade
from orchestrator.ledger._write import encoded

__all__ = [
    "HEAD",
    "CampaignRow",
    "Chain",
    "DoseRow",
    "Finding",
    "FoldedCampaign",
    "IntegrityReport",
    "Ledger",
    "Ownership",
    "SpectrumRow",
    "StoredSpectrum",
    "TrialRow",
    "array_digest",
    "campaign_page",
    "backup",
    "check_integrity",
    "declared_stores",
    "dose_rows",
    "encoded",
    "event_counts",
    "event_page",
    "fold",
    "lab_seconds",
    "labs_with_doses",
    "offer_mark",
    "open_intents",
    "refuse_unreachable",
    "restore",
    "schema_state",
    "stores_of",
    "trial_counts",
    "trial_page",
    "upgrade",
    "utc_now",
]
