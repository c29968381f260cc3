"""Calibration finds what it must where the answer is known, and its file can be read again."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

from orchestrator.errors import InputRefusedError
from orchestrator.twins.calibration import Fit, Prior, calibrate, fit_of, parameter_file
from orchestrator.twins.catalogue import TWINS
from surrogate_sim.parameters import Constant, table

TWIN = TWINS["micropipette"]
START = TWIN.nominal().own


def linear(error: float, target: float) -> Fit:
    """Two constants: one measured directly with an error, one never measured."""
    priors = (
        Prior("seed_exponent", 2.0, 0.5, False),
        Prior("seed_volume", 80.0, 0.3, True),
    )
    return Fit(priors, lambda lab: np.array([(lab.own["seed_exponent"] - target) / error]))


def test_a_linear_problem_has_its_exact_posterior():
    found = calibrate(TWIN, 5, fit=linear(0.25, 3.0))
    weight = 0.5**2 / (0.5**2 + 0.25**2)
    assert found.values["seed_exponent"] == pytest.approx(2.0 + weight * 1.0, rel=1e-6)
    assert found.deviations["seed_exponent"] == pytest.approx(0.5 * np.sqrt(1.0 - weight))
    assert found.values["seed_volume"] == pytest.approx(80.0, rel=1e-6), "only its prior is left"
    assert found.deviations["seed_volume"] == pytest.approx(0.3)
    assert found.cost < found.start_cost


def test_the_posterior_alone_leaves_the_values():
    found = calibrate(TWIN, 0, fit=linear(0.25, 3.0))
    assert found.values["seed_exponent"] == pytest.approx(START["seed_exponent"])
    assert found.cost == found.start_cost


def test_the_file_is_read_again_with_fitted_values_alone_changed():
    found = calibrate(TWIN, 3, fit=linear(0.25, 3.0))
    read = {
        name: Constant.model_validate(entry)
        for name, entry in tomllib.loads(parameter_file(TWIN, found)).items()
    }
    before = table("micropipette")
    assert list(read) == list(before)
    for name, constant in read.items():
        if name in found.values:
            assert constant.value == pytest.approx(found.values[name], rel=1e-5)
            assert constant.posterior_sd == pytest.approx(found.deviations[name], rel=1e-3)
            assert constant.source == before[name].source
        else:
            assert constant == before[name]


@pytest.mark.parametrize("name", TWINS)
def test_every_twin_has_a_fit_of_constants_that_it_says_are_fitted(name):
    twin = TWINS[name]
    if not twin.fitted():
        pytest.skip(f"{name} says that nothing of it is fitted")
    fit = fit_of(twin)
    assert {p.name for p in fit.priors} <= set(twin.fitted())
    own = twin.nominal().own
    for prior in fit.priors:
        assert prior.value(prior.standard(own[prior.name])) == pytest.approx(own[prior.name])
        assert abs(prior.standard(own[prior.name])) < 4.0, f"{prior.name} is far from its prior"


def test_a_twin_without_a_fit_is_refused_in_words(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputRefusedError, match="no fit on its C rows"):
        fit_of(TWINS["flow_synthesis"])


def test_the_committed_micropipette_is_near_its_own_optimum_and_reproducible():
    assert calibrate(TWIN, 0) == calibrate(TWIN, 0), "the same code must give the same values"
    moved = calibrate(TWIN, 1)
    assert moved.cost > 0.5 * moved.start_cost, "the file's values are far from a fit"
