"""A campaign under its lock: read once, extended by events, written by one statement.

A transaction costs what its round trips cost, so an event goes with all that it changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchestrator.errors import ConflictError, NotFoundError
from orchestrator.events import Event, Payload, make_event
from orchestrator.ledger._legal import TrialStanding, check_event
from orchestrator.ledger._projection import Change, changes
from orchestrator.ledger._statements import Statements

Row = Mapping[str, Any]


class Chain:
    """The end of a campaign's chain inside one write transaction.

    Attributes:
        campaign: Its identifier.
        state: Its state, after the events appended so far.
        count: How many events it has.
        lab_seed: Its laboratory's seed.
        recipes: Of the trials that were asked for, as JSON text.
    """

    def __init__(
        self, statements: Statements, cursor: Any, campaign: str, trials: Sequence[int] = ()
    ) -> None:
        """Lock a campaign, and read these trials with it.

        Raises:
            NotFoundError: no such campaign or trial.
        """
        self._statements, self._cursor, self.campaign = statements, cursor, campaign
        head, rows = statements.locked(cursor, campaign, trials)
        if head is None:
            raise NotFoundError(
                f"there is no campaign {campaign}; `dotpilot list` shows all"
                if not trials
                else f"campaign {campaign} or one of its trials {list(trials)} does not exist"
            )
        self.state, self.count, self._last_hash, self.lab_seed = head
        self._standing: dict[int, TrialStanding] = {n: (s, a) for n, s, a, _ in rows}
        self.recipes: dict[int, str] = {n: recipe for n, _, _, recipe in rows}
        self._events: list[Event] = []
        self._arrays: dict[str, Row] = {}
        self._changes: dict[tuple[str, tuple[Any, ...]], Change] = {}

    def standing(self, number: int) -> TrialStanding:
        """Return a trial's state and attempt after the events appended so far."""
        if number not in self._standing:
            self._standing[number] = self._statements.trial(self._cursor, self.campaign, number)
        return self._standing[number]

    def append(
        self,
        payload: Payload,
        *,
        at: str,
        actor: str,
        arrays: Iterable[Row] = (),
        wanted: str | None = None,
    ) -> Event:
        """Append an event, with encoded rows of `array`; `write` puts it into the database.

        Raises:
            NotFoundError: no such trial.
            ConflictError: the campaign is in another state than `wanted`.
            TransitionError: an illegal move, or an event of another attempt.
        """
        if wanted not in (None, self.state):
            raise ConflictError(
                f"campaign {self.campaign} must be {wanted} for this, but is {self.state}"
            )
        made = make_event(self.campaign, self.count + 1, at, actor, payload, self._last_hash)
        found = changes(made, payload)
        check_event(self.campaign, self.state, payload, found, self.standing)
        self.count, self._last_hash = made.seq, made.hash
        self._events.append(made)
        self._arrays.update({str(row["sha256"]): row for row in arrays})
        for change in found:
            self._take(change)
        return made

    def _take(self, change: Change) -> None:
        key, columns = (change.table, change.key), change.columns
        before = self._changes.get(key)
        if before is not None:
            change = replace(before, columns={**before.columns, **columns})
        self._changes[key] = change
        if change.table == "campaign":
            self.state = columns.get("state", self.state)
        elif change.table == "trial":
            old = self.standing(change.key[1]) if not change.new else None
            attempt = columns.get("attempt", old[1] if old else 1)
            state = columns.get("state", old[0] if old else "")
            self._standing[change.key[1]] = (state, attempt)

    def write(self) -> None:
        """Write what was appended, with what it changes in the read tables."""
        if self._events:
            rows = [{name: getattr(e, name) for name in Event.__slots__} for e in self._events]
            # in the order of their addresses, so that writers never cross
            arrays = [self._arrays[key] for key in sorted(self._arrays)]
            self._statements.write(self._cursor, rows, arrays, list(self._changes.values()))
        self._events, self._arrays, self._changes = [], {}, {}
