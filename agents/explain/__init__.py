"""Why this experiment: what a surrogate says of a trial, of itself and of its parameters.

Pure functions of a record. They work on whatever satisfies `Surrogate`: an agent with a model of
its own offers it through `Explainable`; for one without, `reference_surrogate` fits Gaussian
processes to the same history.
"""

from agents.explain._bounds import ActiveLimit, active_limits
from agents.explain._importance import Indices, sobol_indices
from agents.explain._maps import Contour, Slice, contour_map, slices
from agents.explain._nearest import Neighbour, central_trial, nearest_trials
from agents.explain._sample import mean_variance, space_sample
from agents.explain._shap import Shapley, ShapMissingError, shapley_values
from agents.explain._surrogate import (
    Explainable,
    ObservableModel,
    Predictions,
    Surrogate,
    reference_surrogate,
)
from agents.explain._validation import Validation, cross_validate

__all__ = [
    "ActiveLimit",
    "Contour",
    "Explainable",
    "Indices",
    "Neighbour",
    "ObservableModel",
    "Predictions",
    "ShapMissingError",
    "Shapley",
    "Slice",
    "Surrogate",
    "Validation",
    "active_limits",
    "central_trial",
    "contour_map",
    "cross_validate",
    "mean_variance",
    "nearest_trials",
    "reference_surrogate",
    "shapley_values",
    "slices",
    "sobol_indices",
    "space_sample",
]
