"""The first picks among given candidates: few that speak for many.

A space-filling design asks for the corners of a space; records seldom reach them, and crowd where
their makers saw something. Facility location (Cornuejols, Fisher and Nemhauser 1977, Management
Science) covers the candidates as they are: each pick adds most to the sum, over all candidates, of
the similarity to the nearest pick. Greedy picking comes within 1 - 1/e of the best sum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from agents.bayes._inputs import Inputs
from agents.bayes._process import similarity
from agents.encoding import Encoding
from agents.errors import ProposalError
from agents.history import PastTrial
from agents.protocol import Proposal
from agents.sampling import remaining_candidates
from agents.space import Space

REACH = 0.7
"""Lengthscale of similarity, as a share of each input's range; assumed: a pick should speak for
its like in most parameters, not for its nearest neighbours alone."""
EASE = 0.05
"""Share by which a gain may be beaten by the seed's draw, so that seeds differ; assumed."""


def representatives(
    space: Space, history: Sequence[PastTrial], n: int, design_seed: int
) -> list[Proposal]:
    """Return `n` of the remaining candidates that best represent all, beside those made.

    Raises:
        ProposalError: fewer than `n` candidates are left.
    """
    if n <= 0:
        return []
    left = remaining_candidates(space, history)
    if len(left) < n:
        raise ProposalError(
            f"{n} proposals were asked for, but only {len(left)} of the candidates are left; "
            "ask for fewer, or end the campaign"
        )
    encoding = Encoding(space)
    inputs = Inputs(encoding)
    rows = encoding.rows([*left, *(t.recipe for t in history)])
    points = inputs(torch.as_tensor(encoding.columns(rows))) / REACH
    alike = similarity(points).numpy()
    covered = alike[:, len(left) :].max(axis=1, initial=0.0)
    generator = np.random.default_rng([design_seed, len(history)])
    chosen: list[int] = []
    for _ in range(n):
        gain = np.maximum(alike[:, : len(left)] - covered[:, None], 0.0).sum(axis=0)
        gain *= 1.0 + EASE * generator.random(len(left))
        gain[chosen] = -1.0
        best = int(np.argmax(gain))
        chosen.append(best)
        covered = np.maximum(covered, alike[:, best])
    return [
        Proposal(dict(left[i]), "representative", details={"phase": "design", "position": k})
        for k, i in enumerate(chosen, start=len(history))
    ]
