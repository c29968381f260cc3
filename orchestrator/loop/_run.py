"""The loop: propose, dispatch, observe, decide, until a stop rule holds or somebody stops it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from instruments import Station, StationStoppedError
from instruments.around import ChoosingStation
from orchestrator.campaign import Campaign
from orchestrator.errors import SupersededError
from orchestrator.events import (
    CampaignDraining,
    CampaignFailed,
    CampaignFinished,
    CampaignPaused,
    CampaignResumed,
    CampaignStarted,
    CampaignStopped,
    StepProposed,
    TrialAbandoned,
)
from orchestrator.ledger import Ledger, TrialRow
from orchestrator.loop._attempt import Attempts, doubt_event, stored_measurement
from orchestrator.loop._batch import (
    Batch,
    fresh_batch,
    interrupted_batch,
    run_batch,
    state_before,
)
from orchestrator.loop._history import history
from orchestrator.loop._matter import MatterSpent
from orchestrator.loop._propose import Planner, feasibility, make_agent
from orchestrator.loop._settle import lost_too_often, policy_decision, unheeded_stop
from orchestrator.loop._stop import budget_spent, room_in_budget, stop_decision


class Observer(Protocol):
    """Watches a campaign; must not raise. Every method is called after the event is committed."""

    def proposed(self, step: StepProposed) -> None:
        """A step was proposed."""

    def running(self, trial: TrialRow) -> None:
        """A trial is about to run."""

    def progress(self, text: str) -> None:
        """The station says what it does."""

    def ended(self, trial: TrialRow) -> None:
        """A trial reached a state in which the loop leaves it."""

    def finished(self, state: str, detail: str) -> None:
        """The loop lets go of the campaign."""


@dataclass
class StopRequest:
    """Set by whoever wants the loop to drain: the trial under way is finished first."""

    reason: str = ""

    def ask(self, reason: str) -> None:
        """Ask the loop to drain."""
        self.reason = self.reason or reason


@dataclass
class CampaignLoop:
    """Drives one campaign that this process owns.

    Attributes:
        ledger: The record.
        campaign_id: The campaign's identifier.
        campaign: The campaign as it was resolved.
        station: Not yet opened.
        token: Fencing token of the ownership.
        observer: Watches.
        stop: Somebody else's wish to drain.
    """

    ledger: Ledger
    campaign_id: str
    campaign: Campaign
    station: Station
    token: int
    observer: Observer
    stop: StopRequest = field(default_factory=StopRequest)

    def __post_init__(self) -> None:
        self._attempts = Attempts(self.ledger, self.campaign_id, self.station, self.token)
        self._matter = MatterSpent(self.ledger, self.campaign_id, self.campaign, self.station)
        infeasible = feasibility(self.station)
        self._planner = Planner(make_agent(self.campaign), self.campaign, infeasible)

    def run(self) -> str:
        """Run until the campaign rests; return its state.

        Raises:
            Exception: a bug or an outside failure, after `campaign.failed` was recorded and the
                station brought to its safe state.
        """
        state = self.ledger.campaign(self.campaign_id).state
        if state == "finished":
            return state
        self._attempts.append(CampaignStarted() if state == "draft" else CampaignResumed())
        try:
            self.station.open()
            self._loop()
        except KeyboardInterrupt:
            self._rest(CampaignPaused(reason="aborted by a person"))
        except Exception as error:
            self._attempts.append(CampaignFailed(error=f"{type(error).__name__}: {error}"))
            raise
        finally:
            self._close()
        return self.ledger.campaign(self.campaign_id).state

    def _close(self) -> None:
        """Let go of the station; that it is not safe is news unless the record says so already."""
        try:
            self.station.close()
        except StationStoppedError:
            if self.ledger.campaign(self.campaign_id).state != "stopped":
                raise

    def _rest(self, event: CampaignPaused | CampaignFinished | CampaignStopped) -> None:
        self._attempts.append(event)
        detail = event.reason if isinstance(event, CampaignPaused) else event.detail
        self.observer.finished(self.ledger.campaign(self.campaign_id).state, detail)

    def _loop(self) -> None:
        if not self._pause_for(self._reconcile()):
            return
        if reason := unheeded_stop(self.ledger.events(self.campaign_id)):
            self._rest(CampaignStopped(stop_reason="station_stopped", detail=reason))
            return
        if not self.stop.reason and not self._finish_interrupted():
            return
        while True:
            seen = self.ledger.event_count(self.campaign_id)
            rows = self.ledger.trials(self.campaign_id)
            if self.stop.reason:
                self._attempts.append(CampaignDraining(reason=self.stop.reason))
                self._rest(CampaignPaused(reason=self.stop.reason))
                return
            if finished := stop_decision(self.campaign, rows):
                self._abandon_open(rows)
                self._rest(finished)
                return
            if not self._advance(rows, seen):
                return

    def _advance(self, rows: Sequence[TrialRow], seen: int) -> bool:
        """Take one action; tell whether the loop goes on."""
        runnable = [r for r in rows if r.state in self._runnable_states()]
        if runnable and self._together:
            return self._run_together(runnable)
        if runnable:
            return self._run_one(runnable)
        waiting = [r.number for r in rows if r.state == "proposed"]
        if waiting:
            numbers = ", ".join(map(str, waiting))
            reason = f"trial {numbers} awaits approval: `dotpilot approve`, then resume"
            self._rest(CampaignPaused(reason=reason))
            return False
        self._propose(rows, seen)
        return True

    def _propose(self, rows: Sequence[TrialRow], seen: int) -> None:
        """Append the agent's next step, unless a later measurement came in meanwhile.

        Args:
            rows: What the agent knows.
            seen: Number of the last event that they follow from.
        """
        first = max((r.number for r in rows), default=0) + 1
        step = max((r.step for r in rows), default=0) + 1
        room = room_in_budget(self.campaign, rows)
        event = self._planner.propose(history(rows), step, first, room)
        try:
            self._attempts.append(event, after=seen)
        except SupersededError:  # what the agent would have said is to be asked anew
            return
        self.observer.proposed(event)

    def _runnable_states(self) -> tuple[str, ...]:
        return ("approved",) if self.campaign.approval else ("proposed", "approved")

    def _run_one(self, runnable: Sequence[TrialRow]) -> bool:
        """Run the first of these, or the one that the station, as it stands, would rather have."""
        self._restore()
        station, chosen = self.station, 0
        if isinstance(station, ChoosingStation):
            chosen = station.first_of([r.recipe for r in runnable])
        number = runnable[chosen].number
        trial = self.ledger.trial(self.campaign_id, number)
        if not self._suffices([trial]):
            return False
        self.observer.running(trial)
        goes_on = self._attempts.run(trial, self.observer.progress)
        self._attempts.settle_doses()
        trial = self.ledger.trial(self.campaign_id, number)
        self.observer.ended(trial)
        return self._settle([trial], goes_on)

    @property
    def _together(self) -> bool:
        """Whether the trials of a step share one run of the station."""
        return self.campaign.batch > 1 and self.station.description.max_batch > 1

    def _run_together(self, runnable: Sequence[TrialRow]) -> bool:
        fit = [t for t in runnable if not self._attempts.refused(t)]
        if not fit:
            return True
        if not self._suffices(fit):
            return False
        self._restore()
        return self._run_batch(fresh_batch(fit))

    def _suffices(self, trials: Sequence[TrialRow]) -> bool:
        """Tell whether a run of these can be finished with the stocks and within the budget.

        Else nothing moves: the campaign is finished where its budget would be spent, and pauses
        where a bottle does not suffice.
        """
        self._attempts.settle_doses()
        recipes = [t.recipe for t in trials]
        if spent := self._matter.exceeded(self._attempts.needs(recipes)):
            rows = self.ledger.trials(self.campaign_id)
            self._abandon_open(rows)
            self._rest(budget_spent(self.campaign, rows, spent))
            return False
        short = self._attempts.shortages(recipes)
        if short:
            numbers = ", ".join(str(t.number) for t in trials)
            reason = f"trial {numbers} could not be finished, so nothing was moved: "
            self._rest(CampaignPaused(reason=reason + "; ".join(short)))
        return not short

    def _finish_interrupted(self) -> bool:
        """Make the batch again that an earlier process left, before a stop rule is asked."""
        if not self._together:
            return True
        rows, events = self.ledger.trials(self.campaign_id), self.ledger.events(self.campaign_id)
        batch = interrupted_batch(events, rows, self._runnable_states())
        if batch is None or any(self.station.check(r) for r in batch.recipes):
            return True
        self.station.restore(state_before(events, batch))
        return self._run_batch(batch)

    def _run_batch(self, batch: Batch) -> bool:
        for number in batch.numbers:
            self.observer.running(self.ledger.trial(self.campaign_id, number))
        goes_on = run_batch(self._attempts, self.station, batch, self.observer.progress)
        trials = [self.ledger.trial(self.campaign_id, n) for n in batch.numbers]
        for trial in trials:
            self.observer.ended(trial)
        return self._settle(trials, goes_on)

    def _settle(self, trials: Sequence[TrialRow], goes_on: bool) -> bool:
        """Stop with the station, or approve the repeats that the quality gate asks for."""
        if not goes_on:
            told = (r for t in trials for r in _stopping(t))
            reason = "; ".join(told) or "the station stopped"
            self._rest(CampaignStopped(stop_reason="station_stopped", detail=reason))
            return False
        if not self._settle_doubts([t for t in trials if t.state == "in_doubt"]):
            return False
        for trial in trials:
            self._attempts.repeat_if_wanted(trial)
        return True

    def _settle_doubts(self, lost: Sequence[TrialRow]) -> bool:
        """Decide on trials that a device lost, by the campaign's rule; tell whether to go on."""
        events = self.ledger.events(self.campaign_id) if lost else ()
        tired = [t.number for t in lost if lost_too_often(events, t.number)]
        if tired:
            reason = f"trial {tired[0]} was lost again and again by a device; look at the station"
            self._rest(CampaignStopped(stop_reason="station_stopped", detail=reason))
            return False
        return self._pause_for([t.number for t in lost if not self._decide_by_policy(t)])

    def _pause_for(self, waiting: Sequence[int]) -> bool:
        """Pause where a person must decide on these trials; tell whether the loop goes on."""
        if waiting:
            numbers = ", ".join(map(str, waiting))
            reason = f"trial {numbers} in doubt: decide with `dotpilot resolve`, then resume"
            self._rest(CampaignPaused(reason=reason))
        return not waiting

    def _restore(self) -> None:
        """Put the station where the record left it: an uninterrupted run does the same."""
        known = [r for r in self.ledger.trials(self.campaign_id) if r.station_state]
        latest = max(known, key=lambda r: (r.lab_time or 0.0, r.number), default=None)
        self.station.restore(latest.station_state if latest and latest.station_state else {})

    def _reconcile(self) -> list[int]:
        """Settle what an earlier process left; return the trials that a person must decide on."""
        rows = self.ledger.trials(self.campaign_id)
        for row in rows:
            if row.state == "measured":
                measurement = stored_measurement(self.ledger, self.campaign_id, row)
                self._attempts.conclude(row.number, row.attempt, measurement)
            elif row.state in ("dispatched", "running"):
                self._attempts.append(doubt_event(self.ledger, self.campaign_id, row))
        waiting = []
        for row in self.ledger.trials(self.campaign_id):
            if row.state == "in_doubt" and not self._decide_by_policy(row):
                waiting.append(row.number)
            else:
                self._attempts.repeat_if_wanted(row)
        return waiting

    def _decide_by_policy(self, row: TrialRow) -> bool:
        decision = policy_decision(self.campaign, self.station.description.repeatable, row)
        if decision is not None:
            self._attempts.append(decision)
        return decision is not None

    def _abandon_open(self, rows: Sequence[TrialRow]) -> None:
        for row in rows:
            if row.state in ("proposed", "approved"):
                self._attempts.append(
                    TrialAbandoned(trial=row.number, reason="the campaign is over")
                )


def _stopping(trial: TrialRow) -> Sequence[str]:
    """The reasons of a trial whose verdict stops the station."""
    verdict = trial.verdict or {}
    return tuple(verdict["reasons"]) if verdict.get("kind") == "stop" else ()
