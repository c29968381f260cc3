"""The right to write a decision into a record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.errors import ConflictError
from orchestrator.ledger import CampaignRow, Ledger

ACTOR = "person"


@contextmanager
def permission(ledger: Ledger, row: CampaignRow) -> Iterator[int | None]:
    """Give the fencing token to write with: None beside the loop of a served campaign.

    Raises:
        ConflictError: another process runs the campaign.
    """
    if row.dispatch == "fleet":
        yield None
        return
    with ledger.acquire(row.id) as ownership:
        yield ownership.token


def served(row: CampaignRow) -> CampaignRow:
    """Return the row of a campaign whose loop a server runs.

    Raises:
        ConflictError: the process that launched it runs it.
    """
    if row.dispatch != "fleet":
        raise ConflictError(
            f"only a campaign that is served to labs is steered here, but {row.id} is run by the "
            "process that launches or resumes it; fork it to go on with it here"
        )
    return row
