"""The ledger: the only truth about a campaign.

Thread safety: a ledger may be shared by threads; every call is its own transaction. Rows that it
returns are frozen values; nobody else writes the tables.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from numpy.typing import NDArray
from sqlalchemy import delete, insert, or_, select, text
from sqlalchemy.exc import DBAPIError

from orchestrator.errors import ConflictError, DotpilotError, NotFoundError
from orchestrator.events import CampaignCreated, Event, Payload
from orchestrator.ledger import _tables as t
from orchestrator.ledger._arrays import find_array
from orchestrator.ledger._chain import Chain
from orchestrator.ledger._engine import make_engine, parse_url
from orchestrator.ledger._fold import fold_tables
from orchestrator.ledger._owner import Ownership
from orchestrator.ledger._rows import (
    CampaignRow,
    StoredSpectrum,
    TrialRow,
    campaign_row,
    spectrum_row,
    trial_rows,
)
from orchestrator.ledger._schema import require_head
from orchestrator.ledger._statements import Statements, read_cursor, write_cursor
from orchestrator.ledger._write import (
    Guard,
    append_event,
    check_owner,
    encoded,
    first_events,
    follow,
)

_ALPHABET = "abcdefghjkmnpqrstvwxyz23456789"


def utc_now() -> datetime:
    """Return the present time, aware, in UTC."""
    return datetime.now(UTC)


class Ledger:
    """Campaigns, trials, measurements and the events behind them, in one database."""

    def __init__(self, url: str, clock: Callable[[], datetime] = utc_now) -> None:
        self.url = url
        self.engine = make_engine(parse_url(url))
        self._clock = clock
        self._statements = Statements(self.engine.dialect)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        create: bool = True,
        check: bool = True,
        clock: Callable[[], datetime] = utc_now,
    ) -> Ledger:
        """Open a database; a missing or empty one is created at head.

        Args:
            url: `sqlite:///file` or `postgresql://...`.
            create: Create the schema in a missing or empty database.
            check: Refuse a schema of another revision.
            clock: Gives the times that events carry.

        Raises:
            SchemaError: an older or newer schema; the message names what helps.
            InputRefusedError: a URL that cannot be used.
        """
        ledger = cls(url, clock)
        try:
            if check:
                require_head(ledger.engine, url, create=create)
        except DBAPIError as error:
            ledger.close()
            raise DotpilotError(f"the database {url} cannot be used: {error.orig}") from error
        except BaseException:
            ledger.close()
            raise
        return ledger

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def time(self) -> datetime:
        """Return the time of the ledger's clock, aware, in UTC."""
        return self._clock().astimezone(UTC)

    def now(self) -> str:
        """Return the present time as events carry it."""
        return self._clock().astimezone(UTC).isoformat(timespec="microseconds")

    def create_campaign(self, payload: CampaignCreated, *, actor: str) -> str:
        """Record a new campaign and return its identifier."""
        return self.create_with([payload], actor=actor)

    def create_with(
        self,
        payloads: Sequence[Payload],
        *,
        actor: str,
        arrays: Iterable[NDArray[Any]] = (),
        identifier: str | None = None,
    ) -> str:
        """Record a new campaign with its first events in one transaction; return its identifier.

        Args:
            payloads: The first of them creates the campaign.
            actor: Who does it.
            arrays: That the events refer to.
            identifier: A free one that the caller made; None draws one.

        Raises:
            RecordError: the first event does not create the campaign.
            NotFoundError, TransitionError: events that do not follow from each other.
            ConflictError: there is a campaign of this identifier, or another of this name.
        """
        drawn = "c" + "".join(secrets.choice(_ALPHABET) for _ in range(9))
        campaign = drawn if identifier is None else identifier
        events, tables = follow(campaign, payloads, self.now(), actor)
        rows = encoded(arrays)
        self._refuse_name_of_another(campaign)
        with write_cursor(self.engine) as cursor:
            if self._statements.head(cursor, campaign) is not None:
                raise ConflictError(
                    f"a campaign's identifier is given once, but {campaign} exists; take another"
                )
            first_events(self._statements, cursor, events, tables, rows)
        return campaign

    def _refuse_name_of_another(self, identifier: str) -> None:
        """Keep an identifier from taking over what people call another campaign."""
        c = t.campaign.c
        query = select(c.id).where(c.name == identifier, c.id != identifier).limit(1)
        with self.engine.connect() as connection:
            found = connection.execute(query).scalar()
        if found is not None:
            raise ConflictError(
                f"an identifier may not be another campaign's name, but {found} is called "
                f"{identifier!r}; take another"
            )

    def append(
        self,
        campaign: str,
        payload: Payload,
        *,
        actor: str,
        token: int | None = None,
        arrays: Sequence[NDArray[Any]] = (),
        after: int | None = None,
    ) -> Event:
        """Append one event in one transaction, with what it changes in the read tables.

        Args:
            campaign: Identifier.
            payload: What happened.
            actor: Who says so.
            token: The owner's fencing token, where an owner writes.
            arrays: Arrays that the payload refers to.
            after: Number of the last event that the writer has seen; another one is a conflict.

        Raises:
            NotFoundError: no such campaign or trial.
            ConflictError: a stale token, or an event that the writer has not seen.
            TransitionError: an illegal move.
            StorageError: the database refused; read the record before trying again.
        """
        rows = encoded(arrays)
        guard = Guard(token=token, after=after)
        with self.writing() as cursor:
            return append_event(
                self._statements, cursor, campaign, payload, self.now(), actor, guard, rows
            )

    def writing(self) -> AbstractContextManager[Any]:
        """Give a driver's cursor inside one write transaction, for `chain`."""
        return write_cursor(self.engine)

    def reading(self) -> AbstractContextManager[Any]:
        """Give a driver's cursor for reading."""
        return read_cursor(self.engine)

    def chain(self, cursor: Any, campaign: str, trials: Sequence[int] = ()) -> Chain:
        """Lock a campaign inside a transaction of `writing`, and read these trials with it.

        Raises:
            NotFoundError: no such campaign or trial.
        """
        return Chain(self._statements, cursor, campaign, trials)

    def acquire(self, campaign: str, *, lease_s: float = 60.0) -> Ownership:
        """Become the owner of a campaign.

        Raises:
            NotFoundError: no such campaign.
            ConflictError: somebody alive owns it.
        """
        return Ownership(self.engine, self.campaign(campaign).id, lease_s)

    def events(self, campaign: str, *, until: int | None = None) -> list[Event]:
        """Return the chain, in order, up to and with event `until`."""
        query = select(t.event).where(t.event.c.campaign == campaign).order_by(t.event.c.seq)
        if until is not None:
            query = query.where(t.event.c.seq <= until)
        with self.engine.connect() as connection:
            return [Event(**row) for row in connection.execute(query).mappings()]

    def events_of(
        self, campaign: str, types: Sequence[str], trial: int | None = None
    ) -> list[Event]:
        """Return the events of these types, in order (of one trial, where it is named)."""
        c = t.event.c
        query = select(t.event).where(c.campaign == campaign, c.type.in_(types))
        if trial is not None:
            ends = (f'"trial":{trial},', f'"trial":{trial}}}')
            query = query.where(or_(*(c.payload.contains(e, autoescape=True) for e in ends)))
        with self.engine.connect() as connection:
            rows = connection.execute(query.order_by(c.seq)).mappings()
            return [Event(**row) for row in rows]

    def check_owner(self, cursor: Any, campaign: str, token: int) -> None:
        """Refuse another than the owner, under the campaign's lock.

        Raises:
            NotFoundError: no such campaign.
            ConflictError: a stale token.
        """
        check_owner(self._statements, cursor, campaign, token)

    def event_count(self, campaign: str) -> int:
        """Return how many events a campaign has.

        Raises:
            NotFoundError: no such campaign.
        """
        query = select(t.campaign.c.event_count).where(t.campaign.c.id == campaign)
        with self.engine.connect() as connection:
            found = connection.execute(query).scalar()
        if found is None:
            raise NotFoundError(f"there is no campaign {campaign}; `dotpilot list` shows all")
        return int(found)

    def due_campaigns(self) -> list[str]:
        """Return the served campaigns that need their loop, oldest first."""
        c, measured = t.campaign.c, t.trial.c.state == "measured"
        waiting = select(t.trial.c.number).where(
            t.trial.c.campaign == c.id, measured, c.state != "failed"
        )
        query = (
            select(c.id)
            .where(c.dispatch == "fleet")
            .where(or_(c.state.in_(("running", "draining")), waiting.exists()))
            .order_by(c.created_at, c.id)
        )
        with self.engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def campaigns(self) -> list[CampaignRow]:
        """Return all campaigns, oldest first."""
        query = select(t.campaign).order_by(t.campaign.c.created_at, t.campaign.c.id)
        with self.engine.connect() as connection:
            return [campaign_row(row) for row in connection.execute(query).mappings()]

    def campaign(self, reference: str) -> CampaignRow:
        """Return the campaign of this identifier, its unique beginning, or its unique name.

        Raises:
            NotFoundError: none, or several.
        """
        c = t.campaign.c
        prefix = c.id.startswith(reference, autoescape=True) if reference else c.id == ""
        query = select(t.campaign).where(or_(c.id == reference, c.name == reference, prefix))
        with self.engine.connect() as connection:
            found = list(connection.execute(query).mappings())
        exact = [row for row in found if row["id"] == reference]
        if len(exact or found) == 1:
            return campaign_row((exact or found)[0])
        if not found:
            raise NotFoundError(f"there is no campaign {reference!r}; `dotpilot list` shows all")
        names = ", ".join(sorted(row["id"] for row in found))
        raise NotFoundError(
            f"{reference!r} must name one campaign, but fits {names}; use one of these instead of "
            "the name (`dotpilot list` shows their states)"
        )

    def trials(self, campaign: str) -> list[TrialRow]:
        """Return the trials of a campaign, ordered by number."""
        rows = select(t.trial).where(t.trial.c.campaign == campaign)
        seen = select(t.observable).where(t.observable.c.campaign == campaign)
        with self.engine.connect() as connection:
            return trial_rows(
                connection.execute(rows).mappings().all(),
                connection.execute(seen).mappings().all(),
            )

    def trial(self, campaign: str, number: int) -> TrialRow:
        """Return one trial.

        Raises:
            NotFoundError: no such trial.
        """
        row = select(t.trial).where(t.trial.c.campaign == campaign, t.trial.c.number == number)
        seen = select(t.observable).where(
            t.observable.c.campaign == campaign, t.observable.c.trial == number
        )
        with self.engine.connect() as connection:
            found = connection.execute(row).mappings().all()
            observables = connection.execute(seen).mappings().all()
        if not found:
            raise NotFoundError(f"campaign {campaign} has no trial {number}")
        return trial_rows(found, observables)[0]

    def spectra(
        self, campaign: str, trial: int, attempt: int | None = None
    ) -> list[StoredSpectrum]:
        """Return the spectra of a trial's attempt (the present one), in the order of their names.

        Raises:
            RecordError: an array that is missing or does not hash to its address.
        """
        number = self.trial(campaign, trial).attempt if attempt is None else attempt
        c = t.spectrum.c
        query = select(t.spectrum).where(
            c.campaign == campaign, c.trial == trial, c.attempt == number
        )
        with self.engine.connect() as connection:
            rows = [spectrum_row(r) for r in connection.execute(query).mappings()]
        return [
            StoredSpectrum(
                s.trial,
                s.attempt,
                s.name,
                self.array(s.axis_sha256),
                self.array(s.values_sha256),
                s.axis_unit,
                s.unit,
                s.settings,
            )
            for s in sorted(rows, key=lambda s: s.name)
        ]

    def array(self, sha256: str) -> NDArray[Any]:
        """Return an array of the store, read-only.

        Raises:
            RecordError: missing, or not hashing to its address.
        """
        with self.engine.connect() as connection:
            return find_array(connection, sha256)

    def rebuild(self, campaign: str | None = None) -> int:
        """Drop the read tables (of one campaign) and fold them again; return how many campaigns.

        Raises:
            RecordError: a chain that cannot be read; nothing is changed.
        """
        with self.engine.execution_options(write=True).begin() as connection:
            if self.engine.dialect.name == "postgresql":  # appends wait until the rows are back
                connection.execute(text("LOCK TABLE campaign IN ACCESS EXCLUSIVE MODE"))
            ids = select(t.event.c.campaign).distinct()
            known = [campaign] if campaign else list(connection.execute(ids).scalars())
            for table in t.READ_TABLES.values():
                key = table.c["id" if table is t.campaign else "campaign"]
                clause = delete(table)
                connection.execute(clause.where(key == campaign) if campaign else clause)
            for name in known:
                query = select(t.event).where(t.event.c.campaign == name).order_by(t.event.c.seq)
                chain = [Event(**row) for row in connection.execute(query).mappings()]
                for table_name, rows in fold_tables(chain).items():
                    if rows:
                        connection.execute(insert(t.READ_TABLES[table_name]), list(rows.values()))
        return len(known)
