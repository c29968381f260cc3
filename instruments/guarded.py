"""A station that also obeys the rules of its place."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from instruments.around import CaredStation
from instruments.doses import Doses, total, total_volume
from instruments.drivers.transcript import Transcript
from instruments.errors import InstrumentError, RecipeRefusedError, TrialFailedError
from instruments.hazards import Contact, ContactStation
from instruments.place import Judge, Place, place_problems
from instruments.procedures.flow_care import CareRecord
from instruments.rehearsal import Now, RehearsedStation
from instruments.rounds import Rounds, noted, without_memory
from instruments.station import (
    Analysis,
    AttemptKey,
    BatchStation,
    Consuming,
    Measurement,
    Recipe,
    SimulatedStation,
    Station,
    StationDescription,
    Violation,
    WiredStation,
)
from instruments.stores import StockDeclaration, declared_stocks
from instruments.tubing import TubedStation

Progress = Callable[[str], None] | None


class GuardedStation:
    """Refuses what the place forbids, and notes in the measurement what a person has overridden.

    Args:
        station: Not yet open.
        place: What surrounds it.

    Raises:
        InstrumentError: the place names what the station does not have.
    """

    def __init__(self, station: Station, place: Place) -> None:
        if problems := place_problems(place, station):
            raise InstrumentError("; ".join(problems))
        self._station, self.place = station, place
        self._judge = Judge(place, station)
        around = place.procedures
        self._rounds = None if around is None else Rounds(around, station)

    @property
    def description(self) -> StationDescription:
        """What the station declares."""
        return self._station.description

    @property
    def lab_time(self) -> float:
        """Seconds on the station's own clock."""
        return self._station.lab_time

    def stocks(self) -> tuple[StockDeclaration, ...]:
        """Every stock that it draws from."""
        return declared_stocks(self._station)

    def tubes(self) -> tuple[str, ...]:
        """Names of its tubes."""
        return self._station.tubes() if isinstance(self._station, TubedStation) else ()

    def contacts(self, recipe: Recipe) -> tuple[Contact, ...]:
        """Every meeting of liquids."""
        found = self._station
        return found.contacts(recipe) if isinstance(found, ContactStation) else ()

    @property
    def transcript(self) -> Transcript | None:
        """Keeps what goes over its wires; AttributeError where it has none."""
        found: Transcript | None = cast(Any, self._station).transcript
        return found

    @transcript.setter
    def transcript(self, record: Transcript | None) -> None:
        cast(Any, self._station).transcript = record

    def devices(self) -> Mapping[str, Any]:
        """Its instruments by name that have a safe state; {} where it does not name them."""
        named: Callable[[], Mapping[str, Any]] | None = getattr(self._station, "devices", None)
        return {} if named is None else named()

    def watch(self, watched: Callable[[Any, Now], Any]) -> None:
        """Pass each rig through `watched` before it is used."""
        cast(RehearsedStation, self._station).watch(watched)

    def check(self, recipe: Recipe) -> Sequence[Violation]:
        """Every broken limit of station and place; pure, cheap, moves nothing."""
        found = self._station.check(recipe)
        return found or self._judged(recipe)[0]

    def _judged(self, recipe: Recipe) -> tuple[list[Violation], list[str]]:
        """Violations that stand, and a sentence on each that a person has overridden."""
        standing: list[Violation] = []
        noted: list[str] = []
        for violation in self._judge.violations(recipe):
            by = self.place.overridden(violation.quantity)
            if by is None:
                standing.append(violation)
            else:
                noted.append(
                    f"{violation.quantity} overridden by {by.by} ({by.reason}): "
                    f"{violation.message.rpartition(';')[0]}"
                )
        return standing, noted

    def open(self) -> None:
        """Connect to the instruments and identify them."""
        self._station.open()

    def bench(self) -> Any:
        """Return the wires of its drivers, not yet open."""
        return cast(WiredStation, self._station).bench()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up the state that a recorded measurement ended with."""
        if self._rounds is not None:
            self._rounds.restore(state)
        self._station.restore(without_memory(state))

    def run(self, recipe: Recipe, key: AttemptKey, progress: Progress = None) -> Measurement:
        """Make and measure one recipe; see `instruments.station.Station.run`.

        Raises:
            RecipeRefusedError: before anything moves, also for what the place forbids.
        """
        (words,) = self._refused([recipe])
        if self._rounds is None:
            return noted(self._station.run(recipe, key, progress), {}, words)
        return self._with_rounds(self._rounds, recipe, key, progress, words)

    def _with_rounds(
        self,
        rounds: Rounds,
        recipe: Recipe,
        key: AttemptKey,
        progress: Progress,
        words: list[str],
    ) -> Measurement:
        """Do what is due, then run; a run whose outcome is unknown leaves no memory."""
        kept = json.loads(json.dumps(rounds.memory))
        try:
            found, said = rounds.before(recipe, key, progress)
            made = self._station.run(recipe, key, progress)
        except TrialFailedError as error:
            if error.station_state is not None:
                error.station_state = rounds.state(error.station_state)
            raise
        except BaseException:
            rounds.memory = kept
            raise
        rounds.after(made)
        made = replace(
            made,
            station_state=rounds.state(made.station_state),
            doses=total([rounds.drawn, made.doses]),
        )
        return noted(made, found, [*words, *said])

    def needs(self, recipes: Sequence[Recipe]) -> Mapping[str, float]:
        """Most that a run of these recipes may draw of each stock [µL]; {} where nobody says."""
        if not isinstance(self._station, Consuming):
            return {}
        before = {} if self._rounds is None else self._rounds.needs()
        return total_volume([before, self._station.needs(recipes)])

    def supplies(self) -> Mapping[str, float]:
        """What one run can draw of a stock at most [µL]; {} unbounded."""
        return self._station.supplies() if isinstance(self._station, Consuming) else {}

    def settled(self) -> Mapping[AttemptKey, Doses]:
        """Return doses of earlier attempts that have become known since."""
        return self._station.settled() if isinstance(self._station, Consuming) else {}

    def first_of(self, recipes: Sequence[Recipe]) -> int:
        """Return the index of the recipe to run next; see `ChoosingStation`."""
        return 0 if self._rounds is None else self._rounds.first_of(recipes)

    def procedures(self) -> tuple[str, ...]:
        """Names of what is done beside trials."""
        return self._station.procedures() if isinstance(self._station, CaredStation) else ()

    def care(self, name: str, progress: Progress = None, stocks: Sequence[str] = ()) -> CareRecord:
        """Carry a procedure out; see `CaredStation`.

        Raises:
            InstrumentError: no such procedure.
        """
        if not isinstance(self._station, CaredStation):
            raise InstrumentError(f"{self.description.name} has no procedures beside its trials")
        return self._station.care(name, progress, stocks)

    def run_batch(
        self, recipes: Sequence[Recipe], keys: Sequence[AttemptKey], progress: Progress = None
    ) -> Sequence[Measurement]:
        """Make and measure several recipes together; see `BatchStation.run_batch`.

        Raises:
            RecipeRefusedError: before anything moves, also for what the place forbids.
        """
        words = self._refused(recipes)
        made = cast(BatchStation, self._station).run_batch(recipes, keys, progress)
        return [noted(m, {}, said) for m, said in zip(made, words, strict=True)]

    def _refused(self, recipes: Sequence[Recipe]) -> list[list[str]]:
        limits = [v for recipe in recipes for v in self._station.check(recipe)]
        if limits:
            raise RecipeRefusedError(limits)
        verdicts = [self._judged(recipe) for recipe in recipes]
        if problems := [v for standing, _ in verdicts for v in standing]:
            raise RecipeRefusedError(problems)
        return [words for _, words in verdicts]

    def analyse(self, measurement: Measurement) -> Analysis:
        """Derive observables and the verdict from raw data; deterministic."""
        return self._station.analyse(measurement)

    def truth(self) -> Mapping[str, float]:
        """Return the hidden state that the last run ended with."""
        return cast(SimulatedStation, self._station).truth()

    def close(self) -> None:
        """Bring every instrument to its safe state and let go of it."""
        self._station.close()
