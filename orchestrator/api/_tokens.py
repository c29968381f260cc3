"""Routes of tokens and of the trail of what they changed."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field

from orchestrator.access import (
    audit_page,
    create_token,
    parse_lifetime,
    revoke_token,
    token_rows,
)
from orchestrator.api._service import At, Limit, Name, Next, answer, cursor, read_cursor

Scope = Literal["campaign:read", "campaign:write", "trial:approve", "lab:execute", "admin"]
Word = Annotated[str, Field(max_length=200)]


class TokenRequest(BaseModel):
    """What a new token is for."""

    model_config = ConfigDict(extra="forbid")
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=10)]
    lab: Word | None = None
    expires: Word | None = Field(None, description="Lifetime such as 90m, 12h, 30d or 4w.")
    label: Word = ""


def list_tokens(at: At) -> Response:
    """List the tokens, without their secrets."""
    return answer({"tokens": [row.document() for row in token_rows(at.ledger)]})


def make_token(at: At, body: TokenRequest) -> Response:
    """Make a token; it is shown this once."""
    lifetime = None if body.expires is None else parse_lifetime(body.expires)
    made = create_token(at.ledger, body.scopes, lab=body.lab, lifetime=lifetime, label=body.label)
    return answer(made.document(), 201, location=f"/v1/tokens/{made.row.id}")


def end_token(at: At, t: Name) -> Response:
    """Revoke a token; it stays in the list."""
    return answer(revoke_token(at.ledger, t).document())


def list_audit(at: At, limit: Limit = 100, next: Next = None) -> Response:
    """Read the trail, the latest first."""
    key = read_cursor(next, int)
    found = audit_page(at.ledger, key[0] if key else None, limit + 1)
    page = found[:limit]
    following = cursor(page[-1].number) if len(found) > limit else None
    return answer({"audit": [row.document() for row in page], "next": following})
