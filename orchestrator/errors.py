"""Refusals of the campaign service, each with the exit code that the command line gives it.

DotpilotError (1)
├── InputRefusedError (2)      the input breaks a rule; nothing was written or moved
│   └── TransitionError        a state that does not follow from the present one
├── NotFoundError (3)          no campaign, trial or file of that name
├── ConflictError (4)          somebody else owns it, or a stale token
│   └── SupersededError        the record has moved on since it was read
├── AccessError (2)            not for whoever asks; nothing was read or written
│   ├── UnauthenticatedError   no token, or one that is not valid
│   └── ForbiddenError         a token without the scope, or of another lab
├── RemoteError (5)            a remote cannot be reached
├── StorageError (1)           the database cannot be used at this moment
├── SchemaError (2)            a database older or newer than this program
└── RecordError (20)           a stored record that cannot be read as written
"""

from __future__ import annotations

from collections.abc import Sequence


class DotpilotError(Exception):
    """Base of every refusal: the message says the rule, what came, and the remedy."""

    exit_code = 1


class InputRefusedError(DotpilotError):
    """One or more mistakes in what was given; `problems` lists every one."""

    exit_code = 2

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class TransitionError(InputRefusedError):
    """A move that the state diagram does not have."""


class NotFoundError(DotpilotError):
    """Nothing of that name."""

    exit_code = 3


class ConflictError(DotpilotError):
    """Somebody else owns it, or the token is stale."""

    exit_code = 4


class SupersededError(ConflictError):
    """The record has events that whoever writes has not seen: read it again, and decide anew."""


class AccessError(DotpilotError):
    """Not for whoever asks; nothing was read or written."""

    exit_code = 2


class UnauthenticatedError(AccessError):
    """No token, or one that is malformed, unknown, expired or revoked."""


class ForbiddenError(AccessError):
    """A token without the scope, or one that is bound to another lab."""


class RemoteError(DotpilotError):
    """A remote cannot be reached."""

    exit_code = 5


class StorageError(DotpilotError):
    """The database refused, or cannot be reached; what was to be written may or may not be."""


class SchemaError(DotpilotError):
    """The database is of another schema version; the message names the command that helps."""

    exit_code = 2


class RecordError(DotpilotError):
    """A stored record cannot be read as it was written."""

    exit_code = 20
