"""What a campaign's record says of its file and of its end, made again from the record itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from instruments import Station
from orchestrator.campaign import check_campaign
from orchestrator.errors import DotpilotError
from orchestrator.events import CampaignFinished, Event
from orchestrator.ledger import CampaignRow, FoldedCampaign, fold
from orchestrator.loop import recorded_campaign, stop_decision
from orchestrator.replay._verification import Verification

# What may stand between the decision to finish and the event that says so.
_AFTER_THE_DECISION = (
    "trial.abandoned",
    "trial.added",
    "trial.edited",
    "trial.approved",
    "trial.observed",
)
# What a fork may have otherwise than the file that it carries.
_OF_A_FORK = ("agent", "agent_options", "seed", "lab_seed")


def check_file(folded: FoldedCampaign, station: Station, result: Verification) -> None:
    """Resolve the declared file again, where the station is the one that it was resolved for.

    A file that is refused today is no finding: rules may have become stricter since.
    """
    row, resolved = folded.campaign, recorded_campaign(folded.campaign).resolved()
    for name in ("name", "seed", "lab_seed"):
        if resolved[name] != getattr(row, name):
            what = f"{name} is {getattr(row, name)!r}, but is resolved as {resolved[name]!r}"
            result.find("event 1 (campaign.created)", what, 1)
    if row.station_description["version"] != station.description.version:
        return
    for name, value in _again(row, station).items():
        if row.source == "forked" and name in _OF_A_FORK:
            continue
        if resolved[name] != value:
            what = f"{name} is resolved as {resolved[name]!r}, the declared file says {value!r}"
            result.find("event 1 (campaign.created)", what, 1)


def _again(row: CampaignRow, station: Station) -> dict[str, Any]:
    description = station.description
    declared = {description.name: description} if row.station_description.get("declared") else {}
    try:
        return check_campaign(row.declared, declared).resolved()
    except DotpilotError:
        return {}


def check_end(events: Sequence[Event], result: Verification) -> None:
    """Ask the stop rules again where the record says that one of them held."""
    for index, event in enumerate(events):
        finished = event.read()
        if not isinstance(finished, CampaignFinished):
            continue
        said = finished.stop_reason, finished.trial
        found = _decisions(events[:index])
        if said not in found:
            what = f"finished as {_words(said)}, but follows as {_words(found[0])}"
            result.find(f"event {event.seq} ({event.type})", what, event.seq)


def _decisions(before: Sequence[Event]) -> list[tuple[Any, Any]]:
    """Return what the stop rules say at each moment at which the loop may have asked them."""
    last = len(before)
    while last > 1 and before[last - 1].type in _AFTER_THE_DECISION:
        last -= 1
    found: list[tuple[Any, Any]] = []
    for until in range(last, len(before) + 1):
        folded = fold(before[:until])
        decision = stop_decision(recorded_campaign(folded.campaign), folded.trials)
        found.append((None, None) if decision is None else (decision.stop_reason, decision.trial))
    return found


def _words(decision: tuple[Any, Any]) -> str:
    reason, trial = decision
    if reason is None:
        return "not at an end"
    return str(reason) if trial is None else f"{reason} with trial {trial}"
