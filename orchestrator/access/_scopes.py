"""Scopes and what they imply; who is asking."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.errors import InputRefusedError

SCOPES = ("campaign:read", "campaign:write", "trial:approve", "lab:execute", "admin")
_IMPLIED: dict[str, frozenset[str]] = {
    "campaign:write": frozenset({"campaign:read"}),
    "trial:approve": frozenset({"campaign:read"}),
    "admin": frozenset(SCOPES),
}


def check_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Return the scopes in their fixed order, each once.

    Raises:
        InputRefusedError: none, or one that does not exist.
    """
    given = list(scopes)
    problems = [
        f"a scope must be one of {', '.join(SCOPES)}, but got {s!r}"
        for s in given
        if s not in SCOPES
    ]
    if not given:
        problems.append(f"a token needs at least one scope of {', '.join(SCOPES)}")
    if problems:
        raise InputRefusedError(problems)
    return tuple(s for s in SCOPES if s in given)


def granted(scopes: Iterable[str]) -> frozenset[str]:
    """Return the scopes with all that they imply."""
    given = frozenset(scopes)
    return given.union(*(_IMPLIED.get(s, frozenset()) for s in given))


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking, by token or by the session of a single user.

    Attributes:
        actor: As events and the audit trail name them: `token:ID` or `session`.
        scopes: With all that they imply.
        lab: The lab that the token is bound to, or None.
        token: The token's identifier, or None for a session.
    """

    actor: str
    scopes: frozenset[str]
    lab: str | None = None
    token: str | None = None

    def may(self, scope: str) -> bool:
        """Tell whether a scope is held."""
        return scope in self.scopes
