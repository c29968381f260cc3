"""What workers say and are told: registrations, leases, results, failures."""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from instruments import Measurement, Spectrum
from orchestrator.errors import ConflictError, InputRefusedError
from orchestrator.events import DoseRecord
from orchestrator.wire import read_array

Value = float | int | str


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("a name has printable characters on one line")
    return text


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]


class LeaseLostError(ConflictError):
    """The lease is somebody else's by now, or lapsed; what was sent is kept as evidence."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class WorkerRegistration(_Model):
    """Who a worker is.

    Attributes:
        lab: Name of the place.
        station: Name of the station that it owns.
        simulated: The laboratory that a simulated station is (`{"hidden": SEED}`), or None for
            whichever laboratory a campaign states.
        version: Version of the worker's dotpilot, or of whatever speaks for it.
        safe_within: Time in which it brings its station to the safe state after it lost contact
            or authority [s].
        instance: Which of all that may use this name it is (a worker names its outbox); shown
            among the details. While it is heard from, the name is nobody else's. None is for
            whoever sees to that without us.
        details: Anything else that people want to see.
    """

    lab: Name
    station: Name
    simulated: dict[str, Any] | None = None
    version: str = Field(default="", max_length=200)
    safe_within: float = Field(default=60.0, gt=0)
    instance: Name | None = None
    details: dict[str, Any] = {}


class PackedArray(_Model):
    """An array as bytes: little-endian, C order."""

    dtype: Literal["<f4", "<f8", "<i4", "<i8", "<u2"]
    shape: list[Annotated[int, Field(ge=0)]] = Field(max_length=4)
    base64: str

    def array(self) -> NDArray[Any]:
        """Unpack the array.

        Raises:
            InputRefusedError: the bytes are no base64, or do not fill the shape.
        """
        try:
            return read_array(self.model_dump())
        except (binascii.Error, ValueError) as error:
            raise InputRefusedError(
                f"an array must be base64 of {self.dtype} that fills its shape {self.shape}, but "
                f"is not: {error}"
            ) from error


Numbers = list[float] | list[list[float]]


class SpectrumItem(_Model):
    """A spectrum of a result: numbers, or packed arrays."""

    name: Name
    axis: Numbers | PackedArray
    values: Numbers | PackedArray
    axis_unit: str
    unit: str
    settings: dict[str, Any] = {}

    def spectrum(self) -> Spectrum:
        """Return the spectrum with its arrays, shapes (n,), values perhaps (frames, n).

        Raises:
            InputRefusedError: arrays that do not belong together.
        """
        axis, values = _array(self.axis), _array(self.values)
        if axis.ndim != 1 or values.ndim not in (1, 2) or values.shape[-1] != axis.shape[0]:
            raise InputRefusedError(
                f"spectrum {self.name}: the axis must have shape (n,) and the values (n,) or "
                f"(frames, n), but they have {axis.shape} and {values.shape}"
            )
        return Spectrum(self.name, axis, values, self.axis_unit, self.unit, self.settings)


def _array(given: Numbers | PackedArray) -> NDArray[Any]:
    if isinstance(given, PackedArray):
        return given.array()
    try:
        return np.asarray(given, dtype=np.float64)
    except ValueError as error:
        raise InputRefusedError(f"rows of an array must be of equal length: {error}") from error


class Result(_Model):
    """What one attempt brought back: raw data and conditions, nothing derived."""

    trial: int = Field(ge=1)
    attempt: int = Field(ge=1)
    achieved: dict[str, Value] = {}
    conditions: dict[str, dict[str, Any]] = {}
    spectra: list[SpectrumItem] = []
    station_state: dict[str, Any] = {}
    identities: list[dict[str, Any]] = []
    warnings: list[str] = []
    lab_time: float = 0.0
    doses: dict[str, DoseRecord] = {}

    def measurement(self, recipe: Mapping[str, Value]) -> Measurement:
        """Return the measurement of this recipe.

        Raises:
            InputRefusedError: malformed arrays, or two spectra of one name.
        """
        names = [s.name for s in self.spectra]
        if len(set(names)) != len(names):
            raise InputRefusedError(f"spectra of a result must differ in name, but got {names}")
        return Measurement(
            requested=recipe,
            achieved=self.achieved,
            conditions=self.conditions,
            spectra=tuple(s.spectrum() for s in self.spectra),
            station_state=self.station_state,
            identities=tuple(self.identities),
            warnings=tuple(self.warnings),
        )


class Failure(_Model):
    """How a lease ended without a result.

    `failed`: a defined, informative failure of the recipe. `refused`: the station refuses the
    recipe, and nothing moved. `unknown`: nobody knows. `stopped`: nobody knows, and the station
    needs a person. `doses` are what the run had drawn, by trial and stock, where anybody knows.
    """

    kind: Literal["failed", "refused", "unknown", "stopped"]
    reason: str = Field(min_length=1, max_length=200)
    message: str = Field(default="", max_length=4000)
    lab_time: float | None = None
    station_state: dict[str, Any] | None = None
    doses: dict[int, dict[str, DoseRecord]] = {}


@dataclass(frozen=True, slots=True)
class Member:
    """One attempt of a lease, its recipe in the station's units."""

    trial: int
    attempt: int
    recipe: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run some attempts once, as the database has it.

    `expires_in` is what was left when it was read [s], by the database's clock.
    """

    lease: str
    fence: int
    campaign: str
    station: str
    state: str
    worker: str | None
    lab: str | None
    expires_in: float | None
    members: Sequence[Member]
    simulated: Mapping[str, Any] | None
    lab_seed: int
    restore: Mapping[str, Any]
    progress: str | None
    cancel: bool

    def document(self) -> dict[str, Any]:
        """Return the lease as the API shows it."""
        return {
            "lease": self.lease,
            "fence": self.fence,
            "campaign": self.campaign,
            "station": self.station,
            "lab": self.lab,
            "worker": self.worker,
            "state": self.state,
            "expires_in": self.expires_in,
            "members": [
                {"trial": m.trial, "attempt": m.attempt, "recipe": dict(m.recipe)}
                for m in self.members
            ],
            "simulated": dict(self.simulated) if self.simulated else None,
            "lab_seed": self.lab_seed,
            "restore": dict(self.restore),
            "progress": self.progress,
            "cancel": self.cancel,
        }


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The answer to a heartbeat: time left [s], and what the worker is asked to do."""

    expires_in: float
    cancel: bool
    pause: bool


@dataclass(frozen=True, slots=True)
class LeaseAnswer:
    """What a lease became, and the digest of the result that it keeps."""

    state: str
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class LateResult:
    """A result that came with a stale fence: evidence for a decision, never an outcome."""

    id: str
    lease: str
    trial: int
    attempt: int
    worker: str | None
    at: str
    result: Result

    def document(self) -> dict[str, Any]:
        """Return what people see of it; the arrays stay in the database."""
        return {
            "id": self.id,
            "lease": self.lease,
            "trial": self.trial,
            "attempt": self.attempt,
            "worker": self.worker,
            "at": self.at,
            "spectra": [s.name for s in self.result.spectra],
            "conditions": self.result.conditions,
        }


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker as it registered, and how long ago it was seen [s]."""

    worker: str
    lab: str
    station: str
    simulated: Mapping[str, Any] | None
    version: str
    safe_within: float
    details: Mapping[str, Any]
    state: str
    registered_at: str
    seen_ago: float

    def document(self) -> dict[str, Any]:
        """Return the worker as the API shows it."""
        return {
            "worker": self.worker,
            "lab": self.lab,
            "station": self.station,
            "simulated": dict(self.simulated) if self.simulated else None,
            "version": self.version,
            "safe_within": self.safe_within,
            "details": dict(self.details),
            "state": self.state,
            "registered_at": self.registered_at,
            "seen_ago": self.seen_ago,
        }
