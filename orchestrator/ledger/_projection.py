"""What one event changes in the read tables: a pure function of that event alone.

The same changes are applied to the database in the event's transaction and to memory when a
chain is folded, so that both hold the same values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator import events as ev
from orchestrator.events import Event, Payload, canonical

Columns = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """Set `columns` of the row with this `key`; `new` rows do not exist before."""

    table: str
    key: tuple[Any, ...]
    columns: Columns
    new: bool = False


def changes(event: Event, payload: Payload) -> list[Change]:
    """Return the changes of an event, the campaign row's bookkeeping included."""
    found = _PROJECTORS[event.type](event, payload)
    book = {"updated_at": event.at, "event_count": event.seq, "last_hash": event.hash}
    if found and found[0].table == "campaign":
        head = found[0]
        found[0] = Change(head.table, head.key, {**head.columns, **book}, head.new)
    else:
        found.insert(0, Change("campaign", (event.campaign,), book))
    return found


def _real(value: float | None) -> float | None:
    """Return a number as every database gives it back: SQLite keeps no sign of zero."""
    return None if value is None else value + 0.0


def _json(value: Any) -> str | None:
    return None if value is None else canonical(value)


def _created(event: Event, p: ev.CampaignCreated) -> list[Change]:
    columns = {
        "name": p.name,
        "state": "draft",
        "stop_reason": None,
        "source": p.source,
        "station": p.station["name"],
        "dispatch": p.dispatch,
        "parent": p.parent,
        "forked_at": p.forked_at,
        "seed": p.seed,
        "lab_seed": p.lab_seed,
        "declared": canonical(p.declared),
        "resolved": canonical(p.resolved),
        "station_description": canonical(p.station),
        "created_at": event.at,
    }
    return [Change("campaign", (event.campaign,), columns, new=True)]


def _state(state: str) -> Callable[[Event, Any], list[Change]]:
    def project(event: Event, payload: Any) -> list[Change]:
        reason = getattr(payload, "stop_reason", None)
        return [Change("campaign", (event.campaign,), {"state": state, "stop_reason": reason})]

    return project


def _trial(event: Event, number: int, columns: Columns) -> Change:
    stamp = {"last_seq": event.seq, "updated_at": event.at}
    return Change("trial", (event.campaign, number), {**columns, **stamp})


def _new_trial(event: Event, number: int, columns: Columns) -> Change:
    blank: Columns = {
        "attempt": 1,
        "achieved": "{}",
        "conditions": "{}",
        "predicted": "{}",
        "policy": None,
        "policy_value": None,
        "details": "{}",
        "agent": None,
        "history_hash": None,
        "proposal_seed": None,
        "verdict": None,
        "failure": None,
        "station_state": None,
        "identities": "[]",
        "warnings": "[]",
        "lab_time": None,
        "lab": None,
        "worker": None,
        "origin": "{}",
        "first_seq": event.seq,
        "last_seq": event.seq,
        "updated_at": event.at,
    }
    return Change("trial", (event.campaign, number), {**blank, **columns}, new=True)


def _step(event: Event, p: ev.StepProposed) -> list[Change]:
    agent = canonical(p.agent.model_dump(mode="json"))
    return [
        _new_trial(
            event,
            t.trial,
            {
                "step": p.step,
                "state": "proposed",
                "recipe": canonical(t.recipe),
                "predicted": canonical({k: v.model_dump() for k, v in t.predicted.items()}),
                "policy": t.policy,
                "policy_value": _real(t.policy_value),
                "details": canonical(t.details),
                "agent": agent,
                "history_hash": p.history_hash,
                "proposal_seed": p.seed,
            },
        )
        for t in p.proposals
    ]


def _added(event: Event, p: ev.TrialAdded) -> list[Change]:
    columns = {
        "step": p.step,
        "state": "proposed",
        "recipe": canonical(p.recipe),
        "origin": canonical({"person": event.actor, "note": p.note}),
    }
    return [_new_trial(event, p.trial, columns)]


def _edited(event: Event, p: ev.TrialEdited) -> list[Change]:
    origin = canonical({"edited_by": event.actor, "note": p.note})
    columns = {"state": "proposed", "recipe": canonical(p.recipe), "origin": origin}
    return [_trial(event, p.trial, columns)]


def _dispatched(event: Event, p: ev.TrialDispatched) -> list[Change]:
    columns = {"state": "dispatched", "lab": p.lab or None, "worker": p.worker or None}
    return [_trial(event, p.trial, columns)]


def _approved(event: Event, p: ev.TrialApproved) -> list[Change]:
    return [_trial(event, p.trial, {"state": "approved", "attempt": p.attempt})]


def _moved(state: str) -> Callable[[Event, Any], list[Change]]:
    def project(event: Event, p: Any) -> list[Change]:
        return [_trial(event, p.trial, {"state": state})]

    return project


def _measured(event: Event, p: ev.TrialMeasured) -> list[Change]:
    columns = {
        "state": "measured",
        "achieved": canonical(p.achieved),
        "conditions": canonical(p.conditions),
        "station_state": canonical(p.station_state),
        "identities": canonical(list(p.identities)),
        "warnings": canonical(list(p.warnings)),
        "lab_time": _real(p.lab_time),
    }
    spectra = _spectra(event, p.trial, p.attempt, p.spectra)
    return [_trial(event, p.trial, columns), *spectra, *_drawn(event, "drawn", p)]


def _spectra(
    event: Event, trial: int, attempt: int, spectra: tuple[ev.SpectrumRecord, ...]
) -> list[Change]:
    return [
        Change(
            "spectrum",
            (event.campaign, trial, attempt, s.name),
            {
                "axis_sha256": s.axis_sha256,
                "values_sha256": s.values_sha256,
                "axis_unit": s.axis_unit,
                "unit": s.unit,
                "settings": canonical(s.settings),
            },
        )
        for s in spectra
    ]


def _observables(
    event: Event, trial: int, attempt: int, observables: Mapping[str, ev.ObservableRecord]
) -> list[Change]:
    return [
        Change(
            "observable",
            (event.campaign, trial, attempt, name),
            {"value": _real(o.value), "se": _real(o.se), "unit": o.unit, "method": o.method},
        )
        for name, o in observables.items()
    ]


def _drawn(
    event: Event, kind: str, p: ev.TrialMeasured | ev.TrialFailed | ev.TrialInDoubt
) -> list[Change]:
    lab = next((d.lab for d in p.doses.values()), "")
    return [_dose(event, kind, lab, p.doses, p.trial, p.attempt)] if p.doses else []


def _dose(
    event: Event,
    kind: str,
    lab: str,
    doses: ev.Doses,
    trial: int | None = None,
    attempt: int | None = None,
) -> Change:
    columns = {
        "kind": kind,
        "lab": lab,
        "trial": trial,
        "attempt": attempt,
        "doses": canonical({name: d.model_dump(mode="json") for name, d in doses.items()}),
    }
    return Change("dose", (event.campaign, event.seq), columns, new=True)


def _stores(event: Event, p: ev.StoresDeclared) -> list[Change]:
    volumes = {
        name: ev.DoseRecord(least=lot.volume, most=lot.volume, lab=p.lab, lot=lot.lot)
        for name, lot in p.stocks.items()
    }
    return [_dose(event, "opened", p.lab, volumes)]


def _corrected(event: Event, p: ev.StockCorrected) -> list[Change]:
    dose = ev.DoseRecord(least=p.volume, most=p.volume, lab=p.lab, lot=p.lot)
    return [_dose(event, "weighed", p.lab, {p.stock: dose})]


def _emptied(event: Event, p: ev.WasteEmptied) -> list[Change]:
    return [_dose(event, "emptied", p.lab, {})]


def _settled(event: Event, p: ev.DosesSettled) -> list[Change]:
    doses = canonical({name: d.model_dump(mode="json") for name, d in p.doses.items()})
    return [Change("dose", (event.campaign, p.doubt), {"kind": "settled", "doses": doses})]


def _in_doubt(event: Event, p: ev.TrialInDoubt) -> list[Change]:
    return [_trial(event, p.trial, {"state": "in_doubt"}), *_drawn(event, "doubtful", p)]


def _concluded(state: str) -> Callable[[Event, Any], list[Change]]:
    def project(event: Event, p: Any) -> list[Change]:
        verdict = canonical(p.verdict.model_dump(mode="json"))
        change = _trial(event, p.trial, {"state": state, "verdict": verdict})
        return [change, *_observables(event, p.trial, p.attempt, p.observables)]

    return project


def _failed(event: Event, p: ev.TrialFailed) -> list[Change]:
    columns: Columns = {"state": "failed", "failure": p.reason}
    if p.verdict is not None:
        columns["verdict"] = canonical(p.verdict.model_dump(mode="json"))
    if p.station_state is not None:
        columns["station_state"] = canonical(p.station_state)
    if p.lab_time is not None:
        columns["lab_time"] = _real(p.lab_time)
    return [_trial(event, p.trial, columns), *_drawn(event, "drawn", p)]


_RESOLVED = {"adopt": "completed", "repeat": "approved", "abandon": "abandoned"}


def _resolved(event: Event, p: ev.TrialResolved) -> list[Change]:
    columns: Columns = {"state": _RESOLVED[p.decision], "attempt": p.attempt}
    if p.decision == "adopt":
        columns["achieved"] = canonical(p.achieved)
    change = _trial(event, p.trial, columns)
    return [change, *_observables(event, p.trial, p.attempt, p.observables)]


def _observed(event: Event, p: ev.TrialObserved) -> list[Change]:
    return [_trial(event, p.trial, {}), *_observables(event, p.trial, p.attempt, p.observables)]


def _imported(event: Event, p: ev.TrialImported) -> list[Change]:
    columns = {
        "step": p.step,
        "state": p.state,
        "attempt": p.attempt,
        "recipe": canonical(p.recipe),
        "achieved": canonical(p.achieved),
        "conditions": canonical(p.conditions),
        "verdict": _json(p.verdict.model_dump(mode="json") if p.verdict else None),
        "failure": p.failure,
        "station_state": _json(p.station_state),
        "identities": canonical(list(p.identities)),
        "warnings": canonical(list(p.warnings)),
        "lab_time": _real(p.lab_time),
        "origin": canonical(p.origin),
    }
    return [
        _new_trial(event, p.trial, columns),
        *_observables(event, p.trial, p.attempt, p.observables),
        *_spectra(event, p.trial, p.attempt, p.spectra),
    ]


_PROJECTORS: dict[str, Callable[[Event, Any], list[Change]]] = {
    "campaign.created": _created,
    "campaign.started": _state("running"),
    "campaign.resumed": _state("running"),
    "campaign.paused": _state("paused"),
    "campaign.draining": _state("draining"),
    "campaign.finished": _state("finished"),
    "campaign.stopped": _state("stopped"),
    "campaign.failed": _state("failed"),
    "stores.declared": _stores,
    "stock.corrected": _corrected,
    "waste.emptied": _emptied,
    "doses.settled": _settled,
    "step.proposed": _step,
    "trial.added": _added,
    "trial.edited": _edited,
    "trial.approved": _approved,
    "trial.dispatched": _dispatched,
    "trial.running": _moved("running"),
    "trial.measured": _measured,
    "trial.completed": _concluded("completed"),
    "trial.rejected": _concluded("rejected"),
    "trial.failed": _failed,
    "trial.in_doubt": _in_doubt,
    "trial.resolved": _resolved,
    "trial.observed": _observed,
    "trial.abandoned": _moved("abandoned"),
    "trial.imported": _imported,
}
