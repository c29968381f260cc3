"""A station without code: a document says what it can do, somebody reports what came of it.

Its raw data are the values that were reported, so its analysis is the identity: nothing is fitted,
converted or judged here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from instruments.errors import InstrumentError
from instruments.recipe_check import declaration_violations
from instruments.station import (
    Analysis,
    AttemptKey,
    Measurement,
    ObservableDeclaration,
    ObservableValue,
    ParameterDeclaration,
    Recipe,
    StationDescription,
    Verdict,
    Violation,
)

METHOD = "reported@1"
NOTHING = "nothing_reported"
Word = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
Number = Annotated[float, Field(allow_inf_nan=False)]


class _Item(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DeclaredParameter(_Item):
    """One parameter: a number with limits, or a choice."""

    name: Word
    description: str = ""
    kind: Literal["continuous", "integer", "categorical"] = "continuous"
    unit: str = ""
    low: Number | None = None
    high: Number | None = None
    choices: list[str] = []
    default: Number | str | None = None
    when: dict[str, list[str]] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> DeclaredParameter:
        if self.kind == "categorical":
            if not self.choices or self.low is not None or self.high is not None:
                raise ValueError("a categorical parameter has choices, and neither low nor high")
        elif self.choices or self.low is None or self.high is None or self.low >= self.high:
            raise ValueError("a numeric parameter has low below high, and no choices")
        if self.when is not None and len(self.when) != 1:
            raise ValueError("when takes one parameter, such as {halide_salt: [ZnCl2]}")
        return self

    def declaration(self) -> ParameterDeclaration:
        """Return it as every station declares its parameters."""
        default = self.default
        if self.kind == "integer" and isinstance(default, float) and default == round(default):
            default = int(default)
        return ParameterDeclaration(
            name=self.name,
            description=self.description,
            kind=self.kind,
            unit=self.unit,
            low=self.low,
            high=self.high,
            choices=tuple(self.choices),
            default=default,
            when=next(((k, tuple(v)) for k, v in (self.when or {}).items()), None),
        )


class DeclaredObservable(_Item):
    """One number that is reported."""

    name: Word
    description: str = ""
    unit: str = ""
    spectral: bool = False


class StationDocument(_Item):
    """What a laboratory says of a station that has no code here."""

    name: Word
    version: str = "1"
    description: str = ""
    declared: Literal[True]
    parameters: list[DeclaredParameter] = Field(min_length=1)
    observables: list[DeclaredObservable] = Field(min_length=1)
    simulated: Literal[False] = False
    repeatable: Literal[False] = False
    max_batch: Literal[1] = 1


def declared_description(document: Mapping[str, Any]) -> StationDescription:
    """Read a station document.

    Raises:
        InstrumentError: every mistake, one a line.
    """
    try:
        model = StationDocument.model_validate(document)
    except ValidationError as error:
        lines = (
            f"{'.'.join(map(str, e['loc'])) or 'station'}: "
            f"{e['msg'].removeprefix('Value error, ')}"
            for e in error.errors(include_url=False)
        )
        raise InstrumentError("\n".join(lines)) from error
    description = StationDescription(
        name=model.name,
        version=model.version,
        description=model.description,
        parameters=tuple(p.declaration() for p in model.parameters),
        observables=tuple(ObservableDeclaration(**o.model_dump()) for o in model.observables),
        simulated=False,
        repeatable=False,
        declared=True,
    )
    if problems := _inconsistencies(description):
        raise InstrumentError("\n".join(problems))
    return description


def _inconsistencies(description: StationDescription) -> list[str]:
    found: list[str] = []
    for kind, names in (
        ("parameters", [p.name for p in description.parameters]),
        ("observables", [o.name for o in description.observables]),
    ):
        twice = sorted({n for n in names if names.count(n) > 1})
        found += [f"{kind}: {name} is declared twice; keep one" for name in twice]
    by_name = {p.name: p for p in description.parameters}
    for p in description.parameters:
        if p.default is not None:
            free = ParameterDeclaration(
                p.name, p.description, p.kind, p.unit, p.low, p.high, p.choices
            )
            broken = declaration_violations([free], {p.name: p.default})
            found += [f"parameters.{p.name}: default: {v.message}" for v in broken]
        if p.when is None:
            continue
        parent = by_name.get(p.when[0])
        if parent is None or not set(p.when[1]) <= set(parent.choices):
            found.append(
                f"parameters.{p.name}: when must name choices of a categorical parameter, but "
                f"says {p.when[0]}: {', '.join(p.when[1])}"
            )
    return found


class DeclaredStation:
    """A station that people, or the code of another laboratory, run.

    Args:
        description: As `declared_description` reads it.
    """

    def __init__(self, description: StationDescription) -> None:
        self._description = description

    @property
    def description(self) -> StationDescription:
        """What the station declares."""
        return self._description

    @property
    def lab_time(self) -> float:
        """Nobody reads its clock here: always 0."""
        return 0.0

    def check(self, recipe: Recipe) -> Sequence[Violation]:
        """Every declared limit that a complete recipe breaks."""
        return declaration_violations(self._description.parameters, recipe)

    def open(self) -> None:
        """Refuse: there is nothing to connect to.

        Raises:
            InstrumentError: always.
        """
        raise InstrumentError(
            f"station {self._description.name} is declared, not driven: a worker of the "
            "laboratory, or a person with `dotpilot ask` and `dotpilot tell`, runs its trials"
        )

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up nothing: what such a station carries on is not known here."""

    def run(
        self, recipe: Recipe, key: AttemptKey, progress: Callable[[str], None] | None = None
    ) -> Measurement:
        """Refuse, as `open` does.

        Raises:
            InstrumentError: always.
        """
        self.open()
        raise AssertionError("unreachable")

    def analyse(self, measurement: Measurement) -> Analysis:
        """Take the reported values as they are.

        A condition that has the name of a declared observable is that observable. One in another
        unit than the declared is left out, and the verdict says so; an absent `se` is unknown.
        """
        found: dict[str, ObservableValue] = {}
        reasons: list[str] = []
        for declared in self._description.observables:
            entry = measurement.conditions.get(declared.name)
            if entry is None:
                reasons.append(f"{declared.name} was not reported")
            elif entry.get("unit", "") != declared.unit or not _is_number(entry.get("value")):
                reasons.append(
                    f"{declared.name} must be a number in {declared.unit or 'no unit'}, but "
                    f"{entry.get('value')!r} {entry.get('unit', '')} was reported; it is left out"
                )
            elif (se := _error(entry.get("se"))) is None:
                reasons.append(
                    f"{declared.name}: se must be a number that is not negative, but is "
                    f"{entry['se']!r}; the value is left out"
                )
            else:
                found[declared.name] = ObservableValue(
                    float(entry["value"]), se, declared.unit, METHOD
                )
        return Analysis(found, Verdict("accept", tuple(reasons), "" if found else NOTHING))

    def close(self) -> None:
        """Nothing is held."""


def _error(se: Any) -> float | None:
    """Return a standard error, NaN for an unknown one, or None for what is none."""
    if se is None:
        return math.nan
    return float(se) if _is_number(se) and se >= 0.0 else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


__all__ = ["METHOD", "DeclaredStation", "StationDocument", "declared_description"]
