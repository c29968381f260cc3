"""What a station does between and around trials, as its file declares it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from instruments.procedures.flow_care import CareRecord
from instruments.station import (
    Recipe,
    Station,
    Violation,
)

Progress = Callable[[str], None]
CONTAMINATED = 0.01
"""Relative error of a concentration above which a result counts as contaminated (assumed)."""
Often = Annotated[int, Field(ge=1, strict=True)]
Number = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


class _Item(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Every(_Item):
    """Something that is done before every so many trials."""

    every: Often


class Sentinel(Every):
    """A recipe that is made before every so many trials; what is left out has its default."""

    recipe: dict[str, float | int | str] = {}


class Flush(_Item):
    """Line volumes of solvent before each recipe."""

    volumes: Number


class CarryOver(_Item):
    """What the last recipe leaves.

    Attributes:
        limit: Relative error of a concentration above which results are flagged.
        choose: Whether the station chooses which of several waiting recipes is next.
    """

    limit: Number = CONTAMINATED
    choose: bool = False


class Clean(_Item):
    """Washing once fouling has narrowed the tube: the stream is this share faster than asked."""

    faster: Number


class Around(_Item):
    """What is done between and around trials; all of it may be left out."""

    wash: Every | None = None
    reference: Every | None = None
    sentinel: Sentinel | None = None
    flush: Flush | None = None
    carry_over: CarryOver | None = None
    clean: Clean | None = None


@runtime_checkable
class CaredStation(Protocol):
    """A station with procedures beside its trials."""

    def procedures(self) -> tuple[str, ...]:
        """Names of them."""
        ...

    def care(
        self, name: str, progress: Progress | None = None, stocks: Sequence[str] = ()
    ) -> CareRecord:
        """Carry one out, on these stocks where it needs some; the station's clock goes on.

        Raises:
            InstrumentError: no such procedure or stock, or the station is not open.
        """
        ...

    def carry_over(self, before: Recipe, now: Recipe) -> float:
        """Largest relative error of a concentration that the recipe before makes in this one."""
        ...


@runtime_checkable
class ChoosingStation(Protocol):
    """A station that may say which of several waiting recipes is to be next."""

    def first_of(self, recipes: Sequence[Recipe]) -> int:
        """Return the index of the recipe to run next; a function of the restored state."""
        ...


def around_problems(around: Around | None, station: Station) -> list[str]:
    """Return what a station cannot do of what is declared."""
    if around is None:
        return []
    found = []
    cared = isinstance(station, CaredStation)
    for name in ("wash", "reference", "carry_over", "flush", "clean"):
        if getattr(around, name) is not None and not cared:
            found.append(
                f"procedures.{name}: {station.description.name} has no such procedure; remove it"
            )
    if around.sentinel is not None:
        if station.description.max_batch > 1:
            found.append(
                f"procedures.sentinel: {station.description.name} makes several recipes at once; "
                "put the sentinel into the batch, and remove it here"
            )
        else:
            violations: list[Violation] = list(station.check(sentinel_recipe(around, station)))
            found += [f"procedures.sentinel.recipe: {v.message}" for v in violations]
    return found


def sentinel_recipe(around: Around, station: Station) -> dict[str, Any]:
    """Return the sentinel's complete recipe."""
    recipe: dict[str, Any] = dict(around.sentinel.recipe) if around.sentinel else {}
    for p in station.description.parameters:
        exists = p.when is None or recipe.get(p.when[0]) in p.when[1]
        if exists and p.default is not None:
            recipe.setdefault(p.name, p.default)
    return recipe
