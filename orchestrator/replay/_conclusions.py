"""Every conclusion again, from the raw data of its attempt or the evidence it was adopted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from instruments import Analysis, Station
from orchestrator.campaign import reported_observables
from orchestrator.events import (
    Event,
    ObservableRecord,
    Payload,
    TrialCompleted,
    TrialFailed,
    TrialImported,
    TrialMeasured,
    TrialRejected,
    TrialResolved,
    adopted,
)
from orchestrator.ledger import FoldedCampaign, Ledger, refuse_unreachable
from orchestrator.loop import analysis_records, recorded_measurement, reported_analysis
from orchestrator.replay._verification import Verification, relative

Concluded = TrialCompleted | TrialRejected | TrialFailed
Raw = TrialMeasured | TrialImported
Observables = Mapping[str, ObservableRecord]


@dataclass
class Conclusions:
    """Derives what a campaign's events conclude, and notes every difference in `result`."""

    ledger: Ledger
    station: Station
    folded: FoldedCampaign
    result: Verification
    _measured: dict[tuple[int, int], TrialMeasured] = field(default_factory=dict)

    def __post_init__(self) -> None:
        recorded = self.folded.campaign.station_description["version"]
        present = self.station.description.version
        other = f" (recorded by station {recorded}, now {present})"
        self._note = "" if recorded == present else other
        self._recipes = {row.number: row.recipe for row in self.folded.trials}

    def check(self, events: Sequence[Event]) -> None:
        """Check the events of a whole chain, in order."""
        for event in events:
            payload = event.read()
            if isinstance(payload, TrialMeasured):
                self._measured[payload.trial, payload.attempt] = payload
                continue
            try:
                self._check(event.seq, payload)
            except Exception as error:
                refuse_unreachable(error)
                what = f"observables cannot be derived: {type(error).__name__}: {error}"
                self.result.find(_where(payload), what, event.seq)

    def _check(self, seq: int, payload: Payload) -> None:
        if isinstance(payload, (TrialCompleted, TrialRejected, TrialFailed)):
            self._concluded(seq, payload)
        elif isinstance(payload, TrialImported) and payload.spectra and payload.verdict:
            analysis = self._analysis(payload)
            if payload.state != "failed":
                self._compare(seq, payload, payload.observables, analysis_records(analysis)[0])
            self._verdict(seq, payload, payload.verdict.model_dump(), analysis)
        elif isinstance(payload, TrialResolved) and payload.decision == "adopt":
            self._adopted(seq, payload)

    def _concluded(self, seq: int, payload: Concluded) -> None:
        raw, where = self._measured.get((payload.trial, payload.attempt)), _where(payload)
        if raw is None:
            if payload.verdict is not None:
                what = f"is {_state(payload)}, but the record holds no measurement of the attempt"
                self.result.find(where, what, seq)
            return
        if payload.verdict is None:
            self.result.find(where, "failed after it was measured, but has no verdict", seq)
            return
        analysis = self._analysis(raw)
        if not isinstance(payload, TrialFailed):
            self._compare(seq, payload, payload.observables, analysis_records(analysis)[0])
        self._verdict(seq, payload, payload.verdict.model_dump(), analysis)
        if _state(payload) != (expected := _expected(analysis)):
            self.result.find(where, f"is {_state(payload)}, but follows as {expected}", seq)

    def _adopted(self, seq: int, payload: TrialResolved) -> None:
        raw, where = adopted(payload), _where(payload)
        evidence = payload.evidence or {}
        if raw is not None:
            analysis = self._analysis(raw)
            self._compare(seq, payload, payload.observables, analysis_records(analysis)[0])
            self._verdict(seq, payload, evidence.get("verdict"), analysis)
            if raw.trial != payload.trial or dict(raw.achieved) != dict(payload.achieved):
                what = "what was adopted as achieved is not that of the late result"
                self.result.find(where, what, seq)
            return
        problems: list[str] = []
        declared = self.folded.campaign.station_description["observables"]
        read = reported_observables(declared, evidence.get("observables"), problems.append)
        for problem in problems:
            self.result.find(where, f"is adopted on evidence that gives nothing: {problem}", seq)
        said = {n: ObservableRecord(**o, method="adopted@person") for n, o in read.items()}
        if not problems and said != payload.observables:
            self.result.find(where, "the observables adopted are not those of the evidence", seq)

    def _analysis(self, raw: Raw) -> Analysis:
        measurement = recorded_measurement(self.ledger, self._recipes[raw.trial], raw)
        return reported_analysis(self.station, measurement)

    def _verdict(self, seq: int, payload: Payload, recorded: Any, analysis: Analysis) -> None:
        derived = analysis_records(analysis)[1].model_dump(mode="json")
        kind = (recorded or {}).get("kind"), list((recorded or {}).get("reasons", ()))
        if kind != (derived["kind"], derived["reasons"]):
            what = f"verdict is recorded as {recorded}, derived as {derived}{self._note}"
            self.result.find(_where(payload), what, seq)

    def _compare(
        self, seq: int, payload: Payload, recorded: Observables, derived: Observables
    ) -> None:
        where, result = _where(payload), self.result
        person = isinstance(payload, TrialImported) and any(
            o.method == "adopted@person" for o in recorded.values()
        )
        if person:  # a fork's copy: the parent's record holds the evidence
            return
        for name in sorted(derived.keys() - recorded.keys()):
            result.find(where, f"{name} follows from the raw data, but is not recorded", seq)
        for name, old in recorded.items():
            result.observables_checked += 1
            new = derived.get(name)
            if new is None:
                what = f"{name} is recorded but cannot be derived{self._note}"
                result.find(where, what, seq)
                continue
            apart = max(relative(old.value, new.value), relative(old.se or 0.0, new.se or 0.0))
            result.max_difference = max(result.max_difference, apart)
            if old == new:
                result.observables_ok += 1
            else:
                what = f"{name} is recorded as {old}, derived as {new}{self._note}"
                result.find(where, what, seq)


def _where(payload: Any) -> str:
    return f"trial {payload.trial} attempt {payload.attempt}"


def _state(payload: Concluded) -> str:
    if isinstance(payload, TrialFailed):
        return f"failed ({payload.reason})"
    return "completed" if isinstance(payload, TrialCompleted) else "rejected"


def _expected(analysis: Analysis) -> str:
    if analysis.verdict.failure:
        return f"failed ({analysis.verdict.failure})"
    accepted = analysis.verdict.kind in ("accept", "accept_wide")
    return "completed" if accepted else "rejected"
