"""The audit trail: one row for every request or command that changed something."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import insert, select

from orchestrator.ledger import Ledger
from orchestrator.ledger._statements import Prepared
from orchestrator.ledger._tables import audit as table

_COLUMNS = ("at", "actor", "action", "target", "status", "detail")
_ADD = Prepared(insert(table).inline(), _COLUMNS)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Who did what to what, and with which answer (an HTTP status; 0 for a command)."""

    number: int
    at: str
    actor: str
    action: str
    target: str
    status: int
    detail: str

    def document(self) -> dict[str, Any]:
        """Return the entry of the `audit` document."""
        return asdict(self)


def record_use(
    ledger: Ledger, actor: str, action: str, target: str, status: int = 0, detail: str = ""
) -> None:
    """Add a row to the trail."""
    with ledger.writing() as cursor:
        record_within(cursor, ledger, actor, action, target, status, detail)


def record_within(
    cursor: Any,
    ledger: Ledger,
    actor: str,
    action: str,
    target: str,
    status: int = 0,
    detail: str = "",
) -> None:
    """Add a row to the trail in the transaction of what it tells: both happen, or neither."""
    values = {
        "at": ledger.now(),
        "actor": actor,
        "action": action,
        "target": target,
        "status": status,
        "detail": detail,
    }
    _ADD.run(cursor, ledger.engine.dialect, values)


def audit_page(ledger: Ledger, before: int | None, limit: int) -> list[AuditRow]:
    """Return up to `limit` rows, the latest first, of those numbered below `before`."""
    query = select(table).order_by(table.c.number.desc()).limit(limit)
    if before is not None:
        query = query.where(table.c.number < before)
    with ledger.engine.connect() as connection:
        return [AuditRow(**row) for row in connection.execute(query).mappings()]
