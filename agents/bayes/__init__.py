"""Bayesian optimisation over mixed spaces: `BayesAgent`."""

import warnings

# Its dependency linear_operator still scripts a function, which torch calls deprecated: no news
# for whoever runs with warnings as errors.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import botorch  # noqa: F401

from agents.bayes._goals import probability_met
from agents.bayes.agent import BayesAgent

__all__ = ["BayesAgent", "probability_met"]
