"""What a lab's worker draws is recorded by bottle, doubted where nobody knows, never overdrawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from instruments import TrialFailedError
from instruments.doses import Dose, note_doses
from instruments.stores import StockLot
from orchestrator.errors import DotpilotError
from orchestrator.fleet import Fleet
from orchestrator.inventory import read_inventory
from orchestrator.ledger import Ledger
from orchestrator.worker import StationFile
from tests.worker.doubles import Bench, Place, Server, offered

NEED, DRAWN = 300.0, 120.0


class Drawing(Bench):
    """A bench that draws from one stock."""

    def needs(self, recipes: Any) -> dict[str, float]:
        """As much for each recipe."""
        return {"ink": NEED * len(recipes)}

    def supplies(self) -> dict[str, float]:
        """No bound but the bottle."""
        return {}

    def settled(self) -> dict[Any, Any]:
        """Nothing."""
        return {}

    def run(self, *args: Any) -> Any:
        """Draw, and measure."""
        measurement = super().run(*args)
        return type(measurement)(**{**vars(measurement), "doses": {"ink": Dose(DRAWN, DRAWN)}})


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with Ledger.open(f"sqlite:///{tmp_path / 'server.db'}?synchronous=normal") as ledger:
        lot = StockLot(lot="I-1", volume=700.0)
        file = StationFile.model_construct(
            station="bench", lab="north", safe_within=5.0, stocks={"ink": lot}
        )
        server = Server(Fleet(ledger, lease_s=30.0))
        yield Place(tmp_path, ledger, server, offered(ledger, 3), Drawing(), file=file)


def once(place: Place) -> None:
    with place.outbox() as outbox:
        place.worker(outbox).run(once=True)


def drawn(place: Place) -> tuple[float, float]:
    held = read_inventory(place.ledger, "north").holdings["ink", "I-1"]
    return held.drawn_least, held.drawn_most


def test_what_a_run_draws_reaches_the_record_with_its_bottle(place: Place) -> None:
    once(place)
    assert drawn(place) == (DRAWN, DRAWN)


def test_a_failure_tells_what_it_had_drawn(place: Place) -> None:
    def act(progress: Any) -> None:
        error = TrialFailedError("clogged", "the line is clogged")
        note_doses(error, {"ink": Dose(50.0, 50.0)})
        raise error

    place.bench.act = act
    once(place)
    assert place.state() == "failed"
    assert drawn(place) == (50.0, 50.0)


def test_a_run_that_nobody_heard_of_again_may_have_drawn_all_that_it_planned(place: Place) -> None:
    def act(progress: Any) -> None:
        raise KeyboardInterrupt

    place.bench.act = act
    with pytest.raises(KeyboardInterrupt):
        once(place)
    with place.outbox() as outbox:
        place.worker(outbox)._deliver()
    assert place.state() == "in_doubt"
    assert drawn(place) == (0.0, NEED)


def test_a_run_that_the_bottle_does_not_allow_goes_back_and_the_worker_ends(place: Place) -> None:
    for _ in range(2):
        once(place)  # 700 - 240 leaves 460, enough for one more run
    bottle = StockLot(lot="I-1", volume=500.0)
    place.file = place.file.model_copy(update={"stocks": {"ink": bottle}})
    with pytest.raises(DotpilotError, match="ink falls 40.0 µL short"):
        once(place)
    assert place.bench.runs == 2
    assert place.state(3) == "approved"
