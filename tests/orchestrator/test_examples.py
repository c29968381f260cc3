"""Every example campaign runs, verifies, stays small and gives a page; in full, it gets better."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from orchestrator.campaign import Campaign, best_trial, check_campaign, read_document
from orchestrator.ledger import Ledger, TrialRow
from orchestrator.loop import check_feasible, create_campaign, drive, outcomes, station_of
from orchestrator.replay.verify import verify_campaign
from orchestrator.report import write_report
from tests.loop.campaigns import Silent

FOLDER = Path(__file__).resolve().parents[2] / "examples"
EXAMPLES = {
    path.stem: document
    for path in sorted(FOLDER.glob("*.yaml"))
    if "station" in (document := read_document(path))
}
STATIONS = ("anion_exchange", "flow_synthesis", "larp_plate", "micropipette", "topo_batch")
LARGEST = 5e6  # bytes of raw data per trial
# What a page shows of raw data, beside the flow line's spectra.
FIGURES = {
    "anion_exchange": {"frames", "samples", "series"},
    "larp_plate": {"frames", "series"},
    "micropipette": {"frames", "samples", "series"},
    "topo_batch": {"frames", "series"},
}


@dataclass(frozen=True)
class Ran:
    """A campaign that has come to rest."""

    ledger: Ledger
    id: str
    campaign: Campaign
    trials: list[TrialRow]
    bytes_per_trial: float


@contextmanager
def launched(document: dict[str, Any], folder: Path) -> Iterator[Ran]:
    """Run a campaign as `dotpilot launch` does."""
    campaign = check_campaign(document)
    check_feasible(campaign, station_of(campaign))
    path = folder / "record.db"
    with Ledger.open(f"sqlite:///{path}?synchronous=normal") as ledger:
        number = create_campaign(ledger, campaign)
        assert drive(ledger, number, Silent()) == "finished"
        trials = ledger.trials(number)
        with ledger.engine.connect() as connection:
            size = connection.execute(text("SELECT sum(length(data)) FROM array")).scalar_one()
        yield Ran(ledger, number, campaign, trials, size / len(trials))


def assert_sound(ran: Ran) -> None:
    """The record reproduces, and is no larger than it should be."""
    report = verify_campaign(ran.ledger, ran.id)
    assert report.ok, report.findings[:3]  # what makes `replay verify` exit 0
    assert report.proposals_checked == len(ran.trials)
    assert ran.bytes_per_trial < LARGEST


def test_there_is_an_example_for_every_station_and_its_name_says_so() -> None:
    assert {d["station"] for d in EXAMPLES.values()} == set(STATIONS)
    for name, document in EXAMPLES.items():
        assert name.startswith(document["station"].removesuffix("_synthesis")), name
        assert document["lab"]["hidden"], "an example is tried on a laboratory that nobody knows"


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_beginning_of_an_example(name: str, tmp_path: Path) -> None:
    document = EXAMPLES[name]
    first = min(4, document["agent"]["initial"])
    short = {
        **document,
        "budget": {"trials": first},
        "batch": min(first, document.get("batch", 1)),
    }
    with launched(short, tmp_path) as ran:
        assert_sound(ran)
        assert any(t.state == "completed" for t in ran.trials)
        write_report(ran.ledger, ran.id, tmp_path / "page")
    drawn = {p.stem for p in (tmp_path / "page").glob("*.png")}
    assert FIGURES.get(document["station"], {"spectra"}) <= drawn
    if document["station"] == "flow_synthesis":
        assert "samples" not in drawn, "dye, lamp and dark say nothing of the sample"


def test_wells_of_the_plate_example_share_plates() -> None:
    document = EXAMPLES["larp_plate"]
    assert document["batch"] == 24 and document["budget"]["trials"] >= 3 * document["batch"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_improves_on_its_initial_design(name: str, seed: int, tmp_path: Path) -> None:
    document = {**EXAMPLES[name], "seed": seed}
    with launched(document, tmp_path) as ran:
        assert_sound(ran)
        campaign = ran.campaign
        best = best_trial(outcomes(ran.trials), campaign.objectives, campaign.confidence)
        assert best is not None
        # the best of all is no trial of the design, so it beats the best of the design
        assert best > document["agent"]["initial"]
        write_report(ran.ledger, ran.id, tmp_path / "page")
