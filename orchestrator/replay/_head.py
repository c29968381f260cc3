"""The head of a chain, as somebody keeps it where the record's keeper cannot change it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.errors import InputRefusedError
from orchestrator.events import Event
from orchestrator.replay._verification import Verification

HEAD = r"^[1-9][0-9]{0,8}:[0-9a-f]{64}$"


@dataclass(frozen=True, slots=True)
class Head:
    """The number and hash of an event that once was the last."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


def read_head(text: str) -> Head:
    """Return the head that `SEQ:HASH` names.

    Raises:
        InputRefusedError: another text.
    """
    if not re.fullmatch(HEAD, text):
        raise InputRefusedError(
            "the expected head must be SEQ:HASH, an event's number and the 64 hexadecimal digits "
            f"of its hash, but is {text[:90]!r}; `dotpilot replay verify` prints it so"
        )
    seq, _, digest = text.partition(":")
    return Head(int(seq), digest)


def head_of(events: Sequence[Event]) -> str | None:
    """Return the head of a chain; None where it has no event or a damaged one."""
    last = events[-1] if events else None
    if last is None or type(last.seq) is not int or not isinstance(last.hash, str):
        return None
    return str(Head(last.seq, last.hash))


def check_head(events: Sequence[Event], head: Head, result: Verification) -> None:
    """Find a chain that does not go on from the head that was kept."""
    found = next((e.hash for e in events if e.seq == head.seq), None)
    if found == head.hash:
        return
    what = f"has the hash {found}" if found is not None else "is missing: the chain was cut off"
    result.chain_ok = False
    result.find(f"event {head.seq}", f"{what}, where the head {head} was expected", head.seq)
