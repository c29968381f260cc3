"""The worker: registers, leases, runs, and reports until somebody lets it go."""

from __future__ import annotations

import os
import platform
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from typing import Any, Protocol

from instruments import Station
from orchestrator.client import Client, LostLeaseError, ServerFailedError
from orchestrator.errors import (
    AccessError,
    ConflictError,
    DotpilotError,
    InputRefusedError,
    NotFoundError,
    RemoteError,
    TransitionError,
)
from orchestrator.worker._bottles import Bottles, BottleShortError
from orchestrator.worker._heartbeat import Heartbeats
from orchestrator.worker._outbox import Entry, Outbox
from orchestrator.worker._run import BrokenOffError, Outcome, failure, members, run_lease
from orchestrator.worker._station_bay import StationBay
from orchestrator.worker._station_file import StationFile

POLL = 5.0  # s that a request for work waits; short, so that a worker drains within it
PAUSE = 2.0  # s between two tries of a server that cannot be reached
HEARTBEAT = 20.0  # s, where the server names no period
Say = Callable[[str], None]


class Watch(Protocol):
    """Looks at how long the steps of a run take."""

    def step(self, text: str) -> None:
        """A step begins."""

    def end(self) -> None:
        """No step is under way."""

    def learn(self, measured: Iterable[Mapping[str, Mapping[str, Any]]]) -> None:
        """Take up the conditions of measurements."""


class Worker:
    """One process that owns one station.

    Whatever ends it, nothing is lost: the outbox knows what began and what came of it before
    anybody else does.

    Args:
        client: For everything but heartbeats.
        beats: For heartbeats alone, with a try or two each.
        file: Which station this is, and where.
        name: Identifier at the server.
        outbox: Owned by this worker.
        bay: Holds the station.
        say: Takes a line for people.
        clock: Seconds, steadily increasing.
        poll: How long a request for work waits at the server [s].
        watch: Is told of the steps of a run, and of how long they took.
    """

    def __init__(
        self,
        client: Client,
        beats: Client,
        file: StationFile,
        name: str,
        outbox: Outbox,
        bay: StationBay,
        say: Say,
        clock: Callable[[], float] = time.monotonic,
        poll: float = POLL,
        watch: Watch | None = None,
    ) -> None:
        self._client, self._beats, self._file, self.name = client, beats, file, name
        self._outbox, self._bay, self._say, self._clock = outbox, bay, say, clock
        self._poll, self._watch = poll, watch
        self._bottles = Bottles(file, outbox)
        self._stop = threading.Event()
        self._why = ""
        self._period = HEARTBEAT
        self._registered = self._recovered = False
        self._idle = threading.Event()  # nothing runs that could move a device
        self._idle.set()
        self._stopped: str | None = None
        self._unsure = True  # a lease may have been granted whose answer never came

    def drain(self, reason: str) -> None:
        """Finish the run under way, report it, and end; may be called from a signal handler."""
        self._why = self._why or reason
        self._stop.set()

    def stopped(self, reason: str) -> None:
        """Break off, since an emergency stop was ordered; called from the thread that listens."""
        self._stopped = reason or "no reason was given"
        self._stop.set()

    @property
    def idle(self) -> threading.Event:
        """Set while nothing runs that could move a device."""
        return self._idle

    @property
    def draining(self) -> bool:
        """Whether somebody asked it to end."""
        return self._stop.is_set()

    def run(self, *, once: bool = False) -> None:
        """Work until drained, or for one lease with `once`.

        Raises:
            RemoteError: the server cannot be reached, with `once` only; else it is tried again.
            AccessError: the token is not good for this lab.
            ConflictError: another process has this worker's name.
            DotpilotError: the station needs a person, or failed in an unexpected way; what is
                known of the trial was reported, or waits in the outbox.
        """
        for damaged in self._outbox.set_aside():
            self._say(
                f"DAMAGED: a row of {self._outbox.path} cannot be read and is set aside; it is "
                f"kept there, and its trial comes into doubt as its lease runs out: {damaged}"
            )
        try:
            while not self._stop.is_set():
                try:
                    if self._turn() and once:
                        break
                except (RemoteError, ServerFailedError) as error:
                    self._unsure = True
                    self._registered = False  # somebody else may have the name by now
                    self._bay.make_safe()
                    if once:
                        raise
                    self._say(f"{error}; trying again")
                    self._stop.wait(PAUSE)
        finally:
            self._bay.make_safe()
        self._last_words()
        if self._stopped is not None:
            raise DotpilotError(
                f"an emergency stop was ordered ({self._stopped}), so this worker ends; look at "
                "the station, then start it again"
            )

    def _turn(self) -> bool:
        """Do the next thing; tell whether a lease was worked on to its acknowledged end."""
        if not self._registered:
            self._register()
            self._registered = True
        if not self._recovered:
            self._find_unfinished()
            self._recovered = True
        self._deliver()
        lease = self._next_lease()
        if lease is None:
            return False
        outcome = self._work(lease)
        self._deliver()
        if outcome is not None and outcome.problem is not None:
            raise _ended(outcome.problem)
        return True

    def _register(self) -> None:
        answer = self._client.register_worker(
            self.name,
            {
                "lab": self._file.lab,
                "station": self._file.station,
                "simulated": self._file.laboratory or None,
                "version": version("dotpilot"),
                "safe_within": self._file.safe_within,
                "instance": self._outbox.identity,
                "details": {
                    "host": socket.gethostname(),
                    "process": os.getpid(),
                    "python": platform.python_version(),
                },
            },
        )
        self._period = float(answer.get("heartbeat_s") or HEARTBEAT)
        self._say(
            f"worker {self.name} of lab {self._file.lab} owns station {self._file.station} and "
            f"asks {self._client.url} for work"
        )

    def _find_unfinished(self) -> None:
        """Say of every run that ended with an earlier process that nobody knows what it made."""
        for entry in self._outbox.unfinished():
            said = "the worker ended while the station ran; look at the station"
            outcome = failure(entry.fence, "unknown", "worker_ended", said)
            self._outbox.conclude(entry.lease, entry.fence, outcome.route, outcome.body)
            self._say(f"{_trials(entry.document)}: {said}")

    def _next_lease(self) -> dict[str, Any] | None:
        if self._unsure:
            for held in self._client.leases(self.name):
                if not self._outbox.knows(held) and held["state"] == "leased":
                    self._held_unknowingly(held)
            self._unsure = False
        try:
            lease = self._client.lease(
                self.name,
                wait=self._poll,
                lease_s=self._file.lease_s,
                instance=self._outbox.identity,
            )
        except NotFoundError:
            self._register()  # another database than the one that knew this worker
            return None
        if lease is not None and self._stop.is_set():
            self._client.give_back(lease["lease"], lease["fence"], self._why)
            return None
        return lease

    def _held_unknowingly(self, lease: dict[str, Any]) -> None:
        """End a lease of this name that this outbox knows nothing of; it is never run.

        Its grant may have been lost on the way, or another process of this name holds it. What
        nobody took up goes back, and whoever asked for it finds it lost before anything moves.
        """
        said = "the worker's outbox is gone, so nobody knows whether this ran"
        if not self._outbox.fresh:
            try:
                why = "the worker's outbox knows no such lease"
                self._client.give_back(lease["lease"], lease["fence"], why)
            except LostLeaseError:
                return
            except TransitionError:
                said = "the worker's outbox knows nothing of this run, which began already"
            else:
                self._say(f"{_trials(lease)}: given back, {why}")
                return
        outcome = failure(int(lease["fence"]), "unknown", "outbox_lost", said)
        self._outbox.begin(lease)
        self._outbox.conclude(lease["lease"], lease["fence"], outcome.route, outcome.body)
        self._say(f"{_trials(lease)}: {said}")
        self._deliver()

    def _work(self, lease: dict[str, Any]) -> Outcome | None:
        """Run one lease and put its outcome into the outbox; None where nothing ran."""
        self._outbox.begin(lease)
        station = self._station_for(lease)
        if not self._take_up(lease, self._planned(lease, station)):
            return None
        self._say(f"{_trials(lease)}: running")
        outcome: Outcome | None = None
        try:
            outcome = self._run_station(lease, station)
        finally:
            if outcome is None:
                said = "the worker was stopped while the station ran"
                outcome = failure(int(lease["fence"]), "unknown", "interrupted", said)
            self._outbox.conclude(lease["lease"], lease["fence"], outcome.route, outcome.body)
        if outcome.route == "result":
            self._say(f"{_trials(lease)}: measured")
        else:
            self._say(f"{_trials(lease)}: {outcome.body['kind']}, {outcome.body['message']}")
        return outcome

    def _station_for(self, lease: Mapping[str, Any]) -> Station:
        """Return the station, ready.

        Raises:
            DotpilotError: it is not; nothing was moved, and the lease goes back.
        """
        try:
            return self._bay.prepare(lease)
        except Exception as error:
            self._bay.make_safe()
            self._not_run(lease, f"the station is not ready: {type(error).__name__}: {error}")
            self._deliver()
            raise _ended(error) from error

    def _planned(self, lease: Mapping[str, Any], station: Station) -> dict[int, Any]:
        """Return what each trial may draw.

        Raises:
            DotpilotError: more than there is; nothing was moved, and the lease goes back.
        """
        recipes = {key.trial: recipe for key, recipe in members(lease)}
        try:
            return self._bottles.set_aside(lease, station, recipes)
        except BottleShortError as error:
            self._bay.make_safe()
            self._not_run(lease, str(error))
            self._deliver()
            raise

    def _take_up(self, lease: Mapping[str, Any], planned: Mapping[int, Any]) -> bool:
        """Tell the server that the run begins, while the lease is surely held."""
        try:
            answer = self._client.heartbeat(
                lease["lease"],
                lease["fence"],
                "taken up",
                lease_s=self._file.lease_s,
                planned=planned,
            )
        except LostLeaseError as error:
            self._outbox.acknowledge(lease["lease"], lease["fence"], f"not run: {error}")
            return False
        except (RemoteError, ServerFailedError):
            self._not_run(lease, "the server could not be reached, so nothing was moved")
            raise
        if answer["cancel"]:
            self._not_run(lease, "cancelled before anything was moved")
        return not answer["cancel"]

    def _not_run(self, lease: Mapping[str, Any], reason: str) -> None:
        self._outbox.note_doses(lease, {})
        body = {"fence": lease["fence"], "reason": reason}
        self._outbox.conclude(lease["lease"], lease["fence"], "return", body)
        self._say(f"{_trials(lease)}: {reason}")

    def _run_station(self, lease: Mapping[str, Any], station: Station) -> Outcome:
        beats = Heartbeats(self._beats, lease, self._file.lease_s, self._period, self._clock)

        def progress(text: str) -> None:
            beats.say(text)
            if self._watch is not None:
                self._watch.step(text)
            if self._stopped is not None:
                raise BrokenOffError(
                    f"an emergency stop was ordered ({self._stopped}), at: {text}"
                )
            if beats.cancelled:
                raise BrokenOffError(f"the server asked to break off, at: {text}")
            if beats.silence > self._file.safe_within:
                raise BrokenOffError(
                    f"no contact for {self._file.safe_within:g} s, so the station was brought to "
                    f"its safe state, at: {text}"
                )

        with beats:
            self._bay.note_dispense(lease, self.name, station)
            self._idle.clear()
            try:
                outcome = run_lease(lease, station, progress, self._bottles)
            finally:
                self._idle.set()
                if self._watch is not None:
                    self._watch.end()
        if self._watch is not None:
            self._watch.learn(r["conditions"] for r in outcome.body.get("results", ()))
        unsure = outcome.route == "fail" and outcome.body["kind"] in ("unknown", "stopped")
        if unsure or beats.lost or beats.silence > 0.0:
            self._bay.make_safe()
        return outcome

    def _deliver(self) -> None:
        """Send what the outbox holds, oldest first.

        Raises:
            RemoteError: the server cannot be reached; the rest stays.
        """
        for entry in self._outbox.unsent():
            try:
                answer = self._send(entry)
            except AccessError:
                raise
            except (ConflictError, NotFoundError, TransitionError) as error:
                self._outbox.refuse(entry.lease, entry.fence, str(error))
                self._say(f"{_trials(entry.document)}: {error}")
            except InputRefusedError as error:
                self._not_taken(entry, error)
            else:
                self._outbox.acknowledge(entry.lease, entry.fence, answer)

    def _send(self, entry: Entry) -> str:
        body = entry.body or {}
        if entry.route == "result":
            found = self._client.send_result(entry.lease, body)
        elif entry.route == "fail":
            found = self._client.send_failure(entry.lease, body)
        else:
            found = self._client.give_back(entry.lease, entry.fence, str(body.get("reason", "")))
        return str(found["state"])

    def _not_taken(self, entry: Entry, error: InputRefusedError) -> None:
        """Say that the outcome is unknown to the server; what it refused stays in the outbox."""
        self._outbox.refuse(entry.lease, entry.fence, str(error))
        self._say(
            f"{_trials(entry.document)}: the server does not take what was measured, which stays "
            f"in {self._outbox.path}: {error}"
        )
        said = f"the server did not take the worker's report: {error}"
        body = failure(entry.fence, "unknown", "report_refused", said).body
        try:
            self._client.send_failure(entry.lease, body)
        except (ConflictError, NotFoundError, InputRefusedError) as again:
            self._say(f"{_trials(entry.document)}: {again}")

    def _last_words(self) -> None:
        try:
            self._deliver()
        except DotpilotError as error:
            left = len(self._outbox.unsent())
            self._say(f"{left} outcomes wait in {self._outbox.path} for the next start: {error}")


def _ended(problem: BaseException) -> BaseException:
    """Return what ends the worker: a wish to end as it is, any other trouble in our words."""
    if not isinstance(problem, Exception):
        return problem
    ended = DotpilotError(
        f"the station needs a person, so this worker ends: {type(problem).__name__}: {problem}"
    )
    ended.__cause__ = problem
    return ended


def _trials(lease: Mapping[str, Any]) -> str:
    numbers = ", ".join(str(m["trial"]) for m in lease["members"])
    return f"campaign {lease['campaign']} trial {numbers}"
