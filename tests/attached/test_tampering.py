"""Evidence and values that somebody changed behind dotpilot's back are found, with exit 20."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator.campaign import check_campaign
from orchestrator.cli import main
from orchestrator.decisions import attach_measurement
from orchestrator.ledger import Ledger, array_digest
from orchestrator.loop import create_campaign, drive
from tests.attached.campaigns import LATER, seen, sizes, stated
from tests.loop.campaigns import Silent
from tests.replay.test_forged import Chain, at, rewrite
from tests.replay.test_verify import unprotected, verify


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished campaign with sizes, a stated yield and a corrected yield of light."""
    path = tmp_path_factory.mktemp("attached") / "whole.db"
    with Ledger.open(f"sqlite:///{path}") as ledger:
        campaign = create_campaign(ledger, check_campaign({**LATER, "budget": {"trials": 2}}))
        drive(ledger, campaign, Silent())
        attach_measurement(ledger, campaign, 1, seen("tem_size", "tem_spread"))
        attach_measurement(ledger, campaign, 2, stated("lead_yield", 0.8, unit="dimensionless"))
        attach_measurement(ledger, campaign, 2, stated("plqy", 0.5, correct=True))
        with ledger.engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.connection.cursor().execute("PRAGMA journal_mode=DELETE")
    return path, campaign


@pytest.fixture
def record(made: tuple[Path, str], tmp_path: Path) -> tuple[Path, str]:
    copy = tmp_path / "copy.db"
    copy.write_bytes(made[0].read_bytes())
    return copy, made[1]


def exit_code(path: Path, campaign: str) -> Any:
    with pytest.raises(SystemExit) as stop:
        main(["replay", "verify", campaign, "--no-proposals", "--db", f"sqlite:///{path}"])
    return stop.value.code


def test_a_true_record_is_clean(record: tuple[Path, str]) -> None:
    found = verify(*record, proposals=True)
    assert found.findings == [] and found.observables_checked == found.observables_ok
    assert exit_code(*record) == 0


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE array SET data=replace(data, X'39', X'38') WHERE dtype='|u1'",
        "DELETE FROM array WHERE dtype='|u1'",
        "UPDATE observable SET value=value+1e-9 WHERE name='tem_size'",
        "UPDATE observable SET method='TEM: mean@2' WHERE name='tem_spread'",
        "DELETE FROM observable WHERE name='lead_yield'",
        "UPDATE observable SET value=0.9 WHERE name='plqy' AND trial=2",
        "UPDATE event SET payload=replace(payload, 'grid 3', 'grid 4')",
        "UPDATE trial SET last_seq=last_seq-1 WHERE number=1",
    ],
)
def test_a_change_is_found(record: tuple[Path, str], damage: str) -> None:
    path, campaign = record
    with closing(unprotected(path)) as connection:
        assert connection.execute(damage).rowcount > 0
        connection.commit()
    assert exit_code(path, campaign) == 20


def _value(chain: Chain) -> None:
    chain[at(chain, "trial.observed", 1)]["p"]["observables"]["tem_size"]["value"] = 8.5


def _dropped(chain: Chain) -> None:
    del chain[at(chain, "trial.observed", 1)]["p"]["observables"]["tem_spread"]


def _stated(chain: Chain) -> None:
    chain[at(chain, "trial.observed", 2)]["p"]["observables"]["lead_yield"]["value"] = 99.0


def _digest(chain: Chain) -> None:
    chain[at(chain, "trial.observed", 1)]["p"]["evidence"]["sha256"] = "0" * 64


def _quiet_correction(chain: Chain) -> None:
    chain[-1]["p"]["corrects"] = []


def _count(chain: Chain) -> None:
    chain[at(chain, "trial.observed", 1)]["p"]["read"]["tem_size"]["count"] = 600


def _before_it_ended(chain: Chain) -> None:
    found = chain.pop(at(chain, "trial.observed", 1))
    chain.insert(at(chain, "trial.completed", 1), found)


def _before_the_proposal(chain: Chain) -> None:
    """The agent would have seen it."""
    found = chain.pop(at(chain, "trial.observed", 1))
    steps = [i for i, e in enumerate(chain) if e["type"] == "step.proposed"]
    chain.insert(steps[-1], found)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_value, "tem_size is recorded as"),
        (_dropped, "is recorded as read from"),
        (_stated, "lead_yield is recorded as"),
        (_digest, "has other bytes than the SHA-256"),
        (_quiet_correction, "does not say which"),
        (_count, "is recorded as read from"),
        (_before_it_ended, "a later measurement belongs to a trial that is"),
        (_before_the_proposal, "history_hash is"),
    ],
)
def test_a_forged_chain_is_found(
    record: tuple[Path, str], change: Callable[[Chain], None], said: str
) -> None:
    rewrite(*record, change)
    found = verify(*record, proposals=True)
    assert any(said in f.what for f in found.findings), found.findings


def test_other_evidence_under_a_new_chain_is_found(record: tuple[Path, str]) -> None:
    """Bytes, digests and hashes all made anew: the value no longer follows from the bytes."""
    import hashlib

    import numpy as np

    path, campaign = record
    data = sizes(7.0)
    array = np.frombuffer(data, dtype=np.uint8)

    def swap(chain: Chain) -> None:
        evidence = chain[at(chain, "trial.observed", 1)]["p"]["evidence"]
        digest = hashlib.sha256(data).hexdigest()
        evidence |= {"sha256": digest, "size": len(data), "array_sha256": array_digest(array)}

    rewrite(path, campaign, swap)
    with closing(unprotected(path)) as connection:
        row = (array_digest(array), "|u1", f"[{len(data)}]", data)
        connection.execute("INSERT INTO array VALUES (?, ?, ?, ?)", row)
        connection.commit()
    assert any("tem_size is recorded as" in f.what for f in verify(path, campaign).findings)
