"""Everything that a page is drawn from, read once from the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agents import Continuous, Fixed, Objective, Parameter
from instruments import InstrumentError, Series
from orchestrator.campaign import (
    Campaign,
    LaterObservable,
    Outcome,
    attachable,
    best_trial,
    from_resolved,
    pareto_trials,
)
from orchestrator.documents import parameter_units
from orchestrator.errors import RecordError
from orchestrator.events import Event, Payload
from orchestrator.ledger import CampaignRow, Ledger, StoredSpectrum, TrialRow
from orchestrator.loop import outcomes, station_of, stored_measurement


@dataclass(frozen=True)
class Record:
    """A campaign as the report sees it.

    Attributes:
        row: The campaign's row.
        campaign: The same, resolved.
        trials: Ordered by number.
        events: The chain, each event with its payload.
        done: The completed trials.
        best: Number of the best trial; None without objectives or without a completed trial.
        front: Numbers of the Pareto set.
        units: By parameter.
        spectra: Reads the spectra of a trial's present attempt.
        series: Derives observables over time from them; empty where the station is not at hand
            in the version that is on record.
    """

    row: CampaignRow
    campaign: Campaign
    trials: Sequence[TrialRow]
    events: Sequence[tuple[Event, Payload]]
    done: Sequence[Outcome]
    best: int | None
    front: Sequence[int]
    units: Mapping[str, str]
    spectra: Callable[[int], Sequence[StoredSpectrum]]
    series: Callable[[int], Sequence[Series]]

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What the campaign wants."""
        return self.campaign.objectives

    @property
    def driving(self) -> tuple[Objective, ...]:
        """The objectives that are more than a bound."""
        return tuple(o for o in self.objectives if o.goal != "constraint")

    @property
    def bounded(self) -> bool:
        """Whether there is anything to be met: a target or a bound."""
        return any(bound is not None for o in self.objectives for bound in o.bounds())

    @property
    def varied(self) -> tuple[Parameter, ...]:
        """The parameters that the campaign does not hold at one value."""
        return tuple(p for p in self.campaign.space.parameters if not isinstance(p, Fixed))

    @property
    def observables(self) -> list[str]:
        """Observables to show: those of the objectives, or all that were measured."""
        wanted = dict.fromkeys(o.observable for o in self.objectives)
        if wanted:
            return list(wanted)
        seen = {name for t in self.trials for name in t.observables}
        return [name for name in self._known() if name in seen]

    def wishes(self, observable: str) -> list[Objective]:
        """The objectives on one observable."""
        return [o for o in self.objectives if o.observable == observable]

    def trial(self, number: int) -> TrialRow:
        """The trial of this number."""
        return next(t for t in self.trials if t.number == number)

    def unit(self, observable: str) -> str:
        """The declared unit of an observable."""
        known = self._known().get(observable)
        return "" if known is None else known.unit

    def description(self, observable: str) -> str:
        """What the station, or the campaign file, says that an observable is."""
        known = self._known().get(observable)
        return "" if known is None else known.description

    def spectral(self, observable: str) -> bool:
        """Whether an observable is a position on the light axis."""
        known = self._known().get(observable)
        return known is not None and known.spectral

    def _known(self) -> dict[str, LaterObservable]:
        return attachable(self.row.station_description, self.row.resolved)

    def ranked(self, count: int) -> list[int]:
        """Numbers of the best trials, best first."""
        left = list(self.done)
        found: list[int] = []
        while len(found) < count and self.objectives:
            best = best_trial(left, self.objectives, self.campaign.confidence)
            if best is None:
                break
            found.append(best)
            left = [o for o in left if o.trial != best]
        return found

    def best_so_far(self) -> dict[int, int]:
        """The number of the best trial up to each completed trial."""
        leader: Outcome | None = None
        found: dict[int, int] = {}
        for outcome in self.done if self.objectives else ():
            rivals = [outcome] if leader is None else [leader, outcome]
            best = best_trial(rivals, self.objectives, self.campaign.confidence)
            leader = next((o for o in rivals if o.trial == best), leader)
            if leader is not None:
                found[outcome.trial] = leader.trial
        return found


def read_record(ledger: Ledger, campaign_id: str) -> Record:
    """Read a campaign.

    Raises:
        NotFoundError: no such campaign.
        RecordError: an event that cannot be read.
    """
    row = ledger.campaign(campaign_id)
    campaign = from_resolved(row.declared, row.resolved)
    trials = ledger.trials(row.id)
    done = outcomes(trials)
    best = best_trial(done, campaign.objectives, campaign.confidence)
    return Record(
        row=row,
        campaign=campaign,
        trials=trials,
        events=[(event, event.read()) for event in ledger.events(row.id)],
        done=done,
        best=best if campaign.objectives else None,
        front=pareto_trials(done, campaign.objectives) if campaign.objectives else [],
        units=parameter_units(row),
        spectra=lambda number: ledger.spectra(row.id, number),
        series=lambda number: _series(ledger, row, campaign, number),
    )


def _series(ledger: Ledger, row: CampaignRow, campaign: Campaign, number: int) -> Sequence[Series]:
    try:
        station = station_of(campaign, row.station_description)
    except InstrumentError:
        return ()
    if station.description.version != row.station_description["version"]:
        return ()
    try:
        measurement = stored_measurement(ledger, row.id, ledger.trial(row.id, number))
    except RecordError:  # brought along from another record, without raw data of its own
        return ()
    return station.analyse(measurement).series


def is_log(parameter: Parameter) -> bool:
    """Whether a parameter is searched on a log scale."""
    return isinstance(parameter, Continuous) and parameter.log


__all__ = ["Record", "is_log", "read_record"]
