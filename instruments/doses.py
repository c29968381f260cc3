"""What a run draws of each stock solution: measured by the pumps' counters, or left in doubt.

A dose is known where a pump could be asked how much it has moved before and after; else it lies
between what was known last and what the run may draw at most. It is never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from instruments.errors import DeviceError


@dataclass(frozen=True, slots=True)
class Dose:
    """A volume drawn of one stock [µL]: between `least` and `most`, the same where it is known."""

    least: float
    most: float


Doses = Mapping[str, Dose]
Needs = Mapping[str, float]
SLACK, FLOOR = 0.01, 1.0
"""Relative and absolute [µL] distance of a counter from what the pump was told (assumed: a
counter of four digits, and the steps of a plunger)."""
Run = TypeVar("Run")


class Counting(Protocol):
    """Counts what it moves."""

    def infused(self) -> float:
        """Volume infused [µL] since a moment that stays the same while the device has power."""
        ...


def doses_of(error: BaseException) -> Doses:
    """Return what a run had drawn when it ended with this exception; {} where nobody says."""
    found: Doses = getattr(error, "doses", {})
    return found


def batch_doses_of(error: BaseException, members: int) -> list[Doses]:
    """Return what each member of a run had drawn when it ended with this exception."""
    found: list[Doses] | None = getattr(error, "batch_doses", None)
    return [{} for _ in range(members)] if found is None else found


@dataclass(frozen=True, slots=True)
class _Doubt(Generic[Run]):
    """A dose that a pump did not tell: of which run, from which reading, and what is expected."""

    run: Run
    before: float
    bounds: Dose


class DoseMeter(Generic[Run]):
    """Reads the counters of one station's pumps around each run, and settles doubts later.

    A counter is believed where it agrees with what the pump was told: one that restarted has lost
    its count. What a pump did not tell at the end of a run it may tell before the next one, since
    nothing is drawn between runs.
    """

    def __init__(self) -> None:
        self._run: Run | None = None
        self._before: dict[str, float] = {}
        self._most: dict[str, float] = {}
        self._doubtful: dict[str, _Doubt[Run]] = {}
        self._settled: dict[Run, dict[str, Dose]] = {}

    def begin(self, run: Run, pumps: Mapping[str, Counting], needs: Needs) -> None:
        """Read the counters of the pumps that a run will use.

        Args:
            run: What names the run.
            pumps: By stock.
            needs: Most that the run may draw of each stock [µL].

        Raises:
            DeviceError: a pump does not answer; nothing has moved.
        """
        self._settle(pumps)
        self._run, self._before = run, {}
        self._most = {name: most for name, most in needs.items() if most > 0.0}
        self._before = {name: pumps[name].infused() for name in self._most}

    def end(self, pumps: Mapping[str, Counting]) -> dict[str, Dose]:
        """Return what the run has drawn; a pump that does not tell leaves its dose in doubt."""
        found = {}
        for name, before in self._before.items():
            bounds = _expected(pumps[name], self._most[name])
            drawn = _drawn(pumps[name], before)
            if drawn is None and self._run is not None:
                self._doubtful[name] = _Doubt(self._run, before, bounds)
            found[name] = _known(drawn, bounds)
        self._before = {}
        return found

    def settle(self, pumps: Mapping[str, Counting]) -> dict[Run, dict[str, Dose]]:
        """Ask the pumps again whose doses are in doubt; return what has become known, by run."""
        self._settle(pumps)
        found, self._settled = self._settled, {}
        return found

    def _settle(self, pumps: Mapping[str, Counting]) -> None:
        for name, doubt in list(self._doubtful.items()):
            drawn = _drawn(pumps[name], doubt.before)
            if drawn is not None:
                del self._doubtful[name]
                self._settled.setdefault(doubt.run, {})[name] = _known(drawn, doubt.bounds)


def _drawn(pump: Counting, before: float) -> float | None:
    """What the counter has gone on since a reading [µL]; None where the pump is silent."""
    try:
        return pump.infused() - before
    except DeviceError:
        return None


def _expected(pump: Counting, most: float) -> Dose:
    """Bounds by what the pump was told; without them, anything up to what the run may draw."""
    expected: Callable[[], tuple[float, float]] | None = getattr(pump, "expected", None)
    return Dose(0.0, most) if expected is None else Dose(*expected())


def _known(drawn: float | None, bounds: Dose) -> Dose:
    """A counter's word where it is within the bounds, else all that may be true."""
    if drawn is None:
        return bounds
    slack = FLOOR + SLACK * bounds.most
    if bounds.least - slack <= drawn <= bounds.most + slack:
        return Dose(drawn, drawn)
    return Dose(min(max(drawn, 0.0), bounds.least), max(drawn, bounds.most))


def total(doses: Iterable[Doses]) -> dict[str, Dose]:
    """Add doses up, stock by stock."""
    found: dict[str, Dose] = {}
    for one in doses:
        for name, dose in one.items():
            before = found.get(name, Dose(0.0, 0.0))
            found[name] = Dose(before.least + dose.least, before.most + dose.most)
    return found


def total_volume(needs: Iterable[Needs]) -> dict[str, float]:
    """Add volumes up [µL], stock by stock."""
    found: dict[str, float] = {}
    for one in needs:
        for name, volume in one.items():
            found[name] = found.get(name, 0.0) + volume
    return found


def note_doses(error: BaseException, doses: Doses) -> None:
    """Let the exception that a run ends with carry what the run had drawn."""
    error.doses = dict(doses)  # type: ignore[attr-defined]


def note_batch_doses(error: BaseException, doses: Sequence[Doses]) -> None:
    """Let the exception that a run of several ends with carry what each had drawn."""
    error.batch_doses = list(doses)  # type: ignore[attr-defined]
