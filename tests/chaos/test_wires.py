"""The short form of `make faults`: a campaign on failing wires and devices keeps its books."""

from __future__ import annotations

import pytest

from tests.chaos.wires import Plan, run


@pytest.mark.timeout(600)
def test_no_dose_and_no_trial_is_lost_to_wires_and_devices_that_fail() -> None:
    """The record's doses must be what the pumps moved, and the results those without faults."""
    found = run(Plan(trials=8, seed=7, rate=8e-4, clogs=0.0, agent="sobol"))
    assert found["problems"] == []
    assert found["doubts"] > 0, "nothing failed, so nothing was shown"
    assert found["best_gap"] == 0.0
    assert found["in_doubt_share"] < 0.1
