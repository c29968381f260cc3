"""Every row of seed 002 is judged, and the SHAP code finds what it was told to find."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from orchestrator.twins import larp_shap
from orchestrator.twins.rows.larp_plate import FITTED, NOTES, ROWS
from surrogate_sim.parameters import table, twin_parameters

PUBLISHED = Path(__file__).resolve().parents[2] / "../shared/physics/validation_table.csv"


def test_there_is_one_entry_for_every_row():
    if not PUBLISHED.exists() or os.environ.get("DOTPILOT_DATA") == "":
        pytest.skip("the validation table is not beside this checkout")
    with PUBLISHED.open(encoding="utf-8") as file:
        ids = {row["id"] for row in csv.DictReader(file) if row["id"].startswith("LP-")}
    assert set(ROWS) == ids
    assert set(NOTES) <= ids


def test_at_most_nine_constants_were_fitted_and_their_sources_say_so():
    assert len(FITTED) <= 9
    constants = table("larp_plate")
    for name in FITTED:
        assert constants[name].status == "calibrated"
        assert constants[name].source.startswith("calibrated on LP-"), name
    others = {n for n, c in constants.items() if c.source.startswith("calibrated on")}
    assert others == set(FITTED)


@pytest.mark.parametrize("row", ["LP-06", "LP-07", "LP-08", "LP-09", "LP-24"])
def test_rows_of_samples_and_stocks_pass(row):
    missed = [c for c in ROWS[row](twin_parameters("larp_plate")) if not c.passed]
    assert missed == []


def test_the_virtual_set_is_the_published_one():
    made = larp_shap.recipes()
    table_ = np.array([larp_shap.features(r) for r in made])
    assert len(made) == 160 and len({tuple(f) for f in table_}) == 160
    assert table_[0] == pytest.approx([100.0, 10.0, 300.0, 100.0, 11.0, 0.0, 0.0, 100.0, 0.0])
    assert set(table_[:, 2]) == {150.0, 300.0} and set(table_[:, 3]) == {100.0}


def test_shap_finds_the_feature_that_matters_and_its_sign():
    pytest.importorskip("shap", reason="the extra science is not installed")
    made = np.array([larp_shap.features(r) for r in larp_shap.recipes()])
    target = 520.0 - 0.05 * made[:, 1] + np.where(made[:, 7] > 0.0, 1.0, 0.0)
    target[3] = np.nan
    found = larp_shap.importance(made, target)
    assert found.ranked()[0] == "OLAm" and found.sign["OLAm"] < -0.9
    assert found.size["Cs"] == 0.0 and found.sign["Cs"] == 0.0
