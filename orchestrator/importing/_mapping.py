"""The mapping file of an import: which column is which parameter or observable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from orchestrator.campaign import said
from orchestrator.errors import InputRefusedError


class _Item(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MappedParameter(_Item):
    """A recipe parameter: a number with its unit, or a category with names for what stands there.

    `log` marks a quantity that an agent should see on a logarithmic scale.
    """

    name: str = Field(min_length=1)
    column: str
    unit: str = ""
    log: bool = False
    choices: dict[str, str] | None = Field(default=None, min_length=1)
    description: str = ""

    @model_validator(mode="after")
    def _one_kind(self) -> MappedParameter:
        if self.choices is not None and (self.unit or self.log):
            raise ValueError("a category has neither unit nor log")
        return self


class MappedObservable(_Item):
    """An observable; `missing` lists values that mean "not measured" beside the file's own."""

    name: str = Field(min_length=1)
    column: str
    unit: str = ""
    to: str = ""
    se: float | None = Field(default=None, ge=0)
    se_column: str | None = None
    missing: list[float] = []
    low: float | None = None
    high: float | None = None
    spectral: bool = False
    description: str = ""


class MappedFeature(_Item):
    """A derived quantity for agents, such as a molar ratio: arithmetic over parameters."""

    name: str = Field(min_length=1)
    expression: str = Field(min_length=1)
    log: bool = True


class ColumnMapping(_Item):
    """The whole mapping."""

    name: str = Field(min_length=1)
    description: str = ""
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8"
    decimal: str = Field(default=".", pattern="^[.,]$")
    missing: list[str] = ["", "NA", "NaN", "nan"]
    parameters: list[MappedParameter] = Field(min_length=1)
    observables: list[MappedObservable] = Field(min_length=1)
    features: list[MappedFeature] = []
    keep: list[str] = []

    @model_validator(mode="after")
    def _names_once(self) -> ColumnMapping:
        names = Counter(i.name for i in self._items())
        twice = sorted(n for n, count in names.items() if count > 1)
        if twice:
            raise ValueError(f"a name may be given once, but {', '.join(twice)} is given again")
        return self

    def _items(self) -> list[MappedParameter | MappedObservable]:
        return [*self.parameters, *self.observables]

    def columns(self) -> list[str]:
        """Return every column that the mapping speaks of."""
        errors = [o.se_column for o in self.observables if o.se_column]
        mapped = [i.column for i in self._items()]
        return [*mapped, *errors, *self.keep]


def read_mapping(document: Mapping[str, Any]) -> ColumnMapping:
    """Check a mapping document.

    Raises:
        InputRefusedError: `problems` names every mistake.
    """
    try:
        return ColumnMapping.model_validate(document)
    except ValidationError as error:
        raise InputRefusedError(
            [
                f"mapping {'.'.join(str(p) for p in e['loc'])}".rstrip()
                + f": {said(e, ColumnMapping)}"
                for e in error.errors(include_url=False)
            ]
        ) from error
