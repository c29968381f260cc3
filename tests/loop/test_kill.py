"""A campaign killed at any event finishes as one that was never killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def killed_everywhere(agent: str, kind: str, every: int) -> dict[str, Any]:
    """What the driver found, after what must hold for every kind of campaign."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.loop.kill_driver", agent, kind, str(every)],
        cwd=ROOT, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["differences"] == []
    assert found["whole"]["state"] == "finished"
    assert {t["state"] for t in found["whole"]["trials"]} == {"completed"}
    assert found["whole"]["findings"] == []
    return found


EVERY = pytest.mark.slow  # at every event; in short at every third
SMALL = [
    ("sobol", 2),
    ("bayes", 3),
    *(pytest.param(a, 1, marks=EVERY) for a in ("sobol", "bayes")),
]
PLATES = [("sobol", 3), *(pytest.param(a, 1, marks=EVERY) for a in ("sobol", "bayes"))]


@pytest.mark.parametrize(("agent", "every"), SMALL)
def test_a_kill_at_every_event_changes_nothing(agent: str, every: int) -> None:
    found = killed_everywhere(agent, "small", every)
    assert len(found["whole"]["trials"]) == 4
    assert found["kills"] >= 40 // every
    # the kills between intent and raw data must have gone through in_doubt, or nothing was tried
    assert found["doubts"] >= 8 // every


@pytest.mark.parametrize(("agent", "every"), PLATES)
def test_a_plate_killed_at_any_event_is_made_again_as_it_was_laid_out(
    agent: str, every: int
) -> None:
    found = killed_everywhere(agent, "plates", every)
    trials = found["whole"]["trials"]
    first, again, later = (
        [t["conditions"] for t in trials[:3] if t["attempt"] == 1],
        [t["conditions"] for t in trials[:3] if t["attempt"] == 2],
        [trials[3]["conditions"]],
    )
    assert first and again, "the gate must ask for a repeat of some wells, or none was tried"
    # one run each for a step, for the repeats that the gate asked for, and for the next step
    for plate, wells in ((first, 3), (again, len(again)), (later, 1)):
        assert {w["wells_on_plate"]["value"] for w in plate} == {wells}
        assert len({w["layout_seed"]["value"] for w in plate}) == 1
        assert len({(w["plate_row"]["value"], w["plate_column"]["value"]) for w in plate}) == len(
            plate
        )
    layouts = {w["layout_seed"]["value"] for w in (*first, *again, *later)}
    assert len(layouts) == 3, "each run draws its own layout"
    assert found["kills"] >= 50 // every
    # most kills of a plate leave several wells in doubt, not one
    assert found["doubts"] >= 50 // every
