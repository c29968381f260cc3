"""Leases: grant, heartbeat, result, failure, lapse. Each call is one transaction.

What happens to matter is written here, in the transaction that changes the lease: a grant is the
write-ahead intent of the trials that it covers, a lapse is their doubt.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestrator.errors import ConflictError, TransitionError
from orchestrator.events import (
    BatchMember,
    Doses,
    Payload,
    TrialApproved,
    TrialDispatched,
    TrialInDoubt,
    TrialRunning,
    canonical,
)
from orchestrator.fleet._models import (
    Failure,
    Heartbeat,
    Lease,
    LeaseAnswer,
    LeaseLostError,
    Member,
    Result,
)
from orchestrator.fleet._reported import read_results
from orchestrator.fleet._roster import Roster
from orchestrator.fleet._rows import duration, failure_event, lease_of, results_digest
from orchestrator.fleet._statements import COLUMNS, EDGE, Row
from orchestrator.ledger import Chain, encoded
from orchestrator.loop import measured_event

PROGRESS = 4000  # characters; room for what a person knows before the rest comes
UNDER_WAY = ("dispatched", "running")
# What is to be written with a change, in its transaction: given the driver's cursor, once.
Also = Callable[[Any], None]


def new_id(letter: str) -> str:
    """Return a random identifier that begins with `letter`."""
    return letter + secrets.token_hex(8)


class Fleet(Roster):
    """The leases of one ledger; may be shared by threads."""

    def grant(
        self,
        worker: str,
        lease_s: float | None = None,
        campaign: str | None = None,
        *,
        instance: str | None = None,
        also: Also | None = None,
    ) -> Lease | None:
        """Give a worker the oldest offer that fits it, with the intents of its trials.

        Args:
            worker: Who asks.
            lease_s: For how long [s].
            campaign: Of this campaign only.
            instance: As the worker registered it.
            also: Written with the grant.

        Returns:
            The lease, or None where nothing fits now.

        Raises:
            NotFoundError: no such worker.
            ConflictError: another instance has the worker's name by now.
            InputRefusedError: a lease of no or endless time.
        """
        values = {
            "worker": worker,
            "lease_s": duration(lease_s, self.lease_s),
            "edge": EDGE,
            "campaign": campaign,
            "instance": instance,
        }
        while True:
            try:
                with self.ledger.writing() as cursor:
                    row = self._sql.one(cursor, "grant", values)
                    if row is None:
                        break
                    lease = self._begin(cursor, row)
                    _write(also, cursor)
                    return lease
            except _StaleOfferError as stale:
                self._drop(stale.lease)
            except _NotRunningError:
                return None
        self._polled(worker, instance)
        return None

    def _begin(self, cursor: Any, row: Row) -> Lease:
        """Write the intents of a granted lease."""
        chain = self._chain(cursor, row)
        lease = self._held(row, chain, self._restore(cursor, row))
        together = tuple(BatchMember(trial=m.trial, attempt=m.attempt) for m in lease.members)
        for m in lease.members:
            intent = TrialDispatched(
                trial=m.trial,
                attempt=m.attempt,
                station=lease.station,
                batch=together if len(together) > 1 else (),
                lab=lease.lab or "",
                worker=lease.worker or "",
            )
            try:
                self._append(chain, lease.worker, intent, wanted="running")
            except TransitionError as error:  # abandoned or edited since it was offered
                raise _StaleOfferError(lease.lease) from error
            except ConflictError as error:
                raise _NotRunningError from error
        chain.write()
        return lease

    def _drop(self, lease: str) -> None:
        with self.ledger.writing() as cursor:
            self._sql.run(cursor, "drop", {"id": lease})

    def heartbeat(
        self,
        lease: str,
        fence: int,
        progress: str = "",
        lease_s: float | None = None,
        planned: Mapping[int, Doses] | None = None,
    ) -> Heartbeat:
        """Keep a lease; the first heartbeat says that the station took the attempts up.

        Args:
            lease: Which.
            fence: Its fencing number.
            progress: What the station does.
            lease_s: How long it is kept [s].
            planned: What each trial may draw; of the first heartbeat.

        Raises:
            LeaseLostError: a stale fence, or a lease that ended or lapsed.
            NotFoundError: no such lease.
        """
        values = {"id": lease, "fence": fence, "progress": progress[:PROGRESS]}
        values["lease_s"] = duration(lease_s, self.lease_s)
        with self.ledger.writing() as cursor:
            row = self._sql.one(cursor, "beat", values)
            if row is not None:
                return self._beat(cursor, row, planned or {})
        raise self._lost(lease, fence)

    def _beat(self, cursor: Any, row: Row, planned: Mapping[int, Doses]) -> Heartbeat:
        columns = dict(zip(COLUMNS, row, strict=False))
        expires_in, state, trial_state, long_ago = row[len(COLUMNS) :]
        if trial_state == "dispatched":
            chain = self._chain(cursor, row)
            for trial, attempt in json.loads(columns["members"]):
                may_draw = dict(planned.get(trial, {}))
                running = TrialRunning(trial=trial, attempt=attempt, planned=may_draw)
                self._append(chain, columns["worker"], running)
            chain.write()
        if long_ago:
            self._sql.run(cursor, "seen", {"id": columns["worker"]})
        return Heartbeat(float(expires_in), bool(columns["cancel"]), state != "running")

    def result(
        self, lease: str, fence: int, results: Sequence[Result], *, also: Also | None = None
    ) -> LeaseAnswer:
        """Record what a lease's run brought back, once.

        The same results again are answered as the first time. Results with a stale fence are kept
        as evidence. `also` is written with the results, the first time.

        Raises:
            LeaseLostError: a stale fence; the message names the evidence.
            ConflictError: other results than those that were recorded.
            InputRefusedError: results that are not one for each attempt, malformed, or of
                values that the station has no place for; nothing is kept.
            NotFoundError: no such lease.
        """
        digest = results_digest(results)
        with self.ledger.writing() as cursor:
            row = self._end(cursor, lease, fence, "done", digest)
            if row is not None:
                station = self._station(cursor, row[1])
                self._record(self._chain(cursor, row), row, results, station)
                _write(also, cursor)
                return LeaseAnswer("done", digest)
        found = self.lease(lease)
        if found.fence == fence and found.state == "done":
            if self._digest_of(lease) == digest:
                return LeaseAnswer("done", digest)
            raise ConflictError(
                f"a lease has one result, but {lease} has another one already; the first stands"
            )
        kept = self._keep_late(found, results, digest)
        raise LeaseLostError(
            f"only whoever holds a lease may end it, but fence {fence} of {lease} is stale (it is "
            f"{found.state}); the result is kept as evidence {', '.join(kept)}, for whoever "
            "resolves the doubt"
        )

    def _end(self, cursor: Any, lease: str, fence: int, state: str, digest: str) -> Row | None:
        values = {"id": lease, "fence": fence, "state": state, "digest": digest}
        return self._sql.one(cursor, "end", values)

    def _record(
        self, chain: Chain, row: Row, results: Sequence[Result], station: Mapping[str, Any]
    ) -> None:
        lease = self._held(row, chain)
        read = read_results(station, lease.members, results)
        by_key = {(r.trial, r.attempt): r for r in read}
        for m in lease.members:
            given = by_key[m.trial, m.attempt]
            event, arrays = measured_event(
                given.measurement(m.recipe), m.trial, m.attempt, given.lab_time, given.doses
            )
            if _state(chain, m) == "dispatched":
                running = TrialRunning(trial=m.trial, attempt=m.attempt)
                self._append(chain, lease.worker, running)
            self._append(chain, lease.worker, event, arrays=encoded(arrays))
        chain.write()

    def fail(
        self, lease: str, fence: int, failure: Failure, *, also: Also | None = None
    ) -> LeaseAnswer:
        """Record how a lease ended without a result; `also` is written with it, the first time.

        Raises:
            LeaseLostError: a stale fence, or a lease that ended or lapsed.
            NotFoundError: no such lease.
        """
        digest = hashlib.sha256(canonical(failure.model_dump(mode="json")).encode()).hexdigest()
        with self.ledger.writing() as cursor:
            row = self._end(cursor, lease, fence, "done", digest)
            if row is not None:
                chain = self._chain(cursor, row)
                held = self._held(row, chain)
                for m in held.members:
                    planned = self._planned(cursor, held, m)
                    event = failure_event(failure, m, _state(chain, m), planned)
                    self._append(chain, held.worker, event)
                chain.write()
                if failure.kind == "stopped":
                    self._sql.run(cursor, "stopped", {"id": held.worker})
                _write(also, cursor)
                return LeaseAnswer("done", digest)
        found = self.lease(lease)
        if (found.fence, found.state) == (fence, "done") and self._digest_of(lease) == digest:
            return LeaseAnswer("done", digest)
        raise self._lost(lease, fence)

    def give_back(
        self, lease: str, fence: int, reason: str, *, also: Also | None = None
    ) -> LeaseAnswer:
        """Offer a lease again whose holder says that nothing moved; `also` is written with it.

        Raises:
            LeaseLostError: a stale fence, or a lease that ended or lapsed.
            TransitionError: the station took an attempt up already.
            NotFoundError: no such lease.
        """
        with self.ledger.writing() as cursor:
            row = self._sql.one(cursor, "return", {"id": lease, "fence": fence})
            if row is not None:
                chain = self._chain(cursor, row)
                held = self._held(row, chain)
                for m in held.members:
                    why = f"given back, nothing moved: {reason}"[:500]
                    back = TrialApproved(trial=m.trial, attempt=m.attempt, reason=why)
                    self._append(chain, held.worker, back)
                chain.write()
                _write(also, cursor)
                return LeaseAnswer("offered")
        raise self._lost(lease, fence)

    def cancel(self, campaign: str) -> int:
        """Withdraw a campaign's offers and ask its workers to stop; return how many they are."""
        with self.ledger.writing() as cursor:
            self._sql.run(cursor, "withdraw", {"campaign": campaign})
            return int(self._sql.run(cursor, "cancel", {"campaign": campaign}).rowcount)

    def sweep(self) -> int:
        """Turn lapsed leases into doubt; return how many there were."""
        count = 0
        while True:
            with self.ledger.writing() as cursor:
                row = self._sql.one(cursor, "lapse", {})
                if row is None:
                    return count
                chain = self._chain(cursor, row)
                lease = self._held(row, chain)
                for m in lease.members:
                    self._doubt(chain, lease, m, self._planned(cursor, lease, m))
                chain.write()
            count += 1

    def _planned(self, cursor: Any, lease: Lease, member: Member) -> Doses:
        """Return what an attempt may have drawn, as its worker said when it took it up."""
        key = {"campaign": lease.campaign, "ending": f'%"trial":{member.trial}}}'}
        row = self._sql.one(cursor, "running", key)
        if row is None:
            return {}
        running = TrialRunning.model_validate_json(row[0])
        return running.planned if running.attempt == member.attempt else {}

    def _doubt(self, chain: Chain, lease: Lease, member: Member, planned: Doses) -> None:
        state, attempt = chain.standing(member.trial) or ("", 0)
        if state not in UNDER_WAY or attempt != member.attempt:
            return
        reason = f"worker {lease.worker} was not heard from while its lease lasted"
        doubt = TrialInDoubt(
            trial=member.trial,
            attempt=member.attempt,
            found=state,
            reason=reason,
            doses=planned,
        )
        chain.append(doubt, at=self.ledger.now(), actor="fleet")

    def _keep_late(self, lease: Lease, results: Sequence[Result], digest: str) -> list[str]:
        kept = []
        with self.ledger.writing() as cursor:
            station = self._station(cursor, lease.campaign)
            for r in read_results(station, lease.members, results):
                key = {"lease": lease.lease, "trial": r.trial, "digest": digest}
                if same := self._sql.one(cursor, "late_same", key):
                    kept.append(str(same[0]))
                    continue
                kept.append(new_id("e"))
                row = {
                    **key,
                    "id": kept[-1],
                    "campaign": lease.campaign,
                    "attempt": r.attempt,
                    "worker": lease.worker,
                    "at": self.ledger.now(),
                    "body": canonical(r.model_dump(mode="json")),
                }
                self._sql.run(cursor, "late", row)
        return kept

    def _lost(self, lease: str, fence: int) -> LeaseLostError:
        found = self.lease(lease)
        return LeaseLostError(
            f"only whoever holds a lease may use it, but fence {fence} of {lease} is stale: it is "
            f"{found.state} with fence {found.fence}; bring the station to its safe state"
        )

    def _station(self, cursor: Any, campaign: str) -> Mapping[str, Any]:
        """Return the description of the station that a campaign was opened with."""
        row = self._sql.one(cursor, "station", {"campaign": campaign})
        return {} if row is None else dict(json.loads(row[0]))

    def _chain(self, cursor: Any, row: Row) -> Chain:
        """Lock the campaign of a lease that this transaction holds."""
        return self.ledger.chain(cursor, row[1], [trial for trial, _ in json.loads(row[2])])

    def _held(self, row: Row, chain: Chain, restore: Mapping[str, Any] | None = None) -> Lease:
        return lease_of(row, chain.recipes, chain.lab_seed, restore or {})

    def _append(self, chain: Chain, worker: str | None, payload: Payload, **more: Any) -> None:
        chain.append(payload, at=self.ledger.now(), actor=f"worker {worker}", **more)


class _StaleOfferError(Exception):
    """An offer whose trial moved on meanwhile."""

    def __init__(self, lease: str) -> None:
        self.lease = lease
        super().__init__(lease)


class _NotRunningError(Exception):
    """The campaign was paused between the pick and the lock."""


def _write(also: Also | None, cursor: Any) -> None:
    if also is not None:
        also(cursor)


def _state(chain: Chain, member: Member) -> str:
    standing = chain.standing(member.trial)
    return standing[0] if standing else ""
