"""Watches the record for what a person should hear of: doubts, rests, lost and unsafe workers."""

from __future__ import annotations

import logging
import threading
from types import TracebackType

from sqlalchemy.exc import SQLAlchemyError

from orchestrator.alarms._sender import Alarms
from orchestrator.fleet import Fleet, last_stop
from orchestrator.ledger import CampaignRow, Ledger

POLL = 2.0  # s between two looks
RESTS = ("paused", "stopped", "failed")
_log = logging.getLogger(__name__)


class RecordWatch:
    """Looks at the record again and again while the context lasts; what was there is no news.

    Args:
        alarms: Takes what it finds.
        ledger: The record.
        campaigns: Identifiers of the only ones to look at; all, if left out.
        poll: Between two looks [s].
    """

    def __init__(
        self,
        alarms: Alarms,
        ledger: Ledger,
        campaigns: tuple[str, ...] | None = None,
        poll: float = POLL,
    ) -> None:
        self._alarms, self._ledger, self._only, self._poll = alarms, ledger, campaigns, poll
        self._fleet = Fleet(ledger)
        self._seen: dict[str, int] = {}
        self._lost: set[str] = set()
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dotpilot-watch")

    def __enter__(self) -> RecordWatch:
        for row in self._campaigns():
            self._seen[row.id] = row.event_count
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            leaving = self._leave.wait(self._poll)
            try:
                self.look()
            except SQLAlchemyError as error:
                _log.warning("the record cannot be looked at and is tried again: %s", error)
            if leaving:
                return

    def look(self) -> None:
        """Look once."""
        for row in self._campaigns():
            if row.event_count != self._seen.get(row.id, 0):
                self._campaign(row)
                self._seen[row.id] = row.event_count
        if self._only is None:
            self._workers()

    def _campaigns(self) -> list[CampaignRow]:
        rows = self._ledger.campaigns()
        return [r for r in rows if self._only is None or r.id in self._only]

    def _campaign(self, row: CampaignRow) -> None:
        rests = f"{row.id} rests"
        if row.state in RESTS:
            why = row.stop_reason or "its last events say why"
            said = f"campaign {row.id} ({row.name}) is {row.state} and waits for a person: {why}"
            self._alarms.tell("waits_for_person", rests, said)
        else:
            self._alarms.forget("waits_for_person", rests)
        for trial in self._ledger.trials(row.id):
            about = f"{row.id} trial {trial.number}"
            if trial.state == "in_doubt":
                said = (
                    f"trial {trial.number} of campaign {row.id} is in doubt: nobody knows what "
                    f"its attempt {trial.attempt} made; look at the station, then "
                    "`dotpilot resolve`"
                )
                self._alarms.tell("in_doubt", about, said)
            else:
                self._alarms.forget("in_doubt", about)

    def _workers(self) -> None:
        for worker in self._fleet.workers():
            if worker.state == "ready" and worker.seen_ago > self._alarms.file.worker_silence:
                said = (
                    f"worker {worker.worker} of lab {worker.lab} has been silent for "
                    f"{worker.seen_ago:.0f} s; look at its machine and its network"
                )
                self._alarms.tell("worker_lost", worker.worker, said)
            else:
                self._alarms.forget("worker_lost", worker.worker)
            if worker.state == "stopped" and (stop := last_stop(self._ledger, worker.worker)):
                if stop.unconfirmed:
                    names = ", ".join(str(u["name"]) for u in stop.unconfirmed)
                    said = (
                        f"worker {worker.worker} was stopped, but {names} did not confirm the "
                        "safe state; bring them there by hand"
                    )
                    self._alarms.tell("unsafe", f"{worker.worker} stop {stop.number}", said)
