"""Runs the loops of all served campaigns that no other process runs, and sweeps lapsed leases."""

from __future__ import annotations

import itertools
import logging
import threading
from types import TracebackType

from orchestrator.errors import ConflictError
from orchestrator.fleet._fleet import Fleet
from orchestrator.fleet._roster import LEASE_S
from orchestrator.fleet._served import DATABASE_TROUBLE, Propose, ServedLoop, proposed_step
from orchestrator.ledger import Ledger

_log = logging.getLogger(__name__)


class LoopRunner:
    """Owns campaigns while it runs; every campaign has a thread of its own.

    Enter the context to start it; leaving it lets every loop finish its tick and release its
    campaign. Several runners on one database share the campaigns, and take over from the dead.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        lease_s: float = LEASE_S,
        owner_lease_s: float = 60.0,
        poll_s: float = 0.2,
        propose: Propose = proposed_step,
    ) -> None:
        """Prepare a runner.

        Args:
            ledger: The record.
            lease_s: Of workers' leases; lapsed ones are swept ten times in this time [s].
            owner_lease_s: How long a dead runner on another host keeps its campaigns [s].
            poll_s: How often the record is looked at [s].
            propose: Asks the agents.
        """
        self._ledger, self._propose = ledger, propose
        self._fleet = Fleet(ledger, lease_s)
        self._owner_lease_s, self._poll_s = owner_lease_s, poll_s
        self._sweep_every = max(1, round(lease_s / 10.0 / poll_s))
        self._stop = threading.Event()
        self._threads: dict[str, threading.Thread] = {}
        self._main = threading.Thread(target=self._run, name="dotpilot-loops")

    def __enter__(self) -> LoopRunner:
        self._main.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop and release everything; may be called twice."""
        self._stop.set()
        self._main.join()

    @property
    def campaigns(self) -> list[str]:
        """The campaigns that this runner drives now."""
        return sorted(c for c, t in self._threads.items() if t.is_alive())

    def _run(self) -> None:
        try:
            for turn in itertools.count():
                if self._stop.is_set():
                    break
                try:
                    if turn % self._sweep_every == 0:
                        self._fleet.sweep()
                    self._take_up()
                except DATABASE_TROUBLE as error:
                    _log.warning("the database cannot be used and is tried again: %s", error)
                    self._stop.wait(1.0)
                self._stop.wait(self._poll_s)
        finally:
            for thread in self._threads.values():
                thread.join()

    def _take_up(self) -> None:
        self._threads = {c: t for c, t in self._threads.items() if t.is_alive()}
        for campaign in self._ledger.due_campaigns():
            if campaign not in self._threads:
                thread = threading.Thread(
                    target=self._drive, args=(campaign,), name=f"dotpilot-loop-{campaign}"
                )
                self._threads[campaign] = thread
                thread.start()

    def _drive(self, campaign: str) -> None:
        """Own a campaign and run its loop until it rests or this runner stops."""
        try:
            with self._ledger.acquire(campaign, lease_s=self._owner_lease_s) as ownership:
                loop = ServedLoop(self._ledger, campaign, ownership.token, self._propose)
                self._tick_until_rest(loop, campaign)
        except ConflictError:
            self._stop.wait(self._poll_s)  # another process runs it
        except DATABASE_TROUBLE as error:
            _log.warning("campaign %s waits for the database: %s", campaign, error)
            self._stop.wait(1.0)
        except Exception:
            _log.exception("the loop of campaign %s failed; `resume` takes it up again", campaign)

    def _tick_until_rest(self, loop: ServedLoop, campaign: str) -> None:
        """Tick after every event; whether the campaign rests can change only by an event."""
        seen, asked = -1, -1
        while not self._stop.is_set():
            count = self._ledger.event_count(campaign)
            if count != seen:
                while loop.tick() and not self._stop.is_set():
                    pass
                seen = count
            elif count != asked:
                if campaign not in self._ledger.due_campaigns():
                    return
                asked = count
            self._stop.wait(self._poll_s)
