"""What an agent may know of the past: trials with their states and observables."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from agents.space import Recipe

TrialState = Literal[
    "completed",  # a value
    "failed",  # a defined failure: information about feasibility
    "rejected",  # the quality gate refused the measurement: information, but no value
    "abandoned",  # nothing was learned
    "pending",  # proposed, approved, dispatched, running or measured: do not propose the same
    "in_doubt",  # nobody knows what happened: do not propose near it as if it were free
]
# What is read back and larger than this is a slip: not even its square is a number.
LARGEST_READ = 1e100


@dataclass(frozen=True, slots=True)
class Observation:
    """A measured value and its standard error, in the observable's declared unit."""

    value: float
    se: float = 0.0


@dataclass(frozen=True, slots=True)
class PastTrial:
    """One trial as the record has it.

    `recipe` is what was asked for; `achieved` holds those parameters that were read back (it
    may be partial or empty). Agents learn from what was achieved. `context` is what nobody
    chose but may shift the observables: `lab`, where several labs took part.
    """

    number: int
    state: TrialState
    recipe: Recipe
    achieved: Recipe = field(default_factory=dict)
    observables: Mapping[str, Observation] = field(default_factory=dict)
    context: Mapping[str, str] = field(default_factory=dict)

    @property
    def made(self) -> dict[str, float | int | str]:
        """The recipe with every achieved value that is credible in place of the requested one."""
        known = {n: v for n, v in self.achieved.items() if n not in self.incredible}
        return {name: known.get(name, value) for name, value in self.recipe.items()}

    @property
    def incredible(self) -> tuple[str, ...]:
        """The parameters whose achieved value no arithmetic can hold; no agent learns from it."""
        return tuple(
            name
            for name, value in self.achieved.items()
            if not isinstance(value, str) and not abs(value) <= LARGEST_READ
        )


def history_hash(history: Sequence[PastTrial]) -> str:
    """Return the SHA-256 of the history's canonical JSON (no identifiers, no times)."""
    document = [
        {
            "number": t.number,
            "state": t.state,
            "recipe": dict(t.recipe),
            "achieved": dict(t.achieved),
            "observables": {k: [o.value, o.se] for k, o in t.observables.items()},
            **({"context": dict(t.context)} if t.context else {}),
        }
        for t in history
    ]
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
