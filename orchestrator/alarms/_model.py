"""What an alarm is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

Kind = Literal["step_stalled", "in_doubt", "unsafe", "waits_for_person", "worker_lost"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that a person should hear of.

    Attributes:
        kind: What kind of thing.
        text: The whole story in a sentence or two: what, where, and what to do.
        about: What it is about; the same kind about the same is told once.
        at: When it was noticed (UTC).
    """

    kind: Kind
    text: str
    about: str
    at: str

    def document(self) -> dict[str, Any]:
        """Return the alarm as it is sent."""
        return {"kind": self.kind, "text": self.text, "about": self.about, "at": self.at}
