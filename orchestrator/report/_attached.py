"""The table of later measurements: which value holds, which it replaced, and on what it rests."""

from __future__ import annotations

from orchestrator.events import Event, TrialObserved
from orchestrator.report._record import Record
from orchestrator.report._section import Section
from orchestrator.report._words import label, measured, moment, paragraph, table


def attached(record: Record) -> Section | None:
    """Return the part on later measurements; None where there are none."""
    found = [(e, p) for e, p in record.events if isinstance(p, TrialObserved)]
    if not found:
        return None
    latest = {(p.trial, p.attempt, n): e.seq for e, p in found for n in p.observables}
    rows = [
        _row(event, payload, name, latest[payload.trial, payload.attempt, name] == event.seq)
        for event, payload in found
        for name in sorted(payload.observables)
    ]
    words = (
        "Measured after the trial and attached to it. The newest value of an observable holds; "
        "the agent saw each from its next proposal on."
    )
    head = ("Trial", "Observable", "Value", "Holds", "Method", "File", "Measured", "Attached by")
    return Section("attached", "Later measurements", paragraph(words) + table(head, rows))


def _row(event: Event, payload: TrialObserved, name: str, holds: bool) -> list[str]:
    seen = payload.observables[name]
    replaced = " in place of the station's" if name in payload.corrects else ""
    return [
        str(payload.trial),
        label(name) + replaced,
        measured(seen.value, seen.se, seen.unit),
        "yes" if holds else "no",
        seen.method,
        f"{payload.evidence.name}, SHA-256 {payload.evidence.sha256[:12]}",
        "–" if payload.measured_at is None else moment(payload.measured_at),
        f"{event.actor}, {moment(event.at)}: {payload.note}",
    ]


__all__ = ["attached"]
