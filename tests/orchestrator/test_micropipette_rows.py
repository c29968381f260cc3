"""The published figures of seed 000: every row has its checks, and no known one is lost."""

import numpy as np
import pytest
from scipy.optimize import brentq

from orchestrator.twins.rows._micropipette_fit import PRIORS, residuals
from orchestrator.twins.rows.micropipette import FITTED, NOTES, ROWS
from surrogate_sim.materials import emission_energy, wavelength
from surrogate_sim.parameters import table, twin_parameters

LAB = twin_parameters("micropipette")
MISSED = {"MP-10", "MP-16", "MP-17"}


@pytest.mark.parametrize("row", sorted(set(ROWS) - MISSED))
def test_row_is_met(row):
    """A row that the nominal twin has met stays met."""
    for check in ROWS[row](LAB):
        assert check.passed, f"{check.label}: {check.ours} outside {check.low} to {check.high}"


def test_rows_and_notes_are_complete():
    assert list(ROWS) == [f"MP-{n:02d}" for n in range(1, 23)]
    assert set(NOTES) >= MISSED and set(NOTES) <= set(ROWS)


def test_fitted_constants_are_the_calibrated_ones_and_no_others_claim_it():
    own = table("micropipette")
    assert all(own[name].status == "calibrated" for name in FITTED)
    assert {n for n, c in own.items() if c.source.startswith("calibrated on")} == set(FITTED)
    assert set(PRIORS) <= set(FITTED)


def test_values_of_the_file_are_a_fit():
    """Every published number lies within its band (a residual of 2); M3's supply does not."""
    found = residuals(LAB)
    assert np.sum(np.abs(found) > 2.0) <= 1 and np.abs(found).max() < 4.0


@pytest.mark.parametrize("start", [478.0, 482.0, 486.0])
def test_the_published_shift_itself_is_more_than_the_published_gain(start):
    """MP-10 is missed by the sizing curve, not by the growth: 15 nm read with it exceed 1.5 nm."""

    def edge(peak):
        return brentq(lambda size: float(wavelength(emission_energy(size))) - peak, 2.0, 20.0)

    assert edge(start + 15.0) - edge(start) > 1.5
