"""The table of all trials with verdicts and reasons, and where every number comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from orchestrator.campaign import probability_met
from orchestrator.events import TrialAbandoned, TrialFailed, TrialInDoubt, TrialResolved
from orchestrator.ledger import TrialRow
from orchestrator.report._record import Record
from orchestrator.report._section import Section, absent
from orchestrator.report._words import (
    axis_label,
    definitions,
    folded,
    label,
    measured,
    paragraph,
    percent,
    plural,
    quantity,
    table,
)

LONG = 12  # rows from which on the table is folded


def trials(record: Record) -> Section:
    """Return the table of trials."""
    name = "Trials"
    if not record.trials:
        return absent("trials", name, "No trial has been proposed yet.")
    reasons = reasons_of(record)
    chance = {o.trial: probability_met(o, record.objectives) for o in record.done}
    rows = [_row(record, t, reasons.get(t.number, ""), chance) for t in record.trials]
    met = ["All met"] if record.bounded else []
    shown = [axis_label(n, record.unit(n)) for n in record.observables]
    head = ("Trial", "Outcome", "Chosen by", *shown, *met, "Recipe")
    inner = table(head, rows, "trials")
    if len(rows) > LONG:
        inner = folded(f"All {plural(len(rows), 'trial')}", inner)
    return Section("trials", name, inner)


def _row(record: Record, trial: TrialRow, reason: str, chance: Mapping[int, float]) -> list[str]:
    number = f"{trial.number}" + (f" (attempt {trial.attempt})" if trial.attempt > 1 else "")
    cells = [number, _outcome(trial, reason), chosen_by(trial)]
    for name in record.observables:
        seen = trial.observables.get(name)
        cells.append("–" if seen is None else measured(seen.value, seen.se))
    if record.bounded:
        cells.append(percent(chance[trial.number]) if trial.number in chance else "–")
    recipe = ", ".join(
        f"{label(p.name)} {quantity(trial.recipe[p.name], record.units.get(p.name, ''))}"
        for p in record.varied
        if p.name in trial.recipe
    )
    return [*cells, recipe]


def chosen_by(trial: TrialRow) -> str:
    """Say what chose a trial's recipe."""
    if trial.policy is not None:
        return trial.policy.replace("_", " ")
    if "campaign" in trial.origin:
        return f"parent's trial {trial.origin.get('trial')}"
    if "row" in trial.origin:
        return f"row {trial.origin['row']}"
    return "another record"


def _outcome(trial: TrialRow, reason: str) -> str:
    """The trial's state, and why it is not simply completed."""
    verdict = trial.verdict or {}
    kind = str(verdict.get("kind", "accept"))
    parts = [trial.state.replace("_", " ")]
    if trial.failure:
        parts.append(trial.failure.replace("_", " "))
    elif kind != "accept":
        parts.append(kind.replace("_", " "))
    parts.append(reason or "; ".join(verdict.get("reasons", ())))
    return ": ".join(part for part in parts if part)


def reasons_of(record: Record) -> dict[int, str]:
    """The last reason on record for trials that failed, were abandoned or in doubt."""
    found: dict[int, str] = {}
    for _, payload in record.events:
        if isinstance(payload, TrialFailed):
            found[payload.trial] = payload.message
        elif isinstance(payload, TrialAbandoned | TrialInDoubt):
            found[payload.trial] = payload.reason
        elif isinstance(payload, TrialResolved):
            found[payload.trial] = (
                f"after a doubt, {payload.decision} by {payload.by}: {payload.note}"
            )
    return found


def provenance(record: Record) -> Section:
    """Return the part on where the numbers come from and how to check them."""
    row = record.row
    station = row.station_description
    facts = [
        ("Campaign", row.id),
        ("Station", f"{station.get('name')}, version {station.get('version')}"),
        ("Seeds", f"campaign {row.seed}, laboratory {row.lab_seed}"),
        ("Events", str(row.event_count)),
        ("Last hash", row.last_hash),
    ]
    if row.source == "imported":
        facts.insert(1, ("File", str(row.declared.get("file", ""))))
        facts.insert(2, ("SHA-256 of the file", str(row.declared.get("sha256", ""))))
    methods = sorted({o.method for t in record.trials for o in t.observables.values()})
    facts.append(("Observables derived by", ", ".join(methods)))
    before = definitions(facts) + "".join(_agents(record)) + _instruments(record)
    command = f"dotpilot replay verify {row.id}"
    checks = "This command checks the chain of events and the tables that are read from it:"
    if row.source != "imported":
        checks = (
            "This command checks the chain of events, derives every observable again from the "
            "stored spectra and asks the agent again for every proposal:"
        )
    before += paragraph(f"Every number on this page is read from the record. {checks}")
    before += f"<pre>{escape(command)}</pre>"
    return Section("provenance", "Provenance", before)


def _agents(record: Record) -> list[str]:
    """Each distinct agent that proposed, with its configuration and libraries."""
    known: dict[str, Mapping[str, Any]] = {}
    for trial in record.trials:
        if trial.agent:
            known.setdefault(json.dumps(trial.agent, sort_keys=True), trial.agent)
    if not known:
        return [paragraph("No agent has proposed anything in this record.", "absent")]
    return [
        definitions(
            [
                ("Agent", f"{a['name']}, version {a['version']}"),
                ("Configuration", _pairs(a["configuration"])),
                ("Libraries", _pairs(a["libraries"])),
            ]
        )
        for a in known.values()
    ]


def _pairs(items: Mapping[str, Any]) -> str:
    return ", ".join(f"{k} {v}" for k, v in sorted(items.items()))


def _instruments(record: Record) -> str:
    known: dict[str, Mapping[str, Any]] = {}
    for trial in record.trials:
        for identity in trial.identities:
            known.setdefault(json.dumps(identity, sort_keys=True), identity)
    if not known:
        return paragraph("The record names no instruments.", "absent")
    rows = [
        (
            str(i.get("instrument", "–")).replace("_", " "),
            str(i.get("model", "–")),
            str(i.get("serial", "–")),
            "yes" if i.get("simulated") else "no",
        )
        for i in known.values()
    ]
    head = ("Instrument", "Model", "Serial", "Simulated")
    return folded(f"{plural(len(rows), 'instrument')}", table(head, rows))
