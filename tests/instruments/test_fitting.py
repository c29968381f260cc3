import numpy as np
import pytest
from scipy.optimize import least_squares

from instruments.metrology.fitting import fit_within

TIME = np.linspace(0.0, 5.0, 60)
WIDE = (np.array([-np.inf, -np.inf]), np.array([np.inf, np.inf]))
SCALE = np.array([1.0, 1.0])


def decay(data):
    """Residuals and slopes of height * exp(-rate * time) against `data`."""

    def weighted(p):
        bell = np.exp(-p[1] * TIME)
        return p[0] * bell - data, np.stack([bell, -p[0] * TIME * bell], axis=1)

    return weighted


@pytest.mark.parametrize(
    ("height", "rate", "guess"), [(3.0, 0.7, (1.0, 1.0)), (-2.0, 2.5, (1, 1))]
)
def test_an_optimum_inside_is_that_of_the_trust_region_method(height, rate, guess):
    noise = np.random.default_rng(2).normal(0.0, 0.05, len(TIME))
    weighted = decay(height * np.exp(-rate * TIME) + noise)
    ours = fit_within(weighted, np.array(guess, float), WIDE, SCALE, 60)
    theirs = least_squares(lambda p: weighted(p)[0], guess, jac=lambda p: weighted(p)[1])
    assert ours.converged
    assert ours.parameters == pytest.approx(theirs.x, rel=1e-5)
    assert ours.sum_of_squares == pytest.approx(2.0 * theirs.cost, rel=1e-9)
    assert ours.slopes == pytest.approx(theirs.jac, rel=1e-4, abs=1e-8)


def test_a_bound_holds_where_the_free_optimum_lies_beyond_it():
    weighted = decay(3.0 * np.exp(-0.7 * TIME))
    bounds = (np.array([0.0, 0.0]), np.array([2.0, np.inf]))
    found = fit_within(weighted, np.array([1.0, 1.0]), bounds, SCALE, 60)
    best = least_squares(
        lambda p: weighted(p)[0], [1.0, 1.0], jac=lambda p: weighted(p)[1], bounds=bounds
    )
    assert found.converged
    assert found.parameters[0] <= 2.0
    assert found.parameters == pytest.approx(best.x, rel=1e-6)


def test_a_fit_that_runs_out_of_evaluations_says_so():
    weighted = decay(3.0 * np.exp(-0.7 * TIME))
    assert not fit_within(weighted, np.array([50.0, 30.0]), WIDE, SCALE, 2).converged
