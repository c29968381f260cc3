"""The scoreboard counts what it should, beside the frozen table with its dated moves."""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path

import pytest

from orchestrator.twins.catalogue import TWINS
from orchestrator.twins.checks import Check, above
from orchestrator.twins.pages import last_scoreboard
from orchestrator.twins.published import PublishedRow, published_rows
from orchestrator.twins.scoreboard import Score, document, score, summary, with_null

FROZEN = Path(__file__).resolve().parents[2] / "../shared/physics/validation_table.csv"
FAST = (
    "MP-01", "MP-02", "MP-03", "MP-04", "MP-11", "MP-22", "TP-02", "TP-04", "TP-07", "TP-13",
    "LP-06", "LP-07", "LP-09", "LP-24", "AX-01", "AX-02", "AX-03", "AX-04", "AX-05",
)  # fmt: skip
"""Rows that are judged in about a second or less."""


def row(use: str, tier: int = 1, name: str = "MP-99") -> PublishedRow:
    return PublishedRow(name, "micropipette", "", "", "", use, use, tier, "", "")


def check(ours: float, use: str, kind: str = "peak_nm", published: float | None = 500.0) -> Check:
    return Check("peak", ours, 495.0, 505.0, "nm", use, kind, published)  # type: ignore[arg-type]


def test_our_table_is_the_frozen_one():
    if not FROZEN.exists() or os.environ.get("DOTPILOT_DATA") == "":
        pytest.skip("the frozen table is not beside this checkout")
    with FROZEN.open(encoding="utf-8", newline="") as file:
        frozen = {e["id"]: e for e in csv.DictReader(file)}
    ours = {r.id: r for r in published_rows()}
    assert list(ours) == list(frozen)
    for name, r in ours.items():
        wanted = frozen[name]
        assert (r.quantity, r.published, r.band, r.frozen_use, str(r.tier)) == (
            wanted["quantity_conditions"],
            wanted["published_value_spread"],
            wanted["acceptance_band"],
            wanted["use"],
            wanted["tier"],
        )


def test_moves_are_dated_reasoned_and_lead_from_held_out_to_used():
    moved = [r for r in published_rows() if r.use != r.frozen_use or r.moved_on]
    assert moved
    for r in moved:
        assert r.moved_on and len(r.moved_because) > 20 and r.frozen_use != r.use
        assert "H" in r.frozen_use and "C" in r.uses, f"{r.id}: only H may move, and only to C"
        assert r.id in TWINS[r.twin].notes(), f"{r.id} moved, but the twin's notes do not say so"


def test_every_row_of_the_table_is_scored_or_says_why_not():
    ids = {name: {r.id for r in published_rows() if r.twin == name} for name in TWINS}
    for name, twin in TWINS.items():
        assert set(twin.rows()) <= ids[name] and set(twin.notes()) <= ids[name]
        if name != "flow_synthesis":
            assert set(twin.rows()) == ids[name]
    unwritten = [r for r in published_rows() if r.id not in TWINS[r.twin].rows()]
    found = score(rows=[r.id for r in unwritten])
    assert [s.row.id for s in found] == [r.id for r in unwritten]
    assert all(s.passed is None and s.null is None and len(s.reason) > 20 for s in found)


def test_a_row_passes_with_all_numbers_that_count():
    met, missed, lost = check(501.0, "C"), check(510.0, "H"), check(math.nan, "H")
    assert Score(row("C"), (met,)).passed
    assert not Score(row("C,H"), (met, missed)).passed
    assert not Score(row("C,H"), (met, lost)).passed, "no number is a miss"
    diagnostic = check(900.0, "D")
    assert Score(row("C,D"), (met, diagnostic)).passed, "diagnostic numbers never gate"
    assert Score(row("D"), (diagnostic,)).passed is False
    assert Score(row("C")).passed is None


def test_the_null_model_is_the_calibration_mean_and_sees_no_difference():
    fitted = Score(row("C"), (check(501.0, "C", published=490.0), check(501.0, "C")))
    order = Score(row("H"), (above("order", 3.0, "H", "nm"),))
    near = Score(row("H"), (check(700.0, "H"),))
    alien = Score(row("H"), (check(501.0, "H", kind="size_nm"),))
    found = with_null([fitted, order, near, alien])
    assert [s.null for s in found] == [True, False, True, False]  # mean 495 is just inside


def test_counts_leave_out_diagnostic_and_unjudged_rows():
    scores = [
        Score(row("C"), (check(501.0, "C"),), null=True),
        Score(row("M1 C; M2 H"), (check(501.0, "C"), check(900.0, "H")), null=False),
        Score(row("H", tier=2), (check(501.0, "H"),), null=False),
        Score(row("H")),
        Score(row("D"), (check(900.0, "D"),), null=False),
    ]
    found = summary(scores)
    held = found["tier_1"]["held_out"]
    assert (held["rows"], held["judged"], held["passed"], held["fraction"]) == (2, 1, 0, 0.0)
    assert found["tier_1"]["calibration"]["null_passed"] == 1
    assert found["all"]["held_out"]["passed"] == 1 and found["all"]["held_out"]["rows"] == 3
    assert found["twins"]["micropipette"]["held_out_numbers"] == {"judged": 2, "passed": 1}


def same_as_committed(fresh: dict, names: set[str]) -> None:
    committed = {r["id"]: r for r in last_scoreboard()["rows"]}
    for entry in fresh["rows"]:
        last = committed[entry["id"]]
        where = f"{entry['id']}: judge again with `python -m orchestrator.twins.pages --score`"
        assert entry["pass"] == last["pass"] and entry["use"] == last["use"], where
        assert [c["label"] for c in entry["checks"]] == [c["label"] for c in last["checks"]], where
        for ours, theirs in zip(entry["checks"], last["checks"], strict=True):
            assert (ours["ours"] is None) == (theirs["ours"] is None), where
            if ours["ours"] is not None:
                assert ours["ours"] == pytest.approx(theirs["ours"], rel=0.02, abs=1e-3), where
    assert {r["id"] for r in fresh["rows"]} == names


def test_fast_rows_are_as_in_the_committed_scoreboard():
    fresh = document(score(rows=FAST))
    same_as_committed(fresh, set(FAST))


def test_uses_of_checks_are_those_of_the_table():
    for entry in last_scoreboard()["rows"]:
        used = {c["use"] for c in entry["checks"]}
        row_ = next(r for r in published_rows() if r.id == entry["id"])
        if used:
            remedy = (
                f"{entry['id']}: its checks say {sorted(used)}, the table {row_.use!r}; if it "
                "moved, fill use_after_move, moved_on and moved_because of its row"
            )
            assert ("H" in used) == row_.held_out or row_.uses >= {"H", "Z"}, remedy
            assert ("D" in used) == ("D" in row_.uses), remedy
            assert "C" not in used or "C" in row_.uses or entry["id"] == "AX-11", remedy


@pytest.mark.slow
def test_all_rows_are_as_in_the_committed_scoreboard():
    fresh = document(score(processes=2))
    same_as_committed(fresh, {r.id for r in published_rows()})
    passed = {
        when: {k: part["passed"] for k, part in summary["tier_1"].items()}
        for when, summary in (("now", fresh["summary"]), ("then", last_scoreboard()["summary"]))
    }
    assert passed["now"] == passed["then"]
