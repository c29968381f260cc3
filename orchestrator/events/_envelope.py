"""What surrounds a payload in the chain: number, time, actor, hashes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from orchestrator.errors import RecordError
from orchestrator.events._payload import Payload
from orchestrator.events._payloads import PAYLOADS

FIRST_HASH = "0" * 64


_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False
)


def canonical(document: Any) -> str:
    """Return canonical JSON: sorted keys, no spaces, shortest round-trip floats, no NaN."""
    return _ENCODER.encode(document)


Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True)
class Event:
    """One link of a campaign's chain; `payload` is the canonical text as stored.

    `at` is ISO 8601 in UTC with microseconds and `+00:00`.
    """

    campaign: str
    seq: int
    type: str
    version: int
    at: str
    actor: str
    payload: str
    prev_hash: str
    hash: str

    def expected_hash(self) -> str:
        """Compute the hash that this event should carry."""
        return event_hash(
            self.campaign,
            self.seq,
            self.type,
            self.version,
            self.at,
            self.actor,
            self.payload,
            self.prev_hash,
        )

    def read(self) -> Payload:
        """Parse the payload into its model.

        Raises:
            RecordError: unknown type or version, or a payload that does not fit its model.
        """
        model = PAYLOADS.get(self.type)
        if model is None or self.version != model.VERSION:
            raise RecordError(
                f"event {self.seq}: an event must be of a known type and version, but is "
                f"{self.type!r} version {self.version!r}; a newer dotpilot may read it"
            )
        try:
            return model.model_validate_json(self.payload)
        except ValueError as error:
            raise RecordError(
                f"event {self.seq} ({self.type}): unreadable payload: {error}"
            ) from error


def event_hash(
    campaign: str, seq: int, kind: str, version: int, at: str, actor: str, payload: str, prev: str
) -> str:
    """Return the SHA-256 over the canonical JSON list of all fields of an event."""
    text = canonical([campaign, seq, kind, version, at, actor, payload, prev])
    return hashlib.sha256(text.encode()).hexdigest()


def make_event(campaign: str, seq: int, at: str, actor: str, payload: Payload, prev: str) -> Event:
    """Build the event that follows the one whose hash is `prev` (`FIRST_HASH` for the first)."""
    text = canonical(payload.model_dump(mode="json"))
    digest = event_hash(campaign, seq, payload.TYPE, payload.VERSION, at, actor, text, prev)
    return Event(campaign, seq, payload.TYPE, payload.VERSION, at, actor, text, prev, digest)
