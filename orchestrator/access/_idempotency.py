"""Answers kept by the caller's key, so that a request sent twice is carried out once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from orchestrator.errors import ConflictError, InputRefusedError
from orchestrator.ledger import Ledger
from orchestrator.ledger._tables import idempotency as table

KEPT = timedelta(hours=48)
# Longer than any create takes; after it the process that began is taken for dead.
IN_FLIGHT = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered; `response` is the JSON text of headers and body."""

    status: int
    response: str


class KeyStore:
    """Remembers per (actor, key) what was asked and answered."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def begin(self, actor: str, key: str, route: str, digest: str) -> Answer | None:
        """Claim a key; return the answer that was given before, if any.

        Raises:
            InputRefusedError: the key was used for something else.
            ConflictError: the same request is being carried out.
        """
        now = self._ledger.time().timestamp()
        mine = (table.c.actor == actor) & (table.c.key == key)
        row = {"actor": actor, "key": key, "route": route, "digest": digest}
        expires = now + IN_FLIGHT.total_seconds()
        engine = self._ledger.engine
        try:
            with engine.connect().execution_options(write=True) as connection, connection.begin():
                connection.execute(delete(table).where(table.c.expires <= now))
                found = connection.execute(select(table).where(mine)).mappings().first()
                if found is None:
                    connection.execute(insert(table).values(**row, expires=expires))
                    return None
        except IntegrityError as error:
            raise ConflictError(_busy(key)) from error
        if (found["route"], found["digest"]) != (route, digest):
            raise InputRefusedError(
                f"an Idempotency-Key stands for one request, but {key!r} was used for another; "
                "take a new key"
            )
        if found["status"] is None:
            raise ConflictError(_busy(key))
        return Answer(found["status"], found["response"])

    def finish(self, actor: str, key: str, answer: Answer) -> None:
        """Keep the answer to a key that was claimed."""
        expires = self._ledger.time().timestamp() + KEPT.total_seconds()
        values = {"status": answer.status, "response": answer.response, "expires": expires}
        self._change(update(table).values(**values), actor, key)

    def drop(self, actor: str, key: str) -> None:
        """Give a claimed key back: nothing was done."""
        self._change(delete(table), actor, key)

    def _change(self, statement: Any, actor: str, key: str) -> None:
        chosen = statement.where(table.c.actor == actor, table.c.key == key)
        engine = self._ledger.engine
        with engine.connect().execution_options(write=True) as connection, connection.begin():
            connection.execute(chosen)


def _busy(key: str) -> str:
    return f"the request with Idempotency-Key {key!r} is being carried out; ask again later"
