"""A served campaign's progress, line by line, from its events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.cli._context import say, settings

ENDS = ("trial.completed", "trial.failed", "trial.rejected", "trial.abandoned")


class Watch:
    """Says what happens to a campaign.

    Args:
        file: The campaign file, for the budget and the observables of interest.
    """

    def __init__(self, file: Mapping[str, Any]) -> None:
        budget = file.get("budget") or {}
        self._total = budget.get("trials")
        objectives = file.get("objectives") or []
        self._wanted = list(dict.fromkeys(o["observable"] for o in objectives))
        self._predicted: dict[int, Mapping[str, Any]] = {}

    def event(self, event: Mapping[str, Any]) -> None:
        """Say what an event means."""
        kind, payload = str(event["type"]), event["payload"]
        if kind == "step.proposed":
            self._predicted |= {p["trial"]: p["predicted"] for p in payload["proposals"]}
        elif kind in ENDS:
            say(self._ended(kind.partition(".")[2], payload))
        elif kind == "trial.in_doubt":
            say(f"trial {payload['trial']}: in doubt ({payload['reason']})")
        elif kind == "trial.dispatched" and settings.verbose:
            where = payload.get("lab") or "this process"
            say(f"    trial {payload['trial']} goes to {where} (worker {payload.get('worker')})")
        elif kind.startswith("campaign."):
            word = kind.partition(".")[2]
            detail = payload.get("reason") or payload.get("detail") or payload.get("error") or ""
            say(f"campaign {event['campaign']} {word}" + (f": {detail}" if detail else ""))

    def _ended(self, state: str, payload: Mapping[str, Any]) -> str:
        number = payload["trial"]
        total = f" of {self._total}" if self._total else ""
        failure = payload.get("reason")
        parts = [f"trial {number}{total}: {state}" + (f" ({failure})" if failure else "")]
        seen = payload.get("observables") or {}
        parts += [self._value(number, n, seen[n]) for n in self._wanted if n in seen]
        return " | ".join(parts)

    def _value(self, number: int, name: str, seen: Mapping[str, Any]) -> str:
        text = f"{name} {seen['value']:.4g} {seen['unit']}".rstrip()
        expected = self._predicted.get(number, {}).get(name)
        if expected:
            text += f" (predicted {expected['mean']:.4g} ± {expected['sd']:.2g})"
        return text
