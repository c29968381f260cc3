"""The published figures of seed 000: every row has its checks, and no known one is lost."""

import numpy as np
import pytest

from orchestrator.twins.rows._micropipette_fit import PRIORS, residuals
from orchestrator.twins.rows.micropipette import FITTED, NOTES, ROWS
from surrogate_sim.parameters import table, twin_parameters

LAB = twin_parameters("micropipette")
MISSED = {"MP-06", "MP-08", "MP-09", "MP-10", "MP-16", "MP-17"}


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
    """Every C number but M3's late bend lies within its band (a residual of 2)."""
    found = residuals(LAB)
    assert np.sum(np.abs(found) > 2.0) <= 1 and np.abs(found).max() < 4.0
