"""Does what is due before a trial, and says in its measurement what came of it.

What is declared stands in `instruments.around`. What is remembered goes with the recorded state of
the station, so a resumed campaign does what one that never stopped would have done.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise, permutations
from typing import Any

from instruments.around import Around, CaredStation, Every, Progress, sentinel_recipe
from instruments.doses import Doses, Needs
from instruments.metrology.contamination import contaminated
from instruments.station import (
    AttemptKey,
    Consuming,
    Measurement,
    ObservableValue,
    Recipe,
    Station,
)

MEMORY = "around"
"""Key of the memory within the state of a station."""
SENTINEL_ATTEMPT = 1_000_000
"""Added to an attempt's number for its sentinel, whose noise is thereby its own."""
DRIFT = 3.0
"""Standard errors by which a sentinel may depart from the first one (assumed: three sigma)."""
ORDERED = 6  # recipes up to which every order is tried: 720 of them


def best_order(first: Sequence[float], then: Sequence[Sequence[float]]) -> tuple[int, ...]:
    """Return the order of least sum; of more than `ORDERED`, the nearest one again and again.

    Args:
        first: Cost of beginning with each, shape (n,).
        then: Cost of each (column) right after each (row), shape (n, n).
    """
    count = len(first)

    def cost(order: Sequence[int]) -> float:
        return first[order[0]] + sum(then[a][b] for a, b in pairwise(order))

    if count <= ORDERED:
        return min(permutations(range(count)), key=cost)
    order = [min(range(count), key=lambda i: first[i])]
    while len(order) < count:
        rest = [i for i in range(count) if i not in order]
        order.append(min(rest, key=then[order[-1]].__getitem__))
    return tuple(order)


class Rounds:
    """Does what is due before a trial, and says in its measurement what came of it.

    Args:
        around: What is declared.
        station: Open when `before` is called.
    """

    def __init__(self, around: Around, station: Station) -> None:
        self._around, self._station = around, station
        self.memory: dict[str, Any] = {}
        self.drawn: Doses = {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what a recorded state says."""
        self.memory = dict(state.get(MEMORY, {}))

    def state(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """Return a station's state with the memory in it."""
        return {**own, MEMORY: dict(self.memory)}

    def before(
        self, recipe: Recipe, key: AttemptKey, progress: Progress | None
    ) -> tuple[dict[str, tuple[float, str]], list[str]]:
        """Wash, look at the dye, run the sentinel, as far as they are due.

        Returns:
            Conditions for the measurement to come, and warnings.
        """
        found: dict[str, tuple[float, str]] = {}
        said: list[str] = []
        self.drawn = {}
        station = self._station
        if isinstance(station, CaredStation):
            self._care(station, found, progress)
        if self._due("sentinel", self._around.sentinel):
            self._watch(key, progress, found, said)
        if isinstance(station, CaredStation):
            self._remains(station, recipe, found, said)
        self.memory["trials"] = int(self.memory.get("trials", 0)) + 1
        self.memory["last"] = dict(recipe)
        return found, said

    def _care(
        self, station: CaredStation, found: dict[str, tuple[float, str]], progress: Progress | None
    ) -> None:
        """Wash and look at the dye, as far as they are due."""
        dirty = bool(self.memory.pop("dirty", False))
        if dirty or self._due("wash", self._around.wash):
            found |= station.care("wash", progress).values
            self.memory.pop("last", None)
        if self._due("reference", self._around.reference):
            found["reference_dye"] = station.care("reference", progress).values["reference_dye"]

    def _remains(
        self,
        station: CaredStation,
        recipe: Recipe,
        found: dict[str, tuple[float, str]],
        said: list[str],
    ) -> None:
        """Reckon what is left of the last recipe that the line has seen."""
        last, item = self.memory.get("last"), self._around.carry_over
        if item is None or last is None:
            return
        error = station.carry_over(last, recipe)
        found |= {"carry_over": (error, ""), "carry_over_limit": (item.limit, "")}
        if error > item.limit:
            said.append(contaminated(error, item.limit))

    def needs(self) -> Needs:
        """Most that a sentinel which is due may draw of each stock [µL]."""
        station = self._station
        if not isinstance(station, Consuming) or not self._due("sentinel", self._around.sentinel):
            return {}
        return station.needs([sentinel_recipe(self._around, station)])

    def first_of(self, recipes: Sequence[Recipe]) -> int:
        """Return the index of the recipe that begins the order with the least carry-over."""
        item, station = self._around.carry_over, self._station
        if item is None or not item.choose or not isinstance(station, CaredStation):
            return 0
        last = self.memory.get("last")
        first = [0.0 if last is None else station.carry_over(last, r) for r in recipes]
        then = [[station.carry_over(one, other) for other in recipes] for one in recipes]
        return best_order(first, then)[0]

    def _due(self, name: str, item: Every | None) -> bool:
        return item is not None and int(self.memory.get("trials", 0)) % item.every == 0

    def _watch(
        self,
        key: AttemptKey,
        progress: Progress | None,
        found: dict[str, tuple[float, str]],
        said: list[str],
    ) -> None:
        """Run the sentinel and compare it with the first one."""
        own = AttemptKey(key.trial, key.attempt + SENTINEL_ATTEMPT)
        recipe = sentinel_recipe(self._around, self._station)
        measured = self._station.run(recipe, own, progress)
        self.drawn = measured.doses
        seen = self._station.analyse(measured).observables
        first = self.memory.setdefault("sentinel", {n: [o.value, o.se] for n, o in seen.items()})
        for name, one in seen.items():
            found[f"sentinel_{name}"] = (one.value, one.unit)
            if name in first and (words := _drifted(name, one, *first[name])):
                said.append(words)
        self.memory["last"] = recipe

    def after(self, measurement: Measurement) -> None:
        """Remember whether the line has to be cleaned before the next trial."""
        if self._around.clean is None or "flow_velocity" not in measurement.achieved:
            return
        asked = float(measurement.requested["flow_velocity"])
        got = float(measurement.achieved["flow_velocity"])
        if got > (1.0 + self._around.clean.faster) * asked:
            self.memory["dirty"] = True


def without_memory(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the station's own part of a recorded state."""
    return {key: value for key, value in state.items() if key != MEMORY}


def _drifted(name: str, seen: ObservableValue, value: float, se: float) -> str:
    spread = math.hypot(seen.se, se)
    if not spread > 0.0 or abs(seen.value - value) <= DRIFT * spread:
        return ""
    return (
        f"the sentinel's {name} is {seen.value:.5g} {seen.unit}".rstrip()
        + f", but was {value:.5g} at first: more than {DRIFT:g} standard errors apart"
    )


def noted(
    measurement: Measurement, found: Mapping[str, tuple[float, str]], said: list[str]
) -> Measurement:
    """Return a measurement with further conditions and warnings."""
    conditions = {n: {"value": value, "unit": unit} for n, (value, unit) in found.items()}
    return replace(
        measurement,
        conditions={**measurement.conditions, **conditions},
        warnings=(*measurement.warnings, *said),
    )
