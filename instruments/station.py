"""What a station declares, takes and returns. Numbers are in the declared units throughout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from instruments.doses import Doses

Value = float | int | str
Recipe = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class ParameterDeclaration:
    """One station parameter: a number with unit and hard limits, or a choice.

    `when` is (categorical parameter, choices): the parameter exists only then.
    """

    name: str
    description: str
    kind: Literal["continuous", "integer", "categorical"]
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    default: Value | None = None
    when: tuple[str, tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True)
class ObservableDeclaration:
    """One observable that the station's metrology derives; `unit` is "" for a pure number.

    `spectral` marks a position on the light axis: a wavelength that may be given as an energy.
    """

    name: str
    description: str
    unit: str
    spectral: bool = False


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken limit: what (a parameter or a number such as `capillary_number`), value, limit."""

    quantity: str
    value: float | str
    limit: str
    unit: str
    message: str


@dataclass(frozen=True, slots=True)
class StationDescription:
    """Everything about a station that a campaign file is checked against.

    `declared` marks one without code: people or a foreign lab run it and report what they found.
    """

    name: str
    version: str
    description: str
    parameters: tuple[ParameterDeclaration, ...]
    observables: tuple[ObservableDeclaration, ...]
    simulated: bool
    repeatable: bool
    max_batch: int = 1
    declared: bool = False


@dataclass(frozen=True)
class Spectrum:
    """One spectrum as the instrument gave it.

    Attributes:
        name: Unique within a measurement: `pl`, `pl_2`, `absorbance`, `dark`, ...
        axis: Shape (n,), float64, in `axis_unit` [nm].
        values: Shape (n,), or (frames, n) where the instrument reads repeatedly; raw data in
            `unit` [counts], [AU].
        settings: JSON-able: integration_time [s], averages, saturation level, path length, ...;
            with frames also frame_start [s] and frame_interval [s].
    """

    name: str
    axis: NDArray[np.float64]
    values: NDArray[Any]
    axis_unit: str
    unit: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Measurement:
    """What one run of a procedure brought back: raw data and conditions, nothing derived.

    Attributes:
        requested: The recipe as asked for.
        achieved: Read-back values for those recipe parameters that can be read back, in the
            parameter's unit (flow velocity, temperature, ...).
        conditions: Further read-back numbers as {"name": {"value", "unit"}} (residence time, Re,
            Ca, Da, wait volumes, ...).
        spectra: Raw spectra.
        station_state: What the station carries to the next trial (clock, fouling, volumes);
            JSON-able; `restore` takes it.
        identities: One entry per instrument: {"instrument", "model", "serial", "simulated"}.
        warnings: Sentences for people (Da above one, ...).
        doses: What the run drew of each stock.
    """

    requested: Recipe
    achieved: Recipe
    conditions: Mapping[str, Mapping[str, Any]]
    spectra: tuple[Spectrum, ...]
    station_state: Mapping[str, Any]
    identities: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()
    doses: Doses = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ObservableValue:
    """A derived number with its standard error and the method (name@version) that derived it.

    `se` is NaN where nobody knows the error.
    """

    value: float
    se: float
    unit: str
    method: str


VerdictKind = Literal["accept", "accept_wide", "repeat", "stop"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The quality gate's word on a measurement, with its reasons (empty for a clean accept).

    `failure` is a stable slug (`no_emission`) where the recipe itself failed: the measurement is
    sound, there are no observables to take from it, and the loop records a failed trial.
    """

    kind: VerdictKind
    reasons: tuple[str, ...] = ()
    failure: str = ""


@dataclass(frozen=True)
class Series:
    """A derived quantity over time, where the instrument reads repeatedly.

    Attributes:
        name: Unique within an analysis: `peak_emission`, `mean_size`, ...
        time: Shape (frames,) [s] from the start of the reaction.
        values: Shape (frames,) in `unit`; NaN where a frame gave none.
        unit: Unit of the values.
    """

    name: str
    time: NDArray[np.float64]
    values: NDArray[np.float64]
    unit: str


@dataclass(frozen=True, slots=True)
class Analysis:
    """What metrology made of a measurement: observables (may be empty), verdict, series."""

    observables: Mapping[str, ObservableValue]
    verdict: Verdict
    series: tuple[Series, ...] = ()


@dataclass(frozen=True, slots=True)
class AttemptKey:
    """Names an attempt: with the lab's seed and an instrument's name it keys the noise."""

    trial: int
    attempt: int


class Station(Protocol):
    """A set of instruments with one procedure. Used by one thread at a time.

    Life: `check` any time; `open` once; then `restore` (optional), `run` per attempt; `close`
    leaves every instrument in its safe state. `analyse` is a pure function of the measurement.
    """

    @property
    def description(self) -> StationDescription:
        """What the station declares."""
        ...

    def check(self, recipe: Recipe) -> Sequence[Violation]:
        """Every broken limit of a *complete* recipe; pure, cheap, moves nothing."""
        ...

    def open(self) -> None:
        """Connect to the instruments and identify them."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up the state that a recorded measurement ended with."""
        ...

    def run(
        self, recipe: Recipe, key: AttemptKey, progress: Callable[[str], None] | None = None
    ) -> Measurement:
        """Make and measure one recipe.

        Raises:
            RecipeRefusedError: before anything moves.
            TrialFailedError: a defined failure; the station is ready for the next trial.
            StationStoppedError: the station is safe, and a person is needed.
        """
        ...

    def analyse(self, measurement: Measurement) -> Analysis:
        """Derive observables and the verdict from raw data; deterministic."""
        ...

    @property
    def lab_time(self) -> float:
        """Seconds on the station's own clock (virtual for a simulated one)."""
        ...

    def close(self) -> None:
        """Bring every instrument to its safe state and let go of it. May be called twice."""
        ...


class BatchStation(Station, Protocol):
    """A station that makes up to `description.max_batch` recipes in one run (a well plate)."""

    def run_batch(
        self,
        recipes: Sequence[Recipe],
        keys: Sequence[AttemptKey],
        progress: Callable[[str], None] | None = None,
    ) -> Sequence[Measurement]:
        """Make and measure several recipes together; one measurement each, in their order.

        Raises:
            RecipeRefusedError: any recipe breaks a limit, or there are too many; nothing moved.
            StationStoppedError: the station is safe, and a person is needed.
        """
        ...


@runtime_checkable
class Consuming(Protocol):
    """A station that knows what it draws of which stock.

    Its measurements carry `doses`; an exception of `run` carries them as `error.doses`, and one of
    `run_batch` those of each member as `error.batch_doses` (`instruments.doses`).
    """

    def needs(self, recipes: Sequence[Recipe]) -> Mapping[str, float]:
        """Most that a run of these recipes may draw of each stock [µL]; pure."""
        ...

    def supplies(self) -> Mapping[str, float]:
        """What one run can draw of a stock at most, as the station stands [µL]; {} unbounded."""
        ...

    def settled(self) -> Mapping[AttemptKey, Doses]:
        """Return doses of earlier attempts that were in doubt and have become known since."""
        ...


class WiredStation(Station, Protocol):
    """A station whose parts drivers may play."""

    def bench(self) -> Any:
        """Return the wires of its drivers (`instruments.bench.Bench`), not yet open."""
        ...


class SimulatedStation(Station, Protocol):
    """A station whose instruments act on a plant, which knows the truth."""

    def truth(self) -> Mapping[str, float]:
        """Return the hidden state that the last run ended with, as plain numbers by name.

        Names end in their unit where there is one (`mean_edge_nm`); empty before the first run.
        """
        ...
