"""Random streams of simulated instruments, keyed so that an attempt always meets its own noise."""

from __future__ import annotations

import hashlib

import numpy as np

from instruments.station import AttemptKey


def instrument_generator(lab_seed: int, key: AttemptKey, instrument: str) -> np.random.Generator:
    """Return the generator of one instrument in one attempt.

    The name enters by its SHA-256, which does not change between processes.

    Args:
        lab_seed: The lab's seed, not negative.
        key: Trial and attempt.
        instrument: The instrument's name.
    """
    digest = hashlib.sha256(instrument.encode()).digest()
    words = [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4)]
    entropy = [lab_seed, key.trial, key.attempt, *words]
    if max(entropy) < 2**32:  # the same stream; words spare numpy the splitting of integers
        return np.random.default_rng(np.random.SeedSequence(np.array(entropy, np.uint32)))
    return np.random.default_rng(np.random.SeedSequence(entropy))
