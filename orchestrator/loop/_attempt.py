"""One attempt: intent, run, raw data, observables, verdict; each its own event."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from instruments import (
    Analysis,
    AttemptKey,
    DeviceError,
    Measurement,
    Spectrum,
    Station,
    StationStoppedError,
    TrialFailedError,
    Verdict,
)
from instruments.doses import Doses, doses_of
from instruments.station import Consuming
from orchestrator.errors import RecordError
from orchestrator.events import (
    DoseRecord,
    DosesSettled,
    ObservableRecord,
    Payload,
    SpectrumRecord,
    TrialAbandoned,
    TrialApproved,
    TrialCompleted,
    TrialDispatched,
    TrialFailed,
    TrialImported,
    TrialInDoubt,
    TrialMeasured,
    TrialRejected,
    TrialRunning,
    VerdictRecord,
)
from orchestrator.inventory import Stores
from orchestrator.ledger import Ledger, TrialRow, array_digest

MAX_ATTEMPTS = 3
ACTOR = "loop"


class Attempts:
    """Runs the attempts of one campaign on one station and records each change of state."""

    def __init__(
        self,
        ledger: Ledger,
        campaign: str,
        station: Station,
        token: int | None,
        analyse: Callable[[Station, Measurement], Analysis] | None = None,
    ) -> None:
        self._ledger, self._campaign = ledger, campaign
        self._station, self._token = station, token
        self._analyse = analyse or (lambda of, measurement: of.analyse(measurement))
        self.stores = Stores(ledger, campaign)

    def append(
        self, payload: Payload, arrays: tuple[NDArray[Any], ...] = (), after: int | None = None
    ) -> None:
        """Append one event as the owner of the campaign (only right after event `after`)."""
        self._ledger.append(
            self._campaign, payload, actor=ACTOR, token=self._token, arrays=arrays, after=after
        )

    def run(self, trial: TrialRow, progress: Callable[[str], None] | None = None) -> bool:
        """Run the trial's present attempt; tell whether the station can go on.

        A recipe that the station refuses by now is abandoned before anything moves. An
        exception that says nothing of what happened leaves the trial in doubt and is raised,
        unless it is that of a device and the station is in its safe state: then it can go on.
        """
        number, attempt = trial.number, trial.attempt
        if self.refused(trial):
            return True
        name = self._station.description.name
        planned = self.planned(trial.recipe)
        self.append(TrialDispatched(trial=number, attempt=attempt, station=name, planned=planned))
        self.append(TrialRunning(trial=number, attempt=attempt))
        try:
            measurement = self._station.run(trial.recipe, AttemptKey(number, attempt), progress)
        except TrialFailedError as error:
            self._failed(number, attempt, error)
            return True
        except BaseException as error:
            self.doubt(number, attempt, "running", said(error), doses_of(error))
            return goes_on_after(error)
        event, arrays = self.measured(measurement, number, attempt)
        self.append(event, arrays)
        return self.conclude(number, attempt, measurement)

    def refused(self, trial: TrialRow) -> bool:
        """Abandon a trial that the station refuses by now, before anything moves."""
        broken = self._station.check(trial.recipe)
        if broken:
            reason = "; ".join(v.message for v in broken)
            self.append(TrialAbandoned(trial=trial.number, reason=reason))
        return bool(broken)

    def conclude(self, number: int, attempt: int, measurement: Measurement) -> bool:
        """Derive observables and record the verdict; tell whether the station can go on."""
        analysis = self._analyse(self._station, measurement)
        observables, verdict = analysis_records(analysis)
        if analysis.verdict.failure:
            message = "; ".join(analysis.verdict.reasons) or analysis.verdict.failure
            self.append(
                TrialFailed(
                    trial=number,
                    attempt=attempt,
                    reason=analysis.verdict.failure,
                    message=message,
                    verdict=verdict,
                )
            )
            return True
        if verdict.kind in ("accept", "accept_wide"):
            self.append(
                TrialCompleted(
                    trial=number, attempt=attempt, observables=observables, verdict=verdict
                )
            )
            return True
        self.append(
            TrialRejected(trial=number, attempt=attempt, observables=observables, verdict=verdict)
        )
        return verdict.kind != "stop"

    def repeat_if_wanted(self, trial: TrialRow) -> bool:
        """Approve another attempt of a rejected trial; tell whether there will be one."""
        kind = (trial.verdict or {}).get("kind")
        if trial.state != "rejected" or kind != "repeat" or trial.attempt >= MAX_ATTEMPTS:
            return False
        self.append(
            TrialApproved(
                trial=trial.number, attempt=trial.attempt + 1, reason="repeat by the quality gate"
            )
        )
        return True

    def _failed(self, number: int, attempt: int, error: TrialFailedError) -> None:
        self.append(
            TrialFailed(
                trial=number,
                attempt=attempt,
                reason=error.reason,
                message=str(error),
                lab_time=self._station.lab_time,
                station_state=error.station_state,
                doses=self.stores.record(doses_of(error)),
            )
        )

    def planned(self, recipe: Mapping[str, Any]) -> dict[str, DoseRecord]:
        """Return the most that an attempt may draw, as its intent records it."""
        return self.stores.planned(self.needs([recipe]))

    def needs(self, recipes: Sequence[Mapping[str, Any]]) -> Mapping[str, float]:
        """Return the most that a run of these recipes may draw of each stock [µL]."""
        return self._station.needs(recipes) if isinstance(self._station, Consuming) else {}

    def shortages(self, recipes: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return why a run of these recipes cannot be finished; nothing where it can."""
        if not isinstance(self._station, Consuming):
            return []
        return self.stores.shortages(self.needs(recipes), self._station.supplies())

    def measured(
        self, measurement: Measurement, number: int, attempt: int
    ) -> tuple[TrialMeasured, tuple[NDArray[Any], ...]]:
        """Return the event of a measurement and the arrays that it refers to."""
        doses = self.stores.record(measurement.doses)
        return measured_event(measurement, number, attempt, self._station.lab_time, doses)

    def doubt(
        self, number: int, attempt: int, found: str, reason: str, doses: Doses | None = None
    ) -> None:
        """Record that nobody knows what happened to an attempt, and what it has drawn."""
        drawn = {} if doses is None else self.stores.record(doses)
        self.append(
            TrialInDoubt(trial=number, attempt=attempt, found=found, reason=reason, doses=drawn)
        )

    def settle_doses(self) -> None:
        """Record the doses of earlier attempts that were in doubt and are known by now."""
        known = self._station.settled() if isinstance(self._station, Consuming) else {}
        for key, doses in known.items():
            doubt = latest_doubt(self._ledger, self._campaign, key)
            if doubt is not None:
                seq, before = doubt
                merged = {**before, **self._relabelled(before, doses)}
                self.append(
                    DosesSettled(trial=key.trial, attempt=key.attempt, doubt=seq, doses=merged)
                )

    def _relabelled(self, before: Mapping[str, DoseRecord], doses: Doses) -> dict[str, DoseRecord]:
        """Give doses the bottles that the doubt about them names."""
        return {
            stock: before[stock].model_copy(update={"least": d.least, "most": d.most})
            for stock, d in doses.items()
            if stock in before
        }


def goes_on_after(error: BaseException) -> bool:
    """Tell whether the station can go on after an exception that left its trials in doubt.

    Raises:
        BaseException: `error` itself, where it says nothing of the station.
    """
    if isinstance(error, StationStoppedError):
        return False
    if isinstance(error, DeviceError):  # the procedure has brought it to its safe state
        return True
    raise error


def reported_analysis(station: Station, measurement: Measurement) -> Analysis:
    """Analyse what somebody else's process reported.

    Raw data that cannot be analysed are the reporter's fault, so they are refused with the
    reason and may be measured again; a fault of our own code shows in the same place.
    """
    try:
        return station.analyse(measurement)
    except Exception as error:
        reason = f"the raw data cannot be analysed: {type(error).__name__}: {error}"
        return Analysis({}, Verdict("repeat", (reason,)))


def said(error: BaseException) -> str:
    """Return an exception as a doubt names it."""
    return f"{type(error).__name__}: {error}"


def latest_doubt(
    ledger: Ledger, campaign: str, key: AttemptKey
) -> tuple[int, dict[str, DoseRecord]] | None:
    """Return the event that recorded the latest doubt about an attempt, and its doses."""
    for event in reversed(ledger.events_of(campaign, (TrialInDoubt.TYPE,), key.trial)):
        found = event.read()
        if isinstance(found, TrialInDoubt) and found.attempt == key.attempt:
            return event.seq, dict(found.doses)
    return None


def measured_event(
    measurement: Measurement,
    number: int,
    attempt: int,
    lab_time: float,
    doses: Mapping[str, DoseRecord] | None = None,
) -> tuple[TrialMeasured, tuple[NDArray[Any], ...]]:
    """Return the event of a measurement and the arrays that it refers to."""
    arrays = tuple(a for s in measurement.spectra for a in (s.axis, s.values))
    event = TrialMeasured(
        trial=number,
        attempt=attempt,
        achieved=dict(measurement.achieved),
        conditions={k: dict(v) for k, v in measurement.conditions.items()},
        spectra=tuple(_spectrum(s) for s in measurement.spectra),
        station_state=dict(measurement.station_state),
        identities=tuple(dict(i) for i in measurement.identities),
        warnings=measurement.warnings,
        lab_time=lab_time,
        doses=dict(doses or {}),
    )
    return event, arrays


def _spectrum(spectrum: Spectrum) -> SpectrumRecord:
    return SpectrumRecord(
        name=spectrum.name,
        axis_sha256=array_digest(spectrum.axis),
        values_sha256=array_digest(spectrum.values),
        axis_unit=spectrum.axis_unit,
        unit=spectrum.unit,
        settings=dict(spectrum.settings),
    )


def analysis_records(analysis: Analysis) -> tuple[dict[str, ObservableRecord], VerdictRecord]:
    """Return an analysis as it is recorded."""
    observables = {
        name: ObservableRecord(value=float(o.value), se=_known(o.se), unit=o.unit, method=o.method)
        for name, o in analysis.observables.items()
    }
    verdict = VerdictRecord(kind=analysis.verdict.kind, reasons=analysis.verdict.reasons)
    return observables, verdict


def _known(se: float) -> float | None:
    return None if math.isnan(se) else float(se)


def stored_measurement(ledger: Ledger, campaign: str, trial: TrialRow) -> Measurement:
    """Rebuild the measurement of a trial's present attempt, as `Station.analyse` takes it."""
    events = (e.read() for e in ledger.events_of(campaign, (TrialMeasured.TYPE,), trial.number))
    present = (trial.number, trial.attempt)
    for event in events:
        if isinstance(event, TrialMeasured) and (event.trial, event.attempt) == present:
            return recorded_measurement(ledger, trial.recipe, event)
    raise RecordError(f"trial {trial.number} is measured, but the record holds no measurement")


def recorded_measurement(
    ledger: Ledger, recipe: Mapping[str, Any], event: TrialMeasured | TrialImported
) -> Measurement:
    """Rebuild a measurement from its event and the array store."""
    spectra = tuple(
        Spectrum(
            s.name,
            ledger.array(s.axis_sha256),
            ledger.array(s.values_sha256),
            s.axis_unit,
            s.unit,
            s.settings,
        )
        for s in event.spectra
    )
    return Measurement(
        requested=recipe,
        achieved=event.achieved,
        conditions=event.conditions,
        spectra=spectra,
        station_state=event.station_state or {},
        identities=event.identities,
        warnings=event.warnings,
    )


def doubt_event(ledger: Ledger, campaign: str, trial: TrialRow) -> TrialInDoubt:
    """Return the event for an intent that start-up found without an outcome.

    All that its intent planned may have been drawn, or nothing.
    """
    intents = ledger.events_of(campaign, (TrialDispatched.TYPE,), trial.number)
    intent = intents[-1].read() if intents else None
    return TrialInDoubt(
        trial=trial.number,
        attempt=trial.attempt,
        found=trial.state,
        reason="an intent without an outcome was found at start-up",
        doses=intent.planned if isinstance(intent, TrialDispatched) else {},
    )


__all__ = [
    "MAX_ATTEMPTS",
    "Attempts",
    "analysis_records",
    "doubt_event",
    "measured_event",
    "recorded_measurement",
    "reported_analysis",
    "stored_measurement",
]
