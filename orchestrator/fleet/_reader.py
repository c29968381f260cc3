"""What is read of leases, workers and late results; nothing is locked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from orchestrator.errors import NotFoundError
from orchestrator.fleet._models import LateResult, Lease, Result, WorkerRow
from orchestrator.fleet._rows import lease_of, worker_of
from orchestrator.fleet._statements import COLUMNS, LeaseStatements, Row
from orchestrator.ledger import Ledger


class FleetReader:
    """Reads what a ledger knows of its labs; may be shared by threads."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._sql = LeaseStatements(ledger.engine.dialect)

    def workers(self, worker: str | None = None) -> list[WorkerRow]:
        """Return the workers (the one of this name), by lab and name."""
        with self.ledger.reading() as cursor:
            rows = self._sql.all(cursor, "workers", {"id": worker})
        return [worker_of(row) for row in rows]

    def lease(self, lease: str) -> Lease:
        """Return a lease.

        Raises:
            NotFoundError: no such lease.
        """
        with self.ledger.reading() as cursor:
            row = self._sql.one(cursor, "find", {"id": lease})
            if row is None:
                raise NotFoundError(f"there is no lease {lease}")
            return self._lease(cursor, row)

    def lab_of(self, lease: str) -> str | None:
        """Return the lab that holds a lease.

        Raises:
            NotFoundError: no such lease.
        """
        with self.ledger.reading() as cursor:
            row = self._sql.one(cursor, "lab", {"id": lease})
        if row is None:
            raise NotFoundError(f"there is no lease {lease}")
        return None if row[0] is None else str(row[0])

    def leases(self, campaign: str | None = None, worker: str | None = None) -> list[Lease]:
        """Return leases, oldest first: all of a campaign, else those that are open."""
        values = {"campaign": campaign, "worker": worker}
        with self.ledger.reading() as cursor:
            return [self._lease(cursor, r) for r in self._sql.all(cursor, "listed", values)]

    def late_results(self, campaign: str, trial: int) -> list[LateResult]:
        """Return the evidence that came too late for a trial, oldest first."""
        values = {"campaign": campaign, "trial": trial}
        with self.ledger.reading() as cursor:
            rows = self._sql.all(cursor, "late_listed", values)
        return [
            LateResult(i, of, number, attempt, who, at, Result.model_validate_json(body))
            for i, of, number, attempt, who, at, body in rows
        ]

    def _digest_of(self, lease: str) -> str | None:
        with self.ledger.reading() as cursor:
            row = self._sql.one(cursor, "find", {"id": lease})
        return None if row is None else dict(zip(COLUMNS, row, strict=False))["digest"]

    def _member(self, cursor: Any, campaign: str, trial: int) -> Row:
        row = self._sql.one(cursor, "member", {"campaign": campaign, "number": trial})
        if row is None:
            raise NotFoundError(f"campaign {campaign} has no trial {trial}")
        return row

    def _lease(self, cursor: Any, row: Row) -> Lease:
        """Return a lease as it is read, without a lock."""
        campaign, members = row[1], json.loads(row[2])
        found = {trial: self._member(cursor, campaign, trial) for trial, _ in members}
        lab_seed = max(int(member[3]) for member in found.values())
        recipes = {trial: member[0] for trial, member in found.items()}
        return lease_of(row, recipes, lab_seed, self._restore(cursor, row))

    def _restore(self, cursor: Any, row: Row) -> Mapping[str, Any]:
        """Return the state that a lab's station is to take up."""
        columns = dict(zip(COLUMNS, row, strict=False))
        key = {"campaign": columns["campaign"], "lab": columns["lab"]}
        state = self._sql.one(cursor, "restore", key)
        return json.loads(state[0]) if state else {}
