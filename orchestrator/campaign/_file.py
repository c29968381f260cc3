"""The campaign file as pydantic models: structure only, checked item by item."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from agents import Goal


def _number(value: Any) -> Any:
    # YAML 1.1 reads "1e-3" as a string; booleans are never numbers here
    if isinstance(value, bool):
        raise ValueError("a number is wanted, not true or false")
    return value


Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError(
            "a name has printable characters on one line; remove line breaks and others"
        )
    return text


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]


# What columns, methods and commands can name without quoting.
Word = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]


class Item(BaseModel):
    """An entry of a list in the file: a key that it does not know is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SpaceItem(Item):
    """One parameter: a range, choices, or one value."""

    name: Name
    low: Number | None = None
    high: Number | None = None
    unit: str = ""
    log: bool = False
    step: Number | None = Field(default=None, gt=0)
    choices: list[str] | None = Field(default=None, min_length=1)
    value: Number | str | None = None
    when: dict[str, list[str]] | None = None

    @property
    def kind(self) -> Literal["range", "choices", "value"]:
        """Which of the three forms this item has."""
        if self.choices is not None:
            return "choices"
        return "value" if self.value is not None else "range"

    @model_validator(mode="after")
    def _one_form(self) -> SpaceItem:
        given = [
            self.low is not None or self.high is not None,
            self.choices is not None,
            self.value is not None,
        ]
        if sum(given) != 1:
            raise ValueError("give exactly one of low and high, choices, or value")
        if self.kind == "range":
            self._check_range()
        elif self.log or self.step is not None:
            raise ValueError("log and step belong to a range of low and high")
        if self.choices is not None and len(set(self.choices)) != len(self.choices):
            raise ValueError(f"choices must differ from each other, but got {self.choices}")
        if self.when is not None and len(self.when) != 1:
            raise ValueError("when takes one parameter, such as {halide_salt: [ZnCl2]}")
        return self

    def _check_range(self) -> None:
        if self.low is None or self.high is None:
            raise ValueError("a range needs both low and high")
        if self.low >= self.high:
            raise ValueError(f"low must be below high, but got low={self.low}, high={self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"a log scale needs low above zero, but got low={self.low}")
        if self.log and self.step is not None:
            raise ValueError("log and step cannot be combined")


class ObjectiveItem(Item):
    """One objective."""

    observable: Name
    goal: Goal
    value: Number | None = None
    tolerance: Number | None = Field(default=None, gt=0)
    min: Number | None = None
    max: Number | None = None
    unit: str = ""

    @model_validator(mode="after")
    def _fits_goal(self) -> ObjectiveItem:
        bounds = self.min is not None or self.max is not None
        if self.goal == "target":
            if self.value is None or self.tolerance is None:
                raise ValueError("a target needs value and tolerance")
            if bounds:
                raise ValueError("a target takes value and tolerance, not min or max")
        elif self.value is not None or self.tolerance is not None:
            raise ValueError("value and tolerance belong to the goal target")
        if self.goal == "constraint" and not bounds:
            raise ValueError("a constraint needs min, max or both")
        if self.min is not None and self.max is not None and self.min >= self.max:
            raise ValueError(f"min must be below max, but got min={self.min}, max={self.max}")
        return self


class AgentItem(BaseModel):
    """The agent's name; every other key is an option that the agent checks itself."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: Name

    @property
    def options(self) -> dict[str, Any]:
        """The agent's own options."""
        return dict(self.model_extra or {})


class BudgetItem(Item):
    """How much may be spent: trials, hours on the station's clock, matter and money."""

    trials: int | None = Field(default=None, ge=1, le=100_000, strict=True)
    hours: Number | None = Field(default=None, gt=0)
    stocks: dict[str, str] = {}
    species: dict[str, str] = {}
    money: str | None = None

    @model_validator(mode="after")
    def _something(self) -> BudgetItem:
        if self.trials is None and self.hours is None:
            raise ValueError("a budget needs trials, hours or both, besides matter and money")
        return self


class TargetStop(Item):
    """Stop once a trial meets every target and constraint with this probability."""

    confidence: Number = Field(ge=0.5, lt=1.0)


class StopItem(Item):
    """Stop rules beside the budget."""

    target: TargetStop | None = None
    no_improvement: int | None = Field(default=None, ge=1, strict=True)


class LabItem(Item):
    """A simulated station's laboratory: its hidden seed, and a model of those it can run.

    Attributes:
        hidden: Constants are drawn from this seed; None is the nominal laboratory.
        model: Which model of the physics runs; None is the station's own default.
        instruments: Which driver plays which part; what `--station` puts there from its file.
        place: Tubes, liquids, calibrations and overrides; from there, too.
    """

    hidden: int | None = Field(default=None, ge=0, lt=2**63, strict=True)
    model: Name | None = None
    instruments: dict[str, Any] | None = None
    place: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _something(self) -> LabItem:
        empty = self.hidden is None and self.model is None
        if empty and not self.instruments and not self.place:
            raise ValueError("a lab needs hidden, model or both, or instruments, or a place")
        return self

    @property
    def given(self) -> dict[str, Any]:
        """Only what the file says."""
        return self.model_dump(exclude_none=True)


FIELDS: dict[str, Any] = {
    "name": Name,
    "station": Name,
    "lab": LabItem | None,
    "space": list[Any],
    "constraints": list[str],
    "observables": list[Any],
    "objectives": list[Any],
    "agent": AgentItem,
    "batch": Annotated[int, Field(ge=1, le=1000, strict=True)],
    "budget": BudgetItem,
    "stop": StopItem,
    "approval": bool,
    "in_doubt": Literal["ask", "repeat", "abandon"] | None,
    "labs": list[Name],
    "seed": Annotated[int, Field(ge=0, lt=2**63, strict=True)],
}
REQUIRED = ("name", "station", "space", "objectives", "agent", "budget")
DEFAULTS: dict[str, Any] = {
    "lab": None,
    "constraints": [],
    "observables": [],
    "batch": 1,
    "stop": {},
    "approval": False,
    "in_doubt": None,
    "labs": [],
    "seed": 0,
}
