"""The mathematics of explanations, by limits whose answers are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from agents import (
    Categorical,
    Condition,
    Continuous,
    LinearConstraint,
    Observation,
    PastTrial,
    Space,
    create_agent,
)
from agents.encoding import Array, Encoding
from agents.explain import (
    Explainable,
    ObservableModel,
    Predictions,
    Surrogate,
    active_limits,
    central_trial,
    contour_map,
    cross_validate,
    mean_variance,
    nearest_trials,
    reference_surrogate,
    slices,
    sobol_indices,
    space_sample,
)

SQUARE = Space((Continuous("x", 0.0, 2.0, "mm"), Continuous("y", 0.0, 1.0), Continuous("z", 0, 1)))
MIXED = Space(
    (
        Continuous("lead", 1.0, 100.0, "mM", log=True),
        Categorical("salt", ("none", "ZnI2")),
        Continuous("dose", 1.0, 9.0, "mM", when=Condition("salt", ("ZnI2",))),
    )
)


@dataclass(frozen=True)
class Known:
    """A model whose mean is a function of the columns, without any doubt or memory."""

    function: Callable[[Array], Array]
    sd: float = 1.0

    def predict(self, columns: Array, *, measured: bool = False) -> Predictions:
        return Predictions(self.function(columns), np.full(len(columns), self.sd))

    def variance(self, columns: Array) -> Array:
        return np.full(len(columns), self.sd**2)

    def distances(self, column: Array, others: Array) -> Array:
        return np.asarray(np.sqrt(((others - column) ** 2).sum(axis=1)))

    def alike(self, column: Array, others: Array) -> Array:
        return np.exp(-self.distances(column, others))

    def after_measuring(self, columns: Array) -> ObservableModel:
        return self


def fit(space: Space) -> Callable[[object, object], Surrogate]:
    return lambda past, names: reference_surrogate(space, [], past, names, 0)  # type: ignore[arg-type]


def trials(values: Callable[[float, float], float], count: int = 12) -> list[PastTrial]:
    made = np.random.default_rng(3).random((count, 3))
    return [
        PastTrial(
            i + 1, "completed", {"x": 2.0 * a, "y": b, "z": c},
            observables={"peak": Observation(values(a, b), 0.01)},
        )
        for i, (a, b, c) in enumerate(made)
    ]  # fmt: skip


def test_the_indices_of_a_sum_are_its_shares_of_variance() -> None:
    """Of 3 x + 4 y the variances are 9 and 16: shares 0.36 and 0.64, without interactions."""
    found = sobol_indices(Encoding(SQUARE), Known(lambda c: 3.0 * c[:, 0] + 4.0 * c[:, 1]))
    assert found is not None
    for column, error in ((found.first, found.first_se), (found.total, found.total_se)):
        assert column == pytest.approx([0.36, 0.64, 0.0], abs=0.01)
        assert (np.abs(column - [0.36, 0.64, 0.0]) <= 5.0 * error + 1e-12).all()
    assert found.sd == pytest.approx(5.0 / math.sqrt(12.0), rel=0.01)


def test_a_product_about_its_middle_is_all_interaction() -> None:
    """Neither factor explains anything alone, both explain everything together."""
    model = Known(lambda c: (c[:, 0] - 0.5) * (c[:, 1] - 0.5))
    found = sobol_indices(Encoding(SQUARE), model)
    assert found is not None
    assert found.first == pytest.approx([0.0, 0.0, 0.0], abs=0.03)
    assert found.total == pytest.approx([1.0, 1.0, 0.0], abs=0.05)


def test_a_constant_has_no_indices_and_no_space_has_none() -> None:
    assert sobol_indices(Encoding(SQUARE), Known(lambda c: np.full(len(c), 7.0))) is None
    assert sobol_indices(Encoding(Space(())), Known(lambda c: c.sum(axis=1))) is None


def test_a_conditional_parameter_counts_only_where_it_is_active() -> None:
    """The dose varies in one half of the space alone, whose variance is a share of the whole."""
    encoding = Encoding(MIXED)
    found = sobol_indices(encoding, Known(lambda c: c[:, 3] * c[:, 2]))
    assert found is not None
    # f = s d, s 0 or 1, d uniform: variances 5/48 in all, 1/48 of d alone, 3/48 of s alone
    assert found.first == pytest.approx([0.0, 0.6, 0.2], abs=0.02)
    assert found.total == pytest.approx([0.0, 0.8, 0.4], abs=0.02)


def test_a_line_is_predicted_from_the_other_recipes() -> None:
    past = trials(lambda a, b: 500.0 + 20.0 * a + 5.0 * b)
    found = cross_validate(Encoding(SQUARE), fit(SQUARE), past, "peak")
    assert found is not None
    assert found.one_out
    assert found.r2 is not None and found.r2 > 0.95
    assert found.rmse < 2.0
    assert found.coverage(0.95) > 0.7
    assert found.coverage(0.68) <= found.coverage(0.95)
    assert found.log_score is not None


def test_chance_is_not_predicted() -> None:
    """A model that saw what it predicts would explain noise; this one must not."""
    noise = iter(np.random.default_rng(8).normal(size=12))
    past = trials(lambda a, b: float(next(noise)))
    found = cross_validate(Encoding(SQUARE), fit(SQUARE), past, "peak")
    assert found is not None and found.r2 is not None and found.r2 < 0.3


def test_repeats_of_a_recipe_are_left_out_together() -> None:
    """Else each would give the others away: noise on repeated recipes would seem predicted."""
    values = np.random.default_rng(1).normal(size=5)
    past = [
        PastTrial(10 * r + k, "completed", {"x": 0.4 * k, "y": 0.5, "z": 0.5},
                  observables={"peak": Observation(float(values[k]))})
        for r in (1, 2, 3) for k in range(5)
    ]  # fmt: skip
    found = cross_validate(Encoding(SQUARE), fit(SQUARE), past, "peak")
    assert found is not None
    assert (found.folds, len(found.trials)) == (5, 15)
    assert found.r2 is not None and found.r2 < 0.5


def test_long_records_are_validated_in_ten_parts() -> None:
    past = trials(lambda a, b: a + b, 40)
    found = cross_validate(Encoding(SQUARE), fit(SQUARE), past, "peak")
    assert found is not None
    assert (found.folds, found.one_out, len(found.trials)) == (10, False, 40)


def test_a_constant_observable_has_no_r2_but_an_error() -> None:
    found = cross_validate(Encoding(SQUARE), fit(SQUARE), trials(lambda a, b: 510.0, 5), "peak")
    assert found is not None
    assert found.r2 is None
    assert found.rmse == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_recipes_are_not_validated(count: int) -> None:
    past = trials(lambda a, b: a, count)
    assert cross_validate(Encoding(SQUARE), fit(SQUARE), past, "peak") is None


def test_measuring_teaches_near_and_not_far() -> None:
    """One measurement lowers the variance where it is made, never raises it anywhere."""
    past = trials(lambda a, b: 500.0 + 20.0 * a, 6)
    encoding = Encoding(SQUARE)
    model = reference_surrogate(SQUARE, [], past, ["peak"], 0)["peak"]
    sample = space_sample(encoding)
    here = encoding.columns(encoding.rows([{"x": 2.0, "y": 1.0, "z": 0.0}]))
    taught = model.after_measuring(here)
    assert taught.variance(here)[0] < model.variance(here)[0]
    assert (taught.variance(sample) <= model.variance(sample) * (1 + 1e-9)).all()
    assert taught.predict(sample).mean == pytest.approx(model.predict(sample).mean, rel=1e-6)
    again = taught.after_measuring(here)
    gains = [mean_variance(m, sample) for m in (model, taught, again)]
    assert None not in gains
    first, second, third = (float(g) for g in gains if g is not None)
    assert 0.0 <= second - third < first - second  # the same again teaches less
    assert model.after_measuring(here[:0]) is model


def test_the_nearest_trial_is_the_same_recipe() -> None:
    past = trials(lambda a, b: 500.0 + 20.0 * a, 8)
    past.append(PastTrial(90, "failed", {"x": 1.0, "y": 0.5, "z": 0.5}))
    past.append(PastTrial(91, "pending", past[4].recipe))
    encoding = Encoding(SQUARE)
    surrogate = reference_surrogate(SQUARE, [], past, ["peak"], 0)
    found = nearest_trials(encoding, surrogate, past[4].recipe, past, 3)
    assert (found[0].trial, found[0].distance) == (5, 0.0)
    assert found[0].alike == {"peak": 1.0}
    assert [n.distance for n in found] == sorted(n.distance for n in found)
    near = nearest_trials(encoding, {}, past[8].recipe, past, 1)
    assert (near[0].trial, near[0].alike) == (90, {})
    assert nearest_trials(encoding, surrogate, past[0].recipe, [], 3) == []


def test_the_central_trial_is_amid_the_others() -> None:
    past = [PastTrial(i, "completed", {"x": x, "y": 0.5, "z": 0.5})
            for i, x in enumerate((0.0, 1.0, 2.0))]  # fmt: skip
    found = central_trial(Encoding(SQUARE), past)
    assert found is not None and found.number == 1
    assert central_trial(Encoding(SQUARE), []) is None


def test_limits_name_bounds_constraints_and_what_cannot_be_made() -> None:
    space = Space(
        SQUARE.parameters,
        (LinearConstraint((("x", 1.0), ("y", 1.0)), 2.5, "x + y <= 2.5"),),
        lambda recipe: ["too much z"] if float(recipe["z"]) > 0.505 else [],
    )
    found = active_limits(space, {"x": 2.0, "y": 0.5, "z": 0.5})
    assert [(f.kind, f.name, f.side) for f in found] == [
        ("bound", "x", "high"),
        ("constraint", "x + y <= 2.5", None),
        ("feasibility", "z", "high"),
    ]
    assert found[0].text == "x is at its highest, 2 mm"
    assert found[2].text == "too much z"
    assert active_limits(space, {"x": 1.0, "y": 0.5, "z": 0.3}) == []


def test_slices_pass_through_choices_and_leave_out_what_is_inactive() -> None:
    encoding = Encoding(MIXED)
    model = Known(lambda c: c[:, 0])
    found = {s.parameter: s for s in slices(encoding, model, {"lead": 10.0, "salt": "none"})}
    assert set(found) == {"lead", "salt"}
    lead = found["lead"]
    assert (lead.values[0], lead.values[-1]) == (1.0, 100.0)
    assert lead.values[20] == pytest.approx(10.0)  # the middle of a logarithmic range
    assert lead.predictions.mean == pytest.approx(np.linspace(0.0, 1.0, 41))
    assert set(lead.feasible) == {True}
    assert found["salt"].values == ("none", "ZnI2")
    assert found["salt"].feasible == (True, None)  # with which dose, the recipe does not say


def test_a_contour_has_its_rows_along_y() -> None:
    model = Known(lambda c: 10.0 * c[:, 0] + c[:, 1])
    found = contour_map(Encoding(SQUARE), model, {"x": 1.0, "y": 0.5, "z": 0.5}, "x", "y")
    assert found.mean.shape == (len(found.y[1]), len(found.x[1]))
    assert found.mean[0, -1] == pytest.approx(10.0)
    assert found.mean[-1, 0] == pytest.approx(1.0)
    assert found.feasible.all()


def test_predictions_of_a_logarithm_are_lognormal() -> None:
    found = Predictions(np.array([math.log(20.0)]), np.array([0.1]), log=True)
    low, high = found.interval(0.68)
    assert low[0] * high[0] == pytest.approx(400.0)  # symmetric about the median as a factor
    assert found.mean[0] == pytest.approx(20.0 * math.exp(0.005))
    assert found.sd[0] == pytest.approx(2.0, rel=0.02)
    assert found.errors(np.array([20.0 * math.exp(0.2)]))[0] == pytest.approx(2.0)
    grid = np.linspace(10.0, 40.0, 4001)
    density = [float(np.exp(found.log_density(np.array([g])))[0]) for g in grid]
    assert np.trapezoid(density, grid) == pytest.approx(1.0, abs=1e-4)
    assert math.isnan(found.errors(np.array([-1.0]))[0])


def test_bayes_shows_the_models_that_it_chooses_by() -> None:
    """What is explained must be what predicted, or the explanation is of another agent."""
    from agents import Objective

    agent = create_agent("bayes", {"initial": 3, "iterations": 0})
    assert isinstance(agent, Explainable)
    assert not isinstance(create_agent("sobol"), Explainable)
    past = trials(lambda a, b: 500.0 + 20.0 * a, 6)
    goals = [Objective("peak", "target", 510.0, 1.0)]
    (proposal,) = agent.propose(SQUARE, goals, past, 1, 4)
    encoding = Encoding(SQUARE)
    model = agent.surrogate(SQUARE, goals, past, ["peak"], 4)["peak"]
    found = model.predict(encoding.columns(encoding.rows([proposal.recipe])), measured=True)
    assert found.mean[0] == pytest.approx(proposal.predicted["peak"].value, rel=1e-9)
    assert found.sd[0] == pytest.approx(proposal.predicted["peak"].se, rel=1e-9)


def test_a_space_that_constraints_empty_has_no_sample() -> None:
    never = Space(SQUARE.parameters, (LinearConstraint((("x", 1.0),), -1.0),))
    sample = space_sample(Encoding(never))
    assert sample.shape == (0, 3)
    assert mean_variance(Known(lambda c: c[:, 0]), sample) is None


@pytest.mark.slow
def test_shapley_values_of_a_sum_are_its_terms() -> None:
    """Of a sum each value is the term less its mean over the space, and they add up."""
    pytest.importorskip("shap")
    from agents.explain import shapley_values

    encoding = Encoding(MIXED)
    model = Known(lambda c: 5.0 * c[:, 0] + 2.0 * c[:, 2])
    recipes = [{"lead": 100.0, "salt": "none"}, {"lead": 1.0, "salt": "ZnI2", "dose": 5.0}]
    found = shapley_values(encoding, model, recipes)
    assert found.names == ("lead", "salt", "dose")
    assert found.base == pytest.approx(3.5, abs=0.1)
    assert found.values[0] == pytest.approx([2.5, -1.0, 0.0], abs=0.1)
    assert found.values[1] == pytest.approx([-2.5, 1.0, 0.0], abs=0.1)
    again = shapley_values(encoding, model, recipes)
    assert (again.values == found.values).all()
