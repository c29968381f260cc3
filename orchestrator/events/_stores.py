"""Events of matter: bottles, doses, waste."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.events._payload import Payload


class DoseRecord(BaseModel):
    """A volume drawn of one stock [µL]: between `least` and `most`, the same where it is known.

    `lab` and `lot` say of which bottle; both are empty where no station file names one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    least: float = Field(ge=0)
    most: float = Field(ge=0)
    lab: str = ""
    lot: str = ""


Doses = dict[str, DoseRecord]


class LotRecord(BaseModel):
    """A bottle of a stock solution that a station draws from; `volume` [µL] is what it held."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    lot: str
    volume: float = Field(ge=0)
    expires: str | None = None
    details: dict[str, Any] = {}


class StoresDeclared(Payload):
    """What a station draws from, and how much waste it can hold [µL], as its file says."""

    TYPE: ClassVar[str] = "stores.declared"
    lab: str
    station: str
    stocks: dict[str, LotRecord]
    waste_capacity: float | None = None


class StockCorrected(Payload):
    """A person found that a lot holds `volume` [µL], whatever was drawn or doubted before."""

    TYPE: ClassVar[str] = "stock.corrected"
    lab: str
    stock: str
    lot: str
    volume: float = Field(ge=0)
    note: str


class WasteEmptied(Payload):
    """A person emptied a lab's waste."""

    TYPE: ClassVar[str] = "waste.emptied"
    lab: str
    note: str


class DosesSettled(Payload):
    """A pump told later what was in doubt.

    `doubt` is the event that recorded the doubt, `doses` are all of that attempt as now known.
    """

    TYPE: ClassVar[str] = "doses.settled"
    trial: int
    attempt: int
    doubt: int
    doses: Doses
