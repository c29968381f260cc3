"""Quasi-random and random recipes inside a space, by rejection with a bounded number of draws."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Literal

import numpy as np
from scipy.stats import qmc

from agents.encoding import Array, Encoding
from agents.errors import ProposalError
from agents.history import PastTrial
from agents.space import Recipe, Space, Value

Key = tuple[tuple[str, Value], ...]
Method = Literal["sobol", "uniform"]
MAX_DRAWS = 65536
MAX_CHECKS = 16384


def recipe_key(recipe: Recipe) -> Key:
    """Return what makes two recipes the same: names with values, whatever their order."""
    return tuple(sorted((n, v if isinstance(v, str) else float(v)) for n, v in recipe.items()))


def taken(history: Sequence[PastTrial]) -> set[Key]:
    """Return the recipes that must not be proposed again: pending and in doubt."""
    return {recipe_key(t.recipe) for t in history if t.state in ("pending", "in_doubt")}


def sample_space(
    space: Space,
    n: int,
    seed: int,
    *,
    method: Method = "sobol",
    skip: int = 0,
    exclude: Collection[Key] = (),
) -> list[dict[str, Value]]:
    """Return `n` feasible recipes.

    With `candidates`, they are distinct ones of these, in an order shuffled by the seed. Else
    they are entries `skip` .. `skip + n - 1` of the feasible part of one fixed sequence (a
    scrambled Sobol sequence, or uniform random numbers) that the seed names, without those in
    `exclude` and without repeats.

    Args:
        space: Where.
        n: How many.
        seed: Names the sequence; equal seeds continue one another through `skip`.
        method: Which sequence.
        skip: How many feasible entries to pass over.
        exclude: Recipes that must not be returned.

    Raises:
        ProposalError: too few are found within a bounded number of draws; the message says
            which constraint refused how many.
    """
    if n <= 0:
        return []
    if space.candidates is not None:
        return _from_candidates(space, n, seed, exclude)
    found: list[dict[str, Value]] = []
    seen = set(exclude)
    refusals: Counter[str] = Counter()
    passed = 0
    for recipe in feasible_sequence(space, seed, method, refusals):
        passed += 1
        if passed <= skip or recipe_key(recipe) in seen:
            continue
        seen.add(recipe_key(recipe))
        found.append(recipe)
        if len(found) == n:
            return found
    raise ProposalError(_too_few(n, len(found), passed, refusals))


def feasible_sequence(
    space: Space, seed: int, method: Method, refusals: Counter[str]
) -> Iterator[dict[str, Value]]:
    """Yield the feasible recipes of a sequence in order, counting who refused the others."""
    encoding = Encoding(space)
    checks = 0
    for unit in unit_blocks(encoding.dimension, seed, method):
        rows = encoding.rows_from_unit(unit)
        broken = encoding.constraint_excess(rows) > 0.0
        for constraint, count in zip(space.constraints, broken.sum(axis=0), strict=True):
            refusals[f"constraint {constraint.text or constraint.terms}"] += int(count)
        refusals["(drawn)"] += len(rows)
        for row in rows[~broken.any(axis=1)]:
            recipe = encoding.recipe(row)
            reasons = space.violations(recipe)
            if not reasons:
                yield recipe
            refusals.update({re.sub(r"[-+]?\d[\d.]*(e[-+]?\d+)?", "#", r) for r in reasons})
            checks += 1
            if checks >= MAX_CHECKS:
                return


def unit_blocks(dimension: int, seed: int, method: Method) -> Iterator[Array]:
    """Yield blocks (k, d) of one sequence of points, MAX_DRAWS in all.

    Sobol blocks grow so that the total is always a power of two, which keeps it balanced.
    """
    width = max(1, dimension)
    engine = qmc.Sobol(width, scramble=True, rng=np.random.default_rng(seed))
    generator = np.random.default_rng(seed)
    drawn, size = 0, 64
    while drawn < MAX_DRAWS:
        block = engine.random(size) if method == "sobol" else generator.random((size, width))
        yield np.asarray(block, dtype=np.float64)[:, :dimension]
        drawn += size
        size = drawn


def remaining_candidates(space: Space, history: Sequence[PastTrial]) -> list[Recipe]:
    """Return the candidates not yet in the history in whatever state, inside the space."""
    used = {recipe_key(t.recipe) for t in history}
    return [
        c for c in space.candidates or () if recipe_key(c) not in used and not space.violations(c)
    ]


def _from_candidates(
    space: Space, n: int, seed: int, exclude: Collection[Key]
) -> list[dict[str, Value]]:
    left = [
        c
        for c in space.candidates or ()
        if recipe_key(c) not in exclude and not space.violations(c)
    ]
    if len(left) < n:
        raise ProposalError(
            f"{n} proposals were asked for, but only {len(left)} of "
            f"{len(space.candidates or ())} candidates are left and inside the space; "
            "ask for fewer, or end the campaign"
        )
    order = np.random.default_rng(seed).permutation(len(left))
    return [dict(left[i]) for i in order[:n]]


def _too_few(n: int, found: int, feasible: int, refusals: Counter[str]) -> str:
    drawn = refusals.pop("(drawn)", 0)
    worst = "; ".join(f"{name}: {count}" for name, count in refusals.most_common(5) if count)
    return (
        f"{n} proposals were asked for, but {found} were found: of {drawn} points drawn "
        f"{feasible} are feasible (refused by {worst or 'nothing: the rest are repeats or taken'})"
        "; widen the bounds or choices, relax a constraint, or resolve pending trials"
    )
