"""Does the record reproduce? Chain, read tables, observables from raw data, proposals again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from instruments import Station
from orchestrator.errors import NotFoundError
from orchestrator.events import (
    Event,
    ObservableRecord,
    StepProposed,
    TrialCompleted,
    TrialFailed,
    TrialImported,
    TrialMeasured,
    TrialRejected,
)
from orchestrator.ledger import (
    Finding,
    FoldedCampaign,
    Ledger,
    check_integrity,
    fold,
    refuse_unreachable,
)
from orchestrator.loop import (
    Planner,
    analysis_records,
    feasibility,
    history,
    make_agent,
    recorded_campaign,
    recorded_measurement,
    reported_analysis,
    station_of,
)

TOLERANCE = 1e-6


@dataclass
class Verification:
    """What `verify` found. `max_difference` is relative, over observables and proposals."""

    events: int = 0
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


def verify_campaign(
    ledger: Ledger, campaign: str, *, tolerance: float = TOLERANCE, proposals: bool = True
) -> Verification:
    """Check everything that a campaign's record consists of.

    Observables must come out of the stored spectra bit for bit where the station's version is the
    recorded one. Proposals must come out within `tolerance` (relative).

    Raises:
        NotFoundError: no such campaign.
        StorageError: the database cannot be reached, which says nothing about the record.
    """
    campaign = _identifier(ledger, campaign)
    report = check_integrity(ledger, campaign)
    result = Verification(report.events, report.chain_ok, report.tables_ok)
    result.findings += report.findings
    events = report.links  # what was written since belongs to a later moment
    try:
        folded = fold(events)
        if folded.campaign.source != "imported":
            _check_observables(ledger, events, folded, result)
            if proposals:
                _check_proposals(events, folded, result, tolerance)
    except Exception as error:  # a damaged record must become a finding, whatever it breaks
        refuse_unreachable(error)
        result.find("record", f"cannot be followed further: {type(error).__name__}: {error}")
    placed = [f.seq for f in result.findings if f.seq is not None]
    result.diverged_at = min(placed, default=None)
    return result


def _identifier(ledger: Ledger, reference: str) -> str:
    """Return the campaign's identifier; one whose row is damaged is still known by its events.

    Raises:
        NotFoundError: neither a row nor an event names it.
    """
    try:
        return ledger.campaign(reference).id
    except NotFoundError:
        if not ledger.events(reference):
            raise
    except Exception as error:  # the damage itself is what check_integrity reports
        refuse_unreachable(error)
    return reference


def _station(folded: FoldedCampaign) -> Station:
    row = folded.campaign
    return station_of(recorded_campaign(row), row.station_description)


def _check_observables(
    ledger: Ledger, events: Sequence[Event], folded: FoldedCampaign, result: Verification
) -> None:
    """Derive every conclusion again from the raw data of its own attempt."""
    station = _station(folded)
    recorded = folded.campaign.station_description["version"]
    present = station.description.version
    note = "" if recorded == present else f" (recorded by station {recorded}, now {present})"
    recipes = {row.number: row.recipe for row in folded.trials}
    measured: dict[tuple[int, int], TrialMeasured | TrialImported] = {}
    for event in events:
        payload = event.read()
        if isinstance(payload, TrialMeasured):
            measured[payload.trial, payload.attempt] = payload
            continue
        if isinstance(payload, TrialImported) and payload.spectra:
            measured[payload.trial, payload.attempt] = payload
        elif not isinstance(payload, (TrialCompleted, TrialRejected, TrialFailed)):
            continue
        raw = measured.get((payload.trial, payload.attempt))
        if raw is None or payload.verdict is None:
            continue
        where = f"trial {payload.trial} attempt {payload.attempt}"
        try:
            measurement = recorded_measurement(ledger, recipes[payload.trial], raw)
            derived, verdict = analysis_records(reported_analysis(station, measurement))
        except Exception as error:
            refuse_unreachable(error)
            what = f"observables cannot be derived: {type(error).__name__}: {error}"
            result.find(where, what, event.seq)
            continue
        known = {} if isinstance(payload, TrialFailed) else payload.observables
        _compare_observables(where, event.seq, known, derived, result, note)
        if payload.verdict != verdict:
            what = f"verdict is recorded as {payload.verdict}, derived as {verdict}{note}"
            result.find(where, what, event.seq)


def _compare_observables(
    where: str,
    seq: int,
    recorded: Mapping[str, ObservableRecord],
    derived: Mapping[str, ObservableRecord],
    result: Verification,
    note: str,
) -> None:
    for name, old in recorded.items():
        if old.method.startswith("adopted@"):
            continue
        result.observables_checked += 1
        new = derived.get(name)
        if new is None:
            result.find(where, f"{name} is recorded but cannot be derived{note}", seq)
            continue
        difference = max(_relative(old.value, new.value), _relative(old.se or 0.0, new.se or 0.0))
        result.max_difference = max(result.max_difference, difference)
        if old == new:
            result.observables_ok += 1
        else:
            result.find(where, f"{name} is recorded as {old}, derived as {new}{note}", seq)


def _check_proposals(
    events: Sequence[Event], folded: FoldedCampaign, result: Verification, tolerance: float
) -> None:
    campaign = recorded_campaign(folded.campaign)
    planner = Planner(make_agent(campaign), campaign, feasibility(_station(folded)))
    for index, event in enumerate(events):
        if event.type != StepProposed.TYPE:
            continue
        step = event.read()
        if not isinstance(step, StepProposed):
            continue
        result.proposals_checked += len(step.proposals)
        where = f"event {event.seq} (step {step.step})"
        before = fold(events[:index])
        try:
            first = step.proposals[0].trial
            again = planner.propose(history(before.trials), step.step, first, len(step.proposals))
        except Exception as error:
            result.find(
                where, f"cannot be proposed again: {type(error).__name__}: {error}", event.seq
            )
            continue
        _compare_step(where, event.seq, step, again, result, tolerance)


def _compare_step(
    where: str,
    seq: int,
    old: StepProposed,
    new: StepProposed,
    result: Verification,
    tolerance: float,
) -> None:
    for name in ("seed", "history_hash"):
        if getattr(old, name) != getattr(new, name):
            result.find(
                where, f"{name} is {getattr(old, name)}, expected {getattr(new, name)}", seq
            )
    versions = ""
    if old.agent != new.agent:
        versions = f" (recorded by {old.agent}, now {new.agent})"
        if (old.agent.name, old.agent.configuration) != (new.agent.name, new.agent.configuration):
            result.find(where, f"agent differs{versions}", seq)
    for before, after in zip(old.proposals, new.proposals, strict=True):
        difference = _difference(before.model_dump(mode="json"), after.model_dump(mode="json"))
        result.max_difference = max(result.max_difference, min(difference, 1.0))
        if difference <= tolerance:
            result.proposals_ok += 1
        else:
            what = f"trial {before.trial} comes out otherwise by {difference:.3g}{versions}"
            result.find(where, what, seq)


def _relative(a: float, b: float) -> float:
    return 0.0 if a == b else abs(a - b) / max(abs(a), abs(b))


def _difference(a: Any, b: Any) -> float:
    """Largest relative difference of numbers in two documents; infinite where they differ else."""
    if isinstance(a, dict) and isinstance(b, dict):
        if a.keys() != b.keys():
            return float("inf")
        return _largest(_difference(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            return float("inf")
        return _largest(_difference(x, y) for x, y in zip(a, b, strict=True))
    numbers = (int, float)
    if isinstance(a, numbers) and isinstance(b, numbers):
        return _relative(float(a), float(b))
    return 0.0 if a == b else float("inf")


def _largest(values: Iterable[float]) -> float:
    return max(values, default=0.0)
