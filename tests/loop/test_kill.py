"""A campaign killed at any event finishes as one that was never killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("agent", ["sobol", "bayes"])
def test_a_kill_at_every_event_changes_nothing(agent: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.loop.kill_driver", agent],
        cwd=ROOT, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["differences"] == []
    assert found["whole"]["state"] == "finished"
    assert [t["state"] for t in found["whole"]["trials"]] == ["completed"] * 4
    assert found["whole"]["findings"] == []
    assert found["kills"] >= 40
    # the kills between intent and raw data must have gone through in_doubt, or nothing was tried
    assert found["doubts"] >= 8
