"""Does the record reproduce? Chain, read tables, observables from raw data, proposals again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from instruments import Station
from orchestrator.errors import NotFoundError
from orchestrator.events import Event, StepProposed
from orchestrator.ledger import FoldedCampaign, Ledger, check_integrity, fold, refuse_unreachable
from orchestrator.loop import (
    Planner,
    feasibility,
    history,
    make_agent,
    recorded_campaign,
    station_of,
)
from orchestrator.replay._attached import check_attached
from orchestrator.replay._conclusions import Conclusions
from orchestrator.replay._head import check_head, head_of, read_head
from orchestrator.replay._rules import check_end, check_file
from orchestrator.replay._verification import Verification, relative

TOLERANCE = 1e-6


def verify_campaign(
    ledger: Ledger,
    campaign: str,
    *,
    tolerance: float = TOLERANCE,
    proposals: bool = True,
    expect_head: str | None = None,
) -> Verification:
    """Check everything that a campaign's record consists of.

    Observables must come out of the stored spectra bit for bit where the station's version is the
    recorded one. Proposals must come out within `tolerance` (relative). The chain must go on from
    `expect_head` (`SEQ:HASH`, an earlier `head`), which alone shows that no end was cut off.

    Raises:
        InputRefusedError: an expected head that is none.
        NotFoundError: no such campaign.
        StorageError: the database cannot be reached, which says nothing about the record.
    """
    head = None if expect_head is None else read_head(expect_head)
    campaign = _identifier(ledger, campaign)
    report = check_integrity(ledger, campaign)
    events = report.links  # what was written since belongs to a later moment
    result = Verification(report.events, head_of(events), report.chain_ok, report.tables_ok)
    result.findings += report.findings
    if head is not None:
        check_head(events, head, result)
    try:
        folded = fold(events)
        check_attached(ledger, events, folded, result)
        if folded.campaign.source != "imported":
            station = _station(folded)
            Conclusions(ledger, station, folded, result).check(events)
            check_file(folded, station, result)
            check_end(events, result)
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
        return relative(float(a), float(b))
    return 0.0 if a == b else float("inf")


def _largest(values: Iterable[float]) -> float:
    return max(values, default=0.0)
