"""Parameters with units, priors and sources; the nominal lab and hidden labs.

The *nominal* lab has every constant at its tabulated value. A *hidden* lab, `draw(seed)`, has
the calibrated constants drawn from their priors: what a twin's owner does not know.
"""

from __future__ import annotations

import difflib
import tomllib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

TABLES = tuple(
    sorted(
        Path(entry.name).stem
        for entry in files("surrogate_sim").joinpath("data").iterdir()
        if entry.name.endswith(".toml")
    )
)
"""Every parameter file: `materials`, which all twins share, and one for each twin."""
_FLOW = ("materials", "flow")
_TRUNCATION = 2.0


class Constant(BaseModel):
    """One constant; deviations are of the value, or of its logarithm if `lognormal`.

    `posterior_sd` is what a calibration left of the prior's, by Laplace's approximation.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: float
    unit: str
    prior_sd: float = Field(ge=0.0)
    distribution: Literal["normal", "lognormal"]
    source: str = Field(min_length=8)
    status: Literal["fixed", "calibrated"]
    posterior_sd: float | None = Field(default=None, ge=0.0)

    def drawn(self, standard: float) -> float:
        """Return the value at `standard` standard deviations of the prior."""
        if self.distribution == "lognormal":
            return float(self.value * np.exp(self.prior_sd * standard))
        return self.value + self.prior_sd * standard


class Values(Mapping[str, float]):
    """Read-only numbers by name; an unknown name is answered with the nearest one."""

    def __init__(self, values: Mapping[str, float]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> float:
        try:
            return self._values[name]
        except KeyError:
            near = difflib.get_close_matches(name, self._values, 1)
            hint = f"; the nearest is {near[0]!r}" if near else ""
            raise KeyError(f"no parameter is called {name!r}{hint}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True)
class FlowParameters:
    """All numbers of one flow lab.

    Attributes:
        materials: Constants of `data/materials.toml`.
        flow: Constants of `data/flow.toml`.
        seed: Seed of the hidden lab; None for the nominal one.
    """

    materials: Mapping[str, float]
    flow: Mapping[str, float]
    seed: int | None = None

    def keyed_normal(self, effect: str, name: str) -> float:
        """Return the lab's own standard normal for (effect, name), truncated; 0 if nominal."""
        if self.seed is None:
            return 0.0
        return _keyed_normal(self.seed, effect, name)


@dataclass(frozen=True)
class TwinParameters:
    """All numbers of one lab of one twin.

    Attributes:
        twin: Name of the twin, and of its parameter file.
        materials: Constants of `data/materials.toml`, the same for all twins.
        own: Constants of `data/<twin>.toml`.
        seed: Seed of the hidden lab; None for the nominal one.
    """

    twin: str
    materials: Mapping[str, float]
    own: Mapping[str, float]
    seed: int | None = None

    def keyed_normal(self, effect: str, name: str) -> float:
        """Return the lab's own standard normal for (effect, name), truncated; 0 if nominal."""
        if self.seed is None:
            return 0.0
        return _keyed_normal(self.seed, effect, name)

    def replacing(self, **own: float) -> TwinParameters:
        """Return the same lab with some of its own constants at other values.

        Raises:
            KeyError: a name that the twin's file does not hold.
        """
        for name in own:
            self.own[name]
        return replace(self, own=Values({**self.own, **own}))


def twin_parameters(twin: str, hidden: int | None = None) -> TwinParameters:
    """Return the nominal lab of a twin, or its hidden lab of that seed (see `draw`).

    Raises:
        ValueError: no such parameter file, or a negative seed.
    """
    if hidden is None:
        materials, own = (
            Values({k: c.value for k, c in table(n).items()}) for n in ("materials", twin)
        )
        return TwinParameters(twin, materials, own)
    if hidden < 0:
        raise ValueError(f"a hidden lab's seed must be at least 0, but got {hidden}")
    return TwinParameters(twin, _drawn("materials", hidden), _drawn(twin, hidden), hidden)


@cache
def _keyed_normal(seed: int, effect: str, name: str) -> float:
    key = [seed, zlib.crc32(effect.encode()), zlib.crc32(name.encode())]
    return _truncated(np.random.default_rng(np.random.SeedSequence(key)))


@cache
def table(name: str) -> Mapping[str, Constant]:
    """Read the parameter file `name` of `TABLES`.

    Raises:
        ValueError: no such file, or an entry that is incomplete.
    """
    if name not in TABLES:
        raise ValueError(f"a parameter table must be one of {', '.join(TABLES)}, but got {name!r}")
    text = files("surrogate_sim").joinpath("data", f"{name}.toml").read_text(encoding="utf-8")
    return {key: Constant.model_validate(entry) for key, entry in tomllib.loads(text).items()}


@cache
def nominal() -> FlowParameters:
    """Return the nominal lab: every constant at its tabulated value."""
    materials, flow = (Values({k: c.value for k, c in table(n).items()}) for n in _FLOW)
    return FlowParameters(materials, flow)


def draw(seed: int) -> FlowParameters:
    """Return the hidden lab of `seed`.

    Every calibrated constant is drawn from its prior, truncated at two standard deviations.

    Raises:
        ValueError: the seed is negative.
    """
    if seed < 0:
        raise ValueError(f"a hidden lab's seed must be at least 0, but got {seed}")
    materials, flow = (_drawn(name, seed) for name in _FLOW)
    return FlowParameters(materials, flow, seed)


def _drawn(name: str, seed: int) -> Values:
    """Draw the table `name`; streams are keyed by constant, so additions move no other."""
    values = {}
    for key, constant in table(name).items():
        stream = np.random.SeedSequence([seed, zlib.crc32(f"{name}.{key}".encode())])
        standard = _truncated(np.random.default_rng(stream))
        values[key] = (
            constant.drawn(standard) if constant.status == "calibrated" else constant.value
        )
    return Values(values)


def _truncated(generator: np.random.Generator) -> float:
    """Return one standard normal within two standard deviations."""
    while True:
        value = float(generator.standard_normal())
        if abs(value) <= _TRUNCATION:
            return value
