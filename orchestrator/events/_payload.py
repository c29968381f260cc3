"""What every payload of an event is."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

Value = float | int | str


class Payload(BaseModel):
    """Base of all payloads; `TYPE` and `VERSION` name the shape."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    TYPE: ClassVar[str]
    VERSION: ClassVar[int] = 1
