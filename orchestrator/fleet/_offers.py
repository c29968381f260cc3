"""What the loop of a served campaign offers to workers, fenced by its ownership."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from orchestrator.campaign import Campaign
from orchestrator.errors import ConflictError
from orchestrator.events import canonical
from orchestrator.fleet._fleet import new_id
from orchestrator.fleet._statements import LeaseStatements, edged
from orchestrator.ledger import Ledger, TrialRow


class Offers:
    """The offers of one campaign."""

    def __init__(self, ledger: Ledger, campaign_id: str, campaign: Campaign, token: int) -> None:
        self._ledger, self._id, self._token = ledger, campaign_id, token
        self._campaign = campaign
        self._sql = LeaseStatements(ledger.engine.dialect)

    def offered(self) -> set[int]:
        """Return the trials that are offered or leased."""
        with self._ledger.reading() as cursor:
            return self._taken(cursor)

    def _taken(self, cursor: Any) -> set[int]:
        rows = self._sql.all(cursor, "open", {"campaign": self._id})
        return {trial for row in rows for trial, _ in json.loads(row[1])}

    def offer(self, trials: Sequence[TrialRow]) -> None:
        """Offer one run of the station for these trials' present attempts.

        Raises:
            ConflictError: another process owns the campaign by now, or the trials are offered.
        """
        lab = self._campaign.lab
        values: dict[str, Any] = {
            "id": new_id("l"),
            "campaign": self._id,
            "members": canonical([[t.number, t.attempt] for t in trials]),
            "station": self._campaign.station,
            "labs": edged(self._campaign.labs),
            "hidden": canonical(dict(lab)) if lab else None,
        }
        with self._ledger.writing() as cursor:
            self._ledger.check_owner(cursor, self._id, self._token)
            if double := self._taken(cursor).intersection(t.number for t in trials):
                raise ConflictError(
                    f"a trial is offered once, but {sorted(double)} of {self._id} are; read the "
                    "leases again"
                )
            self._sql.run(cursor, "offer", values)

    def withdraw(self) -> None:
        """Take back what nobody has leased."""
        with self._ledger.writing() as cursor:
            self._sql.run(cursor, "withdraw", {"campaign": self._id})
