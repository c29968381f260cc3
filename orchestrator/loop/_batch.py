"""A batch: several attempts in one run of the station, each with its own intent and outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from instruments import (
    AttemptKey,
    BatchStation,
    Measurement,
    Recipe,
    Station,
)
from instruments.doses import batch_doses_of, total
from orchestrator.errors import DotpilotError
from orchestrator.events import (
    BatchMember,
    Event,
    TrialDispatched,
    TrialFailed,
    TrialImported,
    TrialMeasured,
    TrialRunning,
)
from orchestrator.ledger import TrialRow
from orchestrator.loop._attempt import Attempts, goes_on_after, said


@dataclass(frozen=True)
class Batch:
    """Attempts that are made together.

    Attributes:
        keys: All of them, in the order in which the station gets them.
        recipes: Theirs, in the same order.
        unfinished: Those whose outcome is still to be recorded; the others were recorded before
            an earlier process died, and are made again only because the rest needs the same run.
    """

    keys: tuple[AttemptKey, ...]
    recipes: tuple[Recipe, ...]
    unfinished: tuple[AttemptKey, ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        """The trials whose outcome is still to be recorded."""
        return tuple(k.trial for k in self.unfinished)


def fresh_batch(trials: Sequence[TrialRow]) -> Batch:
    """Put these trials' present attempts together, in the order of their numbers."""
    ordered = sorted(trials, key=lambda t: t.number)
    keys = tuple(AttemptKey(t.number, t.attempt) for t in ordered)
    return Batch(keys, tuple(t.recipe for t in ordered), keys)


def interrupted_batch(
    events: Iterable[Event], trials: Sequence[TrialRow], runnable: Sequence[str]
) -> Batch | None:
    """Return the latest batch as it was dispatched, where attempts of it are to be made again.

    An attempt that was given up, or whose repeat a person made a new attempt, is not.
    """
    begun: set[AttemptKey] = set()
    keys: tuple[AttemptKey, ...] = ()
    for event in events:
        if event.type == TrialDispatched.TYPE:
            intent = cast(TrialDispatched, event.read())
            begun.add(AttemptKey(intent.trial, intent.attempt))
            keys = tuple(AttemptKey(m.trial, m.attempt) for m in intent.batch)
    rows = {t.number: t for t in trials}
    unfinished = tuple(
        k for k in keys if rows[k.trial].attempt == k.attempt and rows[k.trial].state in runnable
    )
    if not begun.intersection(unfinished):
        return None
    return Batch(keys, tuple(rows[k.trial].recipe for k in keys), unfinished)


def state_before(events: Iterable[Event], batch: Batch) -> dict[str, Any]:
    """Return the station's state from which a batch was first made ({} is a new station)."""
    latest, clock = {}, -1.0
    for event in events:
        if event.type not in (TrialMeasured.TYPE, TrialFailed.TYPE, TrialImported.TYPE):
            continue
        found = cast(TrialMeasured | TrialFailed | TrialImported, event.read())
        inside = AttemptKey(found.trial, found.attempt) in batch.keys
        if found.station_state and not inside and (found.lab_time or 0.0) >= clock:
            latest, clock = found.station_state, found.lab_time or 0.0
    return dict(latest)


def run_batch(
    attempts: Attempts,
    station: Station,
    batch: Batch,
    progress: Callable[[str], None] | None = None,
) -> bool:
    """Commit every intent, make the batch, record every outcome; tell whether to go on.

    An exception says nothing of what happened to any member, so it leaves all of them in doubt.
    What members drew that are only made again counts with the first of the others.
    """
    together = tuple(BatchMember(trial=k.trial, attempt=k.attempt) for k in batch.keys)
    name = station.description.name
    recipes = dict(zip(batch.keys, batch.recipes, strict=True))
    for k in batch.unfinished:
        attempts.append(
            TrialDispatched(
                trial=k.trial,
                attempt=k.attempt,
                station=name,
                batch=together,
                planned=attempts.planned(recipes[k]),
            )
        )
    for k in batch.unfinished:
        attempts.append(TrialRunning(trial=k.trial, attempt=k.attempt))
    try:
        made = _measurements(station, batch, progress)
    except BaseException as error:
        drawn = dict(zip(batch.keys, batch_doses_of(error, len(batch.keys)), strict=True))
        for k in batch.unfinished:
            attempts.doubt(k.trial, k.attempt, "running", said(error), drawn[k])
        return goes_on_after(error)
    again = [made[k].doses for k in batch.keys if k not in batch.unfinished]
    first = batch.unfinished[0]
    made[first] = replace(made[first], doses=total([made[first].doses, *again]))
    for k in batch.unfinished:
        event, arrays = attempts.measured(made[k], k.trial, k.attempt)
        attempts.append(event, arrays)
    goes_on = True
    for k in batch.unfinished:  # every one, also after a verdict that stops the station
        goes_on = attempts.conclude(k.trial, k.attempt, made[k]) and goes_on
    return goes_on


def _measurements(
    station: Station, batch: Batch, progress: Callable[[str], None] | None
) -> dict[AttemptKey, Measurement]:
    found = cast(BatchStation, station).run_batch(batch.recipes, batch.keys, progress)
    if len(found) != len(batch.keys):
        raise DotpilotError(
            f"station {station.description.name} must return one measurement per recipe, but "
            f"returned {len(found)} for {len(batch.keys)}"
        )
    return dict(zip(batch.keys, found, strict=True))


__all__ = ["Batch", "fresh_batch", "interrupted_batch", "run_batch", "state_before"]
