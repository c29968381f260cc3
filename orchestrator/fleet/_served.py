"""The loop of one served campaign: it reads the record, and does the next thing that is due.

It holds nothing between two calls, so it may move to another process at any moment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError

from instruments import Station
from orchestrator.campaign import Campaign
from orchestrator.errors import ConflictError, StorageError, TransitionError
from orchestrator.events import (
    CampaignFailed,
    CampaignFinished,
    CampaignPaused,
    CampaignStopped,
    Event,
    StepProposed,
    TrialAbandoned,
)
from orchestrator.executor import Executor
from orchestrator.fleet._offers import Offers
from orchestrator.ledger import CampaignRow, Ledger, TrialRow
from orchestrator.loop import (
    Attempts,
    MatterSpent,
    Planner,
    budget_spent,
    feasibility,
    history,
    make_agent,
    policy_decision,
    recorded_campaign,
    reported_analysis,
    room_in_budget,
    station_of,
    stop_decision,
    stored_measurement,
    unheeded_stop,
)
from orchestrator.trial import IN_FLIGHT

# Trouble of the database says nothing of the campaign: it is tried again.
DATABASE_TROUBLE = (StorageError, DBAPIError)
Propose = Callable[[CampaignRow, Sequence[TrialRow], int, int, int], StepProposed]


def proposed_step(
    row: CampaignRow, trials: Sequence[TrialRow], step: int, first: int, n: int
) -> StepProposed:
    """Ask a campaign's agent for its next step; runs in any process."""
    campaign = recorded_campaign(row)
    station = station_of(campaign, row.station_description)
    planner = Planner(make_agent(campaign), campaign, feasibility(station))
    return planner.propose(history(trials), step, first, n)


def proposed_through(executor: Executor) -> Propose:
    """Return a way to ask agents wherever the executor computes.

    Where a process of its pool died, this process answers instead: the proposal is the same.
    """

    def propose(
        row: CampaignRow, trials: Sequence[TrialRow], step: int, first: int, n: int
    ) -> StepProposed:
        try:
            return executor.submit(proposed_step, row, trials, step, first, n).result()
        except BrokenExecutor:
            return proposed_step(row, trials, step, first, n)

    return propose


@dataclass
class ServedLoop:
    """Drives one served campaign that this process owns.

    Attributes:
        ledger: The record.
        campaign_id: The campaign's identifier.
        token: Fencing token of the ownership.
        propose: Asks the agent, here or elsewhere.
    """

    ledger: Ledger
    campaign_id: str
    token: int
    propose: Propose = proposed_step

    def __post_init__(self) -> None:
        row = self.ledger.campaign(self.campaign_id)
        self._campaign: Campaign = recorded_campaign(row)
        self._station: Station = station_of(self._campaign, row.station_description)
        self._attempts = Attempts(
            self.ledger, self.campaign_id, self._station, self.token, reported_analysis
        )
        self._offers = Offers(self.ledger, self.campaign_id, self._campaign, self.token)
        self._matter = MatterSpent(self.ledger, self.campaign_id, self._campaign, self._station)

    def tick(self) -> bool:
        """Do what is due; tell whether something was done.

        Raises:
            ConflictError: another process owns the campaign by now.
            Exception: a bug or an outside failure, after `campaign.failed` was recorded.
        """
        count = self.ledger.event_count(self.campaign_id)
        try:
            return self._tick()
        except DATABASE_TROUBLE:
            raise
        except Exception as error:
            clash = isinstance(error, (ConflictError, TransitionError))
            if clash and self.ledger.event_count(self.campaign_id) != count:
                return True  # somebody else's event came in between: look again
            if isinstance(error, ConflictError):
                raise
            self._offers.withdraw()
            self._attempts.append(CampaignFailed(error=f"{type(error).__name__}: {error}"))
            raise

    def _tick(self) -> bool:
        row = self.ledger.campaign(self.campaign_id)
        trials = self.ledger.trials(self.campaign_id)
        if self._settle(trials):
            return True
        flying = [t for t in trials if t.state in IN_FLIGHT]
        if row.state == "draining":
            return self._drain(flying)
        if row.state != "running":
            return False
        if reason := unheeded_stop(self._verdicts()):
            return self._close(
                trials, flying, CampaignStopped(stop_reason="station_stopped", detail=reason)
            )
        if finished := stop_decision(self._campaign, trials):
            return self._close(trials, flying, finished)
        return self._go_on(row, trials, flying)

    def _settle(self, trials: Sequence[TrialRow]) -> bool:
        """Derive observables of what was measured, end doubts by policy, approve repeats."""
        done = False
        for t in trials:
            if t.state == "measured":
                measurement = stored_measurement(self.ledger, self.campaign_id, t)
                self._attempts.conclude(t.number, t.attempt, measurement)
                done = True
            elif t.state == "in_doubt":
                repeatable = self._station.description.repeatable
                if decision := policy_decision(self._campaign, repeatable, t):
                    self._attempts.append(decision)
                    done = True
            elif t.state == "rejected":
                done = self._attempts.repeat_if_wanted(t) or done
        return done

    def _verdicts(self) -> list[Event]:
        return self.ledger.events_of(self.campaign_id, ("trial.rejected", "campaign.stopped"))

    def _drain(self, flying: Sequence[TrialRow]) -> bool:
        self._offers.withdraw()
        if flying:
            return False
        self._attempts.append(CampaignPaused(reason="drained"))
        return True

    def _close(
        self,
        trials: Sequence[TrialRow],
        flying: Sequence[TrialRow],
        end: CampaignFinished | CampaignStopped,
    ) -> bool:
        """End the campaign once nothing is under way; until then nothing new begins."""
        self._offers.withdraw()
        open_trials = [t for t in trials if t.state in ("proposed", "approved")]
        if isinstance(end, CampaignFinished):
            for t in open_trials:
                event = TrialAbandoned(trial=t.number, reason="the campaign is over")
                self._attempts.append(event)
        if flying:
            return bool(open_trials) and isinstance(end, CampaignFinished)
        self._attempts.append(end)
        return True

    def _go_on(
        self, row: CampaignRow, trials: Sequence[TrialRow], flying: Sequence[TrialRow]
    ) -> bool:
        runnable = [t for t in trials if t.state in self._runnable_states()]
        if runnable:
            under_way = [t.recipe for t in flying]
            needs = self._attempts.needs([*under_way, *(t.recipe for t in runnable)])
            if spent := self._matter.exceeded(needs):
                return self._close(trials, flying, budget_spent(self._campaign, trials, spent))
            return self._offer(runnable, flying)
        doubtful = [t.number for t in trials if t.state == "in_doubt"]
        if doubtful and not flying:
            numbers = ", ".join(map(str, doubtful))
            reason = f"trial {numbers} in doubt: decide with `dotpilot resolve`, then resume"
            self._attempts.append(CampaignPaused(reason=reason))
            return True
        if flying or doubtful or any(t.state == "proposed" for t in trials):
            return False
        first = max((t.number for t in trials), default=0) + 1
        step = max((t.step for t in trials), default=0) + 1
        room = room_in_budget(self._campaign, trials)
        event = self.propose(row, trials, step, first, room)
        # a person's recipe or a pause that came in between makes this decision an old one
        self._attempts.append(event, after=row.event_count)
        return True

    def _runnable_states(self) -> tuple[str, ...]:
        return ("approved",) if self._campaign.approval else ("proposed", "approved")

    def _offer(self, runnable: Sequence[TrialRow], flying: Sequence[TrialRow]) -> bool:
        offered = self._offers.offered()
        fresh = [t for t in runnable if t.number not in offered]
        fit = [t for t in fresh if not self._attempts.refused(t)]
        if self._campaign.batch > 1 and self._station.description.max_batch > 1:
            # the trials of a step share a run: a repeat waits until the run before it has ended
            if fit and not flying and not offered:
                self._offers.offer(fit)
                return True
            return len(fit) < len(fresh)
        for t in fit:
            self._offers.offer([t])
        return bool(fresh)
