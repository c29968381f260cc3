"""A fixed sample of a space, and what a model does not know on it."""

from __future__ import annotations

from collections import Counter

import numpy as np

from agents.encoding import Array, Encoding
from agents.explain._surrogate import ObservableModel
from agents.sampling import feasible_sequence, unit_blocks
from agents.space import Recipe, Space

SAMPLE_SEED = 0
SAMPLE = 256  # points averaged over, assumed: averages of a variance settle to a few per cent


def space_sample(encoding: Encoding, size: int = SAMPLE) -> Array:
    """Return model columns (m, D) of at most `size` feasible recipes, the same on every call.

    They are the first of a scrambled Sobol sequence, or the candidates where a space has some;
    fewer where constraints leave few, and none (0, D) where they leave none.
    """
    space = encoding.space
    given = space.candidates
    recipes = _first(space, size) if given is None else list(given[:size])
    return encoding.columns(encoding.rows(recipes))


def _first(space: Space, size: int) -> list[Recipe]:
    found: list[Recipe] = []
    for recipe in feasible_sequence(space, SAMPLE_SEED, "sobol", Counter()):
        found.append(recipe)
        if len(found) == size:
            break
    return found


def unit_points(dimension: int, size: int, seed: int) -> Array:
    """Return `size` points (size, dimension) of a scrambled Sobol sequence in [0, 1)."""
    blocks, count = [], 0
    for block in unit_blocks(dimension, seed, "sobol"):
        blocks.append(block)
        count += len(block)
        if count >= size:
            break
    return np.concatenate(blocks)[:size]


def mean_variance(model: ObservableModel, sample: Array) -> float | None:
    """Return the variance of the noise-free value, averaged over columns (m, D); None of none."""
    return float(np.mean(model.variance(sample))) if len(sample) else None
