"""Laboratory records of others as a finished campaign, all rows or none."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents import Categorical, Continuous, Feature, Fixed, Parameter, Space
from agents.features import feature_problems
from orchestrator.campaign import Campaign, read_document
from orchestrator.errors import InputRefusedError
from orchestrator.events import CampaignCreated, CampaignFinished, Payload, TrialImported
from orchestrator.importing._mapping import ColumnMapping, MappedParameter, read_mapping
from orchestrator.importing._rows import ReadRow, read_rows
from orchestrator.ledger import Ledger

STATION = "imported"


@dataclass(frozen=True, slots=True)
class PreparedImport:
    """A laboratory file as the events of a campaign, and the rows left out."""

    events: tuple[Payload, ...]
    count: int
    skipped: list[dict[str, Any]]

    def record(self, ledger: Ledger) -> str:
        """Record it; return the campaign's identifier."""
        return ledger.create_with(self.events, actor="import")


def prepare_import(path: Path, mapping_path: Path, *, skip_bad: bool = False) -> PreparedImport:
    """Read a laboratory file by its mapping; nothing is written.

    Raises:
        InputRefusedError: a bad mapping, or bad rows without `skip_bad`.
        NotFoundError: a file that is not there.
    """
    document = read_document(mapping_path)
    mapping = read_mapping(document)
    found = read_rows(path, mapping)
    if found.bad and not skip_bad:
        raise InputRefusedError(
            [*_by_reason(path, found.bad)]
            + ["nothing was imported; mend the rows, or leave them out with --skip-bad"]
        )
    if not found.rows:
        raise InputRefusedError(f"{path} must have at least one good row")
    created = _created(path, document, mapping, found.rows)
    trials = [_trial(i, row) for i, row in enumerate(found.rows, start=1)]
    finished = CampaignFinished(stop_reason=None, detail=f"imported {len(trials)} rows")
    skipped = [{"row": b["row"], "reason": b["reason"]} for b in found.bad]
    return PreparedImport((created, *trials, finished), len(trials), skipped)


def import_file(
    ledger: Ledger, path: Path, mapping_path: Path, *, skip_bad: bool = False
) -> tuple[str, int, list[dict[str, Any]]]:
    """Record a laboratory file as a finished campaign.

    Returns:
        The campaign's identifier, how many rows became trials, and the rows left out.

    Raises:
        InputRefusedError, NotFoundError: as `prepare_import`; nothing is written.
    """
    prepared = prepare_import(path, mapping_path, skip_bad=skip_bad)
    return prepared.record(ledger), prepared.count, prepared.skipped


def _by_reason(path: Path, bad: Sequence[dict[str, Any]]) -> list[str]:
    """Return one line a reason, naming every row that has it."""
    rows: dict[str, list[int]] = {}
    for entry in bad:
        rows.setdefault(entry["reason"], []).append(entry["row"])
    return [
        f"{path} row{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}: {reason}"
        for reason, numbers in rows.items()
    ]


def _created(
    path: Path, document: dict[str, Any], mapping: ColumnMapping, rows: list[ReadRow]
) -> CampaignCreated:
    parameters = tuple(_parameter(p, rows) for p in mapping.parameters)
    features = tuple(Feature(f.name, f.expression, f.log) for f in mapping.features)
    if problems := feature_problems(Space(parameters, features=features)):
        raise InputRefusedError([f"mapping features: {p}" for p in problems])
    campaign = Campaign(
        declared=document,
        name=mapping.name,
        station=STATION,
        space=Space(parameters, features=features),
        objectives=(),
        agent=STATION,
        trials=len(rows),
    )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return CampaignCreated(
        name=mapping.name,
        source="imported",
        declared={**document, "file": path.name, "sha256": digest},
        resolved=campaign.resolved(),
        station=_station(mapping, parameters),
        seed=0,
        lab_seed=0,
    )


def _parameter(item: MappedParameter, rows: list[ReadRow]) -> Parameter:
    values = [row.recipe[item.name] for row in rows]
    if item.choices is not None:
        seen = {str(v) for v in values}
        return Categorical(
            item.name, tuple(c for c in dict.fromkeys(item.choices.values()) if c in seen)
        )
    numbers = [float(v) for v in values]
    low, high = min(numbers), max(numbers)
    if low == high:
        return Fixed(item.name, low, item.unit)
    return Continuous(item.name, low, high, item.unit, item.log)


def _station(mapping: ColumnMapping, parameters: Sequence[Parameter]) -> dict[str, Any]:
    described = {p.name: p.description for p in mapping.parameters}
    declared = []
    for p in parameters:
        entry: dict[str, Any] = {
            "name": p.name,
            "description": described[p.name],
            "kind": "categorical" if isinstance(p, Categorical) else "continuous",
            "unit": getattr(p, "unit", ""),
            "choices": list(p.choices) if isinstance(p, Categorical) else [],
            "low": getattr(p, "low", None),
            "high": getattr(p, "high", None),
            "default": None,
            "when": None,
        }
        declared.append(entry)
    observables = [
        {
            "name": o.name,
            "description": o.description,
            "unit": o.to or o.unit,
            "spectral": o.spectral,
        }
        for o in mapping.observables
    ]
    return {
        "name": STATION,
        "version": "1",
        "description": mapping.description,
        "parameters": declared,
        "observables": observables,
        "simulated": False,
        "repeatable": False,
        "max_batch": 1,
    }


def _trial(number: int, row: ReadRow) -> TrialImported:
    return TrialImported(
        trial=number,
        attempt=1,
        step=number,
        state="completed",
        recipe=dict(row.recipe),
        observables=row.observables,
        origin={"row": row.number, "line": row.line, **({"kept": row.kept} if row.kept else {})},
    )


__all__ = ["PreparedImport", "import_file", "prepare_import"]
