"""Alarms of the commands that run things: an option, and what watches while they run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from orchestrator.alarms import Alarms, StepWatch
    from orchestrator.events import StepProposed
    from orchestrator.ledger import Ledger, TrialRow
    from orchestrator.loop import Observer

AlarmsOption = Annotated[
    Path | None,
    typer.Option("--alarms", metavar="FILE", help="Who hears of what needs a person."),
]


@contextmanager
def alarms(path: Path | None) -> Iterator[Alarms | None]:
    """Send alarms as a file says while the context lasts; nothing without one."""
    if path is None:
        yield None
        return
    from orchestrator.alarms import Alarms, read_alarms_file
    from orchestrator.ledger import utc_now

    def now() -> str:
        return utc_now().isoformat(timespec="microseconds")

    with Alarms(read_alarms_file(path), now) as found:
        yield found


@contextmanager
def watched_record(found: Alarms | None, ledger: Ledger, *campaigns: str) -> Iterator[None]:
    """Raise alarms of what the record says while the context lasts."""
    if found is None:
        yield
        return
    from orchestrator.alarms import RecordWatch

    with RecordWatch(found, ledger, campaigns or None):
        yield


@contextmanager
def watched_steps(
    found: Alarms | None, ledger: Ledger, station: str
) -> Iterator[StepWatch | None]:
    """Raise an alarm for a step of this station that takes too long, by what the record knows."""
    if found is None:
        yield None
        return
    from orchestrator.alarms import Durations, StepWatch

    with StepWatch(found, Durations(found.file), station) as watch:
        for row in ledger.campaigns():
            if row.station == station:
                watch.learn(t.conditions for t in ledger.trials(row.id))
        yield watch


def step_watch(found: Alarms | None, where: str) -> StepWatch | None:
    """Return a watch that knows no durations yet."""
    if found is None:
        return None
    from orchestrator.alarms import Durations, StepWatch

    return StepWatch(found, Durations(found.file), where)


class WatchedObserver:
    """Lets a watch on steps see what an observer is told."""

    def __init__(self, observer: Observer, watch: StepWatch) -> None:
        self._observer, self._watch = observer, watch

    def proposed(self, step: StepProposed) -> None:
        """A step was proposed."""
        self._observer.proposed(step)

    def running(self, trial: TrialRow) -> None:
        """A trial is about to run."""
        self._observer.running(trial)

    def progress(self, text: str) -> None:
        """The station says what it does."""
        self._watch.step(text)
        self._observer.progress(text)

    def ended(self, trial: TrialRow) -> None:
        """A trial reached a state in which the loop leaves it."""
        self._watch.end()
        conditions: dict[str, Any] = trial.conditions
        self._watch.durations.learn(conditions)
        self._observer.ended(trial)

    def finished(self, state: str, detail: str) -> None:
        """The loop lets go of the campaign."""
        self._observer.finished(state, detail)
