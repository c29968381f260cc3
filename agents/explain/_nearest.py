"""Which past trials a recipe resembles, as the models see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agents.encoding import Array, Encoding
from agents.explain._surrogate import Surrogate
from agents.history import PastTrial
from agents.space import Recipe


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A past trial.

    Attributes:
        trial: Its number.
        distance: In lengthscales, root mean square over the models; without models in scaled
            parameters, where the width of a parameter's range counts as 1.
        alike: Observable -> prior correlation of its two values: 1 of equal recipes, towards 0
            where the trial says nothing about the other.
    """

    trial: int
    distance: float
    alike: Mapping[str, float]


def nearest_trials(
    encoding: Encoding,
    surrogate: Surrogate,
    recipe: Recipe,
    history: Sequence[PastTrial],
    count: int,
) -> list[Neighbour]:
    """Return the `count` trials of a history that were made nearest to a recipe, nearest first.

    Trials that taught nothing (abandoned, pending, in doubt) are left out.
    """
    tried = [t for t in history if t.state in ("completed", "failed", "rejected")]
    if not tried:
        return []
    here = encoding.columns(encoding.rows([recipe]))[0]
    there = encoding.columns(encoding.rows([t.made for t in tried]))
    distances = _distances(surrogate, here, there)
    alike = {name: model.alike(here, there) for name, model in surrogate.items()}
    order = np.argsort(distances, kind="stable")[:count]
    return [
        Neighbour(tried[i].number, float(distances[i]), {n: float(a[i]) for n, a in alike.items()})
        for i in order
    ]


def central_trial(encoding: Encoding, history: Sequence[PastTrial]) -> PastTrial | None:
    """Return the completed trial nearest to all the others, in scaled parameters."""
    done = [t for t in history if t.state == "completed"]
    if not done:
        return None
    columns = encoding.columns(encoding.rows([t.made for t in done]))
    apart = [float(_distances({}, c, columns).sum()) for c in columns]
    return done[int(np.argmin(apart))]


def _distances(surrogate: Surrogate, here: Array, there: Array) -> Array:
    if not surrogate:
        return np.asarray(np.sqrt(((there - here) ** 2).sum(axis=1)))
    squares = [model.distances(here, there) ** 2 for model in surrogate.values()]
    return np.asarray(np.sqrt(np.mean(squares, axis=0)))
