"""Emergency stops of workers: an order, and what the worker says came of it.

The worker's state is the signal (`ready`, `stopping`, `stopped`); order and report are rows of the
audit trail, so that both are kept, and every process that serves the record sees them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, insert, select, update

from orchestrator.errors import NotFoundError
from orchestrator.ledger import Ledger
from orchestrator.ledger import _tables as t

ORDERED, REPORTED = "worker.stop", "worker.stopped"


@dataclass(frozen=True, slots=True)
class Stop:
    """An order to stop, and what came of it.

    Attributes:
        number: Of the order.
        worker: Who is to stop.
        lab: Where it is.
        station: What it owns.
        at: When it was ordered (UTC).
        by: Who ordered it.
        reason: Why.
        reported_at: When the worker reported (UTC); None where it has not.
        safe: Devices that confirmed their safe state.
        unconfirmed: `{"name", "problem"}` of those that did not.
        seconds: How long the worker took [s].
    """

    number: int
    worker: str
    lab: str
    station: str
    at: str
    by: str
    reason: str
    reported_at: str | None = None
    safe: Sequence[str] = ()
    unconfirmed: Sequence[Mapping[str, str]] = ()
    seconds: float | None = None

    def document(self) -> dict[str, Any]:
        """Return the stop as the API shows it."""
        done = self.reported_at is not None
        return {
            "stop": self.number,
            "worker": self.worker,
            "lab": self.lab,
            "station": self.station,
            "state": "stopped" if done else "stopping",
            "ordered_at": self.at,
            "by": self.by,
            "reason": self.reason,
            "reported_at": self.reported_at,
            "safe": list(self.safe),
            "unconfirmed": [dict(u) for u in self.unconfirmed],
            "seconds": self.seconds,
        }


def order_stop(ledger: Ledger, worker: str, by: str, reason: str) -> Stop:
    """Order a worker to stop: it gets no lease any more, and is asked to break off those it has.

    Of one that has stopped and was not started since, the stop that it confirmed is returned.

    Raises:
        NotFoundError: no such worker.
    """
    present = last_stop(ledger, worker)
    if present is not None and present.reported_at is not None and _ended(ledger, worker):
        return present  # it has confirmed, and has not been started since
    with _writing(ledger) as connection, connection.begin():
        found = connection.execute(
            update(t.worker).where(t.worker.c.id == worker).values(state="stopping")
        )
        if found.rowcount == 0:
            raise NotFoundError(f"there is no worker {worker!r}")
        connection.execute(
            update(t.lease)
            .where(t.lease.c.worker == worker, t.lease.c.state == "leased")
            .values(cancel=True)
        )
        _note(ledger, connection, by, ORDERED, worker, {"reason": reason})
    return _known(last_stop(ledger, worker), worker)


def _ended(ledger: Ledger, worker: str) -> bool:
    with ledger.engine.connect() as connection:
        state = connection.execute(select(t.worker.c.state).where(t.worker.c.id == worker))
        return bool(state.scalar() == "stopped")


def report_stop(
    ledger: Ledger,
    worker: str,
    by: str,
    number: int,
    safe: Sequence[str],
    unconfirmed: Sequence[Mapping[str, str]],
    seconds: float,
) -> Stop:
    """Keep what a worker says came of an order; a later report replaces it.

    Raises:
        NotFoundError: it was never ordered to, or not by this number.
    """
    if _known(last_stop(ledger, worker), worker).number != number:
        raise NotFoundError(f"worker {worker!r} was not ordered to stop by number {number}")
    told = {
        "stop": number,
        "safe": list(safe),
        "unconfirmed": [dict(u) for u in unconfirmed],
        "seconds": seconds,
    }
    with _writing(ledger) as connection, connection.begin():
        connection.execute(update(t.worker).where(t.worker.c.id == worker).values(state="stopped"))
        _note(ledger, connection, by, REPORTED, worker, told)
    return _known(last_stop(ledger, worker), worker)


def last_stop(ledger: Ledger, worker: str) -> Stop | None:
    """Return the latest order to a worker with its latest report; None where there is none."""
    with ledger.engine.connect() as connection:
        place = connection.execute(
            select(t.worker.c.lab, t.worker.c.station).where(t.worker.c.id == worker)
        ).one_or_none()
        order = _latest(connection, ORDERED, worker)
        if place is None or order is None:
            return None
        report = _latest(connection, REPORTED, worker)
    said = json.loads(order["detail"])
    stop = Stop(
        order["number"], worker, place[0], place[1], order["at"], order["actor"], said["reason"]
    )
    told = json.loads(report["detail"]) if report is not None else {}
    if report is None or told["stop"] != stop.number:
        return stop
    return replace(
        stop,
        reported_at=report["at"],
        safe=told["safe"],
        unconfirmed=told["unconfirmed"],
        seconds=told["seconds"],
    )


def worker_states(ledger: Ledger) -> tuple[Any, ...]:
    """Return what is another whenever a worker's state is."""
    query = select(t.worker.c.id, t.worker.c.state).order_by(t.worker.c.id)
    with ledger.engine.connect() as connection:
        return tuple(map(tuple, connection.execute(query)))


def _known(stop: Stop | None, worker: str) -> Stop:
    if stop is None:
        raise NotFoundError(f"worker {worker!r} was never ordered to stop")
    return stop


def _writing(ledger: Ledger) -> Connection:
    return ledger.engine.connect().execution_options(write=True)


def _latest(connection: Connection, action: str, worker: str) -> dict[str, Any] | None:
    query = (
        select(t.audit)
        .where(t.audit.c.action == action, t.audit.c.target == worker)
        .order_by(t.audit.c.number.desc())
        .limit(1)
    )
    found = connection.execute(query).mappings().one_or_none()
    return None if found is None else {str(name): value for name, value in found.items()}


def _note(
    ledger: Ledger,
    connection: Connection,
    by: str,
    action: str,
    worker: str,
    detail: Mapping[str, Any],
) -> None:
    row = {"at": ledger.now(), "actor": by, "action": action, "target": worker, "status": 0}
    connection.execute(insert(t.audit).values(**row, detail=json.dumps(detail)))


__all__ = ["Stop", "last_stop", "order_stop", "report_stop", "worker_states"]
