"""Tokens `dotp_<8 public>_<secret>`: shown once, kept as SHA-256 of the secret.

A plain hash suffices: the secret is 256 random bits, so there is nothing to guess from it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from orchestrator.access._scopes import Principal, check_scopes, granted
from orchestrator.errors import InputRefusedError, NotFoundError, UnauthenticatedError
from orchestrator.ledger import Ledger
from orchestrator.ledger._statements import Prepared
from orchestrator.ledger._tables import token as table

_ALPHABET = "abcdefghjkmnpqrstvwxyz23456789"
_SHAPE = re.compile(rf"dotp_([{_ALPHABET}]{{8}})_([0-9a-f]{{64}})")
_NOBODY = "0" * 64
# `used_at` is for people who look for tokens to revoke; a write on every request is not worth it.
_USED_STEP = timedelta(minutes=1)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST = timedelta(days=3650)
_FIND = Prepared(select(table).where(table.c.id == bindparam("id")))


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token without its secret; times are ISO 8601 in UTC."""

    id: str
    scopes: tuple[str, ...]
    lab: str | None
    label: str
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    used_at: str | None

    def document(self) -> dict[str, Any]:
        """Return the entry of `token list`."""
        return {
            "id": self.id,
            "scopes": list(self.scopes),
            "lab": self.lab,
            "label": self.label,
            "created": self.created_at,
            "expires": self.expires_at,
            "revoked": self.revoked_at,
            "used": self.used_at,
        }


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token as it is shown, once."""

    text: str
    row: TokenRow

    def document(self) -> dict[str, Any]:
        """Return the document of `token create`."""
        row = self.row
        return {
            "token": self.text,
            "id": row.id,
            "scopes": list(row.scopes),
            "lab": row.lab,
            "expires": row.expires_at,
        }


def parse_lifetime(text: str) -> timedelta:
    """Read a lifetime such as `90m`, `12h`, `30d` or `4w`.

    Raises:
        InputRefusedError: another form, zero, or more than ten years.
    """
    found = re.fullmatch(r"([0-9]{1,6})([mhdw])", text.strip())
    lifetime = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not timedelta() < lifetime <= _LONGEST:
        raise InputRefusedError(
            "expires must be a lifetime of at most ten years such as 90m, 12h, 30d or 4w, "
            f"but got {text!r}"
        )
    return lifetime


def create_token(
    ledger: Ledger,
    scopes: Iterable[str],
    *,
    lab: str | None = None,
    lifetime: timedelta | None = None,
    label: str = "",
) -> NewToken:
    """Make a token; its text cannot be had again.

    Args:
        ledger: The database.
        scopes: Of `SCOPES`.
        lab: The one lab that it works for; None is any.
        lifetime: Until it expires; None is until it is revoked.
        label: What it is for, in words.

    Raises:
        InputRefusedError: no scope, an unknown one, or an empty or unprintable lab or label.
    """
    known = check_scopes(scopes)
    _check_words(lab, label)
    identifier = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    secret = secrets.token_hex(32)
    now = ledger.time()
    values = {
        "id": identifier,
        "hash": _digest(secret),
        "scopes": json.dumps(known),
        "lab": lab,
        "label": label,
        "created_at": _stamp(now),
        "expires_at": None if lifetime is None else _stamp(now + lifetime),
    }
    with ledger.engine.connect().execution_options(write=True) as connection, connection.begin():
        connection.execute(insert(table).values(**values))
    return NewToken(f"dotp_{identifier}_{secret}", token_row(ledger, identifier))


def _check_words(lab: str | None, label: str) -> None:
    problems = []
    if lab is not None and not (0 < len(lab) <= 200 and lab.isprintable()):
        problems.append(f"a lab's name has 1 to 200 printable characters, but got {lab!r}")
    if len(label) > 200 or not label.isprintable():
        problems.append(f"a label has at most 200 printable characters, but got {label!r}")
    if problems:
        raise InputRefusedError(problems)


def token_rows(ledger: Ledger) -> list[TokenRow]:
    """Return all tokens, oldest first."""
    query = select(table).order_by(table.c.created_at, table.c.id)
    with ledger.engine.connect() as connection:
        return [_row(r) for r in connection.execute(query).mappings()]


def token_row(ledger: Ledger, identifier: str) -> TokenRow:
    """Return one token.

    Raises:
        NotFoundError: no such token.
    """
    with ledger.engine.connect() as connection:
        query = select(table).where(table.c.id == identifier)
        found = connection.execute(query).mappings().first()
    if found is None:
        raise NotFoundError(f"there is no token {identifier!r}; `dotpilot token list` shows all")
    return _row(found)


def revoke_token(ledger: Ledger, identifier: str) -> TokenRow:
    """Make a token useless from now on; doing it twice changes nothing.

    Raises:
        NotFoundError: no such token.
    """
    change = update(table).where(table.c.id == identifier, table.c.revoked_at.is_(None))
    with ledger.engine.connect().execution_options(write=True) as connection, connection.begin():
        connection.execute(change.values(revoked_at=_stamp(ledger.time())))
    return token_row(ledger, identifier)


def authenticate(ledger: Ledger, text: str) -> Principal:
    """Return whose token this is.

    A secret is compared in constant time, also where no such token exists.

    Raises:
        UnauthenticatedError: malformed, unknown, wrong, expired or revoked.
    """
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise UnauthenticatedError("a token has the form dotp_<8 characters>_<secret>")
    with ledger.reading() as cursor:  # every request comes by here
        row = _FIND.run(cursor, ledger.engine.dialect, {"id": shape[1]}).fetchone()
    found = None if row is None else dict(zip(table.c.keys(), row, strict=True))
    known = _NOBODY if found is None else str(found["hash"])
    same = hmac.compare_digest(known, _digest(shape[2]))
    if found is None or not same:
        raise UnauthenticatedError("the token is not known here; make one with `token create`")
    return _valid(ledger, _row(found))


def _valid(ledger: Ledger, row: TokenRow) -> Principal:
    now = ledger.time()
    if row.revoked_at is not None:
        raise UnauthenticatedError(f"token {row.id} was revoked at {row.revoked_at}")
    if row.expires_at is not None and row.expires_at <= _stamp(now):
        raise UnauthenticatedError(f"token {row.id} expired at {row.expires_at}")
    if row.used_at is None or row.used_at <= _stamp(now - _USED_STEP):
        _note_use(ledger, row.id, now)
    return Principal(f"token:{row.id}", granted(row.scopes), row.lab, row.id)


def _note_use(ledger: Ledger, identifier: str, now: datetime) -> None:
    change = update(table).where(table.c.id == identifier).values(used_at=_stamp(now))
    with ledger.engine.connect().execution_options(write=True) as connection, connection.begin():
        connection.execute(change)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _stamp(time: datetime) -> str:
    """Return ISO 8601 in UTC with microseconds: such texts sort as the times do."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _row(row: Any) -> TokenRow:
    fields = {k: row[k] for k in TokenRow.__slots__}
    return TokenRow(**{**fields, "scopes": tuple(json.loads(row["scopes"]))})
