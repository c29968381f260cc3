"""What `replay verify` found."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from orchestrator.ledger import Finding


@dataclass
class Verification:
    """What `verify` found. `max_difference` is relative, over observables and proposals.

    `head` is the number and hash of the last event, `SEQ:HASH`, for people to keep elsewhere.
    """

    events: int = 0
    head: str | None = None
    chain_ok: bool = False
    tables_ok: bool = False
    observables_checked: int = 0
    observables_ok: int = 0
    proposals_checked: int = 0
    proposals_ok: int = 0
    max_difference: float = 0.0
    diverged_at: int | None = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def document(self) -> dict[str, Any]:
        """Return the document of `replay verify`."""
        return asdict(self)

    def find(self, where: str, what: str, seq: int | None = None) -> None:
        """Note a difference; a damaged number of an event is no place."""
        self.findings.append(Finding(where, what, seq if type(seq) is int else None))


def relative(a: float, b: float) -> float:
    """Return the difference of two numbers, relative to the larger."""
    return 0.0 if a == b else abs(a - b) / max(abs(a), abs(b))
