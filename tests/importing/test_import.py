"""Laboratory records become a finished campaign, all rows or none, and can be replayed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from orchestrator.campaign import read_document
from orchestrator.errors import InputRefusedError
from orchestrator.importing import import_file
from orchestrator.ledger import Ledger
from orchestrator.replay import replay_pool, verify_campaign

ROOT = Path(__file__).parents[2]
MAPPING = {
    "name": "bench",
    "parameters": [
        {"name": "volume", "column": "V", "unit": "microliter", "log": True},
        {"name": "solvent", "column": "S", "choices": {"Tol": "toluene", "CF": "chloroform"}},
    ],
    "observables": [
        {"name": "peak", "column": "nm", "unit": "nm", "spectral": True, "low": 300, "high": 900},
        {"name": "width", "column": "eV", "unit": "eV", "to": "meV"},
        {"name": "plqy", "column": "Y", "unit": "", "missing": [0.0]},
    ],
}
GOOD = (
    "V,S,nm,eV,Y\n10,Tol,520,0.09,0.8\n10,Tol,521,0.1,0.0\n40,CF,470,0.08,\n20,CF,471,0.07,0.5\n"
)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    table, mapping = tmp_path / "rows.csv", tmp_path / "mapping.yaml"
    table.write_text(GOOD)
    mapping.write_text(yaml.safe_dump(MAPPING))
    return table, mapping


def test_replicates_stay_and_missing_values_are_missing(
    files: tuple[Path, Path], database: str
) -> None:
    with Ledger.open(database) as ledger:
        campaign, count, skipped = import_file(ledger, *files)
        assert (count, skipped) == (4, [])
        row = ledger.campaign(campaign)
        assert (row.state, row.source) == ("finished", "imported")
        trials = ledger.trials(campaign)
        assert trials[0].recipe == trials[1].recipe == {"volume": 10.0, "solvent": "toluene"}
        assert trials[0].observables["width"].value == pytest.approx(90.0)
        assert "plqy" in trials[0].observables
        assert "plqy" not in trials[1].observables
        assert "plqy" not in trials[2].observables
        assert verify_campaign(ledger, campaign).findings == []


def test_bad_rows_are_named_and_refuse_the_whole_unless_skipped(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    table, mapping = files
    table.write_text(
        GOOD + "x,Tol,500,0.1,0.5\n10,Water,500,0.1,0.5\n10,Tol,,,\n10,Tol,5,0.1,0.5\n"
        "-1,Tol,500,0.1,0.5\n1,2\n10,Tol,nan,inf,0.5\n"
    )
    with Ledger.open(f"sqlite:///{tmp_path / 'x.db'}") as ledger:
        with pytest.raises(InputRefusedError) as refused:
            import_file(ledger, table, mapping)
        text = str(refused.value)
        for number, word in ((5, "must be a number"), (6, "Water"), (7, "no observable"),
                             (8, "within"), (9, "above zero"), (10, "cells")):  # fmt: skip
            line = next(x for x in text.splitlines() if word in x)
            assert f"row {number}:" in line
        assert ledger.campaigns() == []
        _, count, skipped = import_file(ledger, table, mapping, skip_bad=True)
        assert count == 4
        assert [s["row"] for s in skipped] == [5, 6, 7, 8, 9, 10, 11]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"parameters": [{"name": "v", "column": "absent"}]}, "column 'absent'"),
        ({"parameters": [{"name": "peak", "column": "V"}]}, "given again"),
        ({"parameters": [{"name": "v", "column": "V", "unit": "furlongs"}]}, None),
        ({"parameters": [{"name": "v", "column": "V", "unit": "blorps"}]}, "pint knows"),
        ({"colour": "blue"}, "colour"),
        ({"features": [{"name": "f", "expression": "volume * absent"}]}, "absent"),
    ],
)
def test_a_bad_mapping_is_refused(
    files: tuple[Path, Path], tmp_path: Path, change: dict[str, object], word: str | None
) -> None:
    table, mapping = files
    mapping.write_text(yaml.safe_dump({**MAPPING, **change}))
    with Ledger.open(f"sqlite:///{tmp_path / 'x.db'}") as ledger:
        if word is None:
            import_file(ledger, table, mapping)
            return
        with pytest.raises(InputRefusedError, match=word):
            import_file(ledger, table, mapping)


def test_the_real_records_import_and_hold_their_published_counts(
    data: Path, tmp_path: Path
) -> None:
    table = data / "cspbbr3_antisolvent" / "syntheses.csv"
    with Ledger.open(f"sqlite:///{tmp_path / 'x.db'}") as ledger:
        mapping = ROOT / "examples" / "antisolvent_mapping.yaml"
        campaign, count, _ = import_file(ledger, table, mapping)
        assert count == 289
        goal = read_document(ROOT / "examples" / "antisolvent_goal.yaml")
        found = replay_pool(ledger, campaign, "random", goal, 20)
        assert (found["rows"], found["recipes"]) == (289, 221)
        assert found["ratio"] == 1.0
        assert found["goal_size"] < found["agents"]["random"]["median"] <= 221


def test_an_agent_replays_a_pool_among_measured_points_only(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    goal = {"best": {"observable": "width", "goal": "minimise", "share": 0.4}}
    with Ledger.open(f"sqlite:///{tmp_path / 'x.db'}") as ledger:
        campaign, _, _ = import_file(ledger, *files)
        found = replay_pool(ledger, campaign, "sobol", goal, 3, jobs=1)
        assert found["recipes"] == 3
        assert found["goal_size"] == 2
        assert all(2 <= p <= 3 for p in found["agents"]["sobol"]["picks"])
        again = replay_pool(ledger, campaign, "sobol", goal, 3, jobs=1)
        assert again == found
        with pytest.raises(InputRefusedError, match="no observable colour"):
            bad = {"best": {"observable": "colour", "goal": "minimise", "share": 0.4}}
            replay_pool(ledger, campaign, "sobol", bad, 3)
