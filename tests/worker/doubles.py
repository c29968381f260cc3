"""A server that is the fleet itself, losing what it is told to lose, and a bench to work on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from instruments import (
    AttemptKey,
    Measurement,
    ObservableDeclaration,
    ParameterDeclaration,
    Spectrum,
    StationDescription,
)
from orchestrator import events as ev
from orchestrator.client import LostLeaseError
from orchestrator.errors import RemoteError
from orchestrator.fleet import Failure, Fleet, LeaseLostError, Result, WorkerRegistration
from orchestrator.fleet._offers import Offers
from orchestrator.ledger import Ledger
from orchestrator.loop import recorded_campaign
from orchestrator.worker import Outbox, StationFile, Worker
from orchestrator.worker._station_bay import StationBay
from tests.records import created, proposed

DESCRIPTION = StationDescription(
    "bench", "1", "a bench",
    (ParameterDeclaration("x", "", "continuous", "mm", 0.0, 1.0, default=0.5),),
    (ObservableDeclaration("peak", "", "nm"),),
    simulated=True, repeatable=True,
)  # fmt: skip
FILE = StationFile(station="bench", lab="north", safe_within=5.0)


@dataclass
class Server:
    """What a client of the API does, on the fleet; `lose` names calls whose answers are lost."""

    fleet: Fleet
    url: str = "http://double"
    lose: list[str] = field(default_factory=list)
    down: bool = False
    calls: list[str] = field(default_factory=list)

    def _answer(self, name: str, act: Callable[[], Any]) -> Any:
        self.calls.append(name)
        if self.down:
            raise RemoteError("unreachable")
        try:
            found = act()
        except LeaseLostError as error:
            raise LostLeaseError(str(error)) from error
        if name in self.lose:
            self.lose.remove(name)
            raise RemoteError("the answer was lost")
        return found

    def register_worker(self, worker: str, registration: Mapping[str, Any]) -> Any:
        given = WorkerRegistration.model_validate(registration)
        return self._answer(
            "register",
            lambda: (
                self.fleet.register_worker(worker, given, None).document() | {"heartbeat_s": 0.02}
            ),
        )

    def leases(self, worker: str) -> Any:
        return self._answer(
            "leases", lambda: [x.document() for x in self.fleet.leases(worker=worker)]
        )

    def lease(self, worker: str, *, wait: float, lease_s: float | None, instance: str) -> Any:
        def act() -> Any:
            found = self.fleet.grant(worker, lease_s, instance=instance)
            return None if found is None else found.document()

        return self._answer("lease", act)

    def heartbeat(
        self,
        lease: str,
        fence: int,
        progress: str,
        *,
        lease_s: float | None,
        planned: Mapping[int, Any] | None = None,
    ) -> Any:
        def act() -> Any:
            found = self.fleet.heartbeat(lease, fence, progress, lease_s, _records(planned))
            return {"expires_in": found.expires_in, "cancel": found.cancel, "pause": found.pause}

        return self._answer("heartbeat", act)

    def send_result(self, lease: str, body: Mapping[str, Any]) -> Any:
        results = [Result.model_validate(r) for r in body["results"]]
        return self._answer(
            "result", lambda: {"state": self.fleet.result(lease, body["fence"], results).state}
        )

    def send_failure(self, lease: str, body: Mapping[str, Any]) -> Any:
        failure = Failure.model_validate({k: v for k, v in body.items() if k != "fence"})
        return self._answer(
            "fail", lambda: {"state": self.fleet.fail(lease, body["fence"], failure).state}
        )

    def give_back(self, lease: str, fence: int, reason: str) -> Any:
        return self._answer(
            "return", lambda: {"state": self.fleet.give_back(lease, fence, reason).state}
        )


def _records(planned: Mapping[int, Any] | None) -> dict[int, ev.Doses]:
    return {
        trial: {stock: ev.DoseRecord(**dose) for stock, dose in doses.items()}
        for trial, doses in (planned or {}).items()
    }


class Bench:
    """A station whose run does whatever `act` does; remembers whether it is safe."""

    description = DESCRIPTION

    def __init__(self, act: Callable[..., None] | None = None) -> None:
        self.act, self.safe, self.runs = act, True, 0
        self.lab_time = 0.0
        self.built: list[Any] = []
        self.restored: list[Any] = []

    def create(self, name: str, lab: Any, *, seed: int) -> Bench:
        """Be made as `create_station` makes stations."""
        self.built.append((name, lab, seed))
        return self

    def check(self, recipe: Any) -> list[Any]:
        """Refuse nothing."""
        return []

    def open(self) -> None:
        """Leave the safe state."""
        self.safe = False

    def restore(self, state: Any) -> None:
        """Remember what was restored."""
        self.restored.append(dict(state))

    def run(self, recipe: Any, key: AttemptKey, progress: Any = None) -> Measurement:
        """Do what the test wants, then measure."""
        self.runs += 1
        if self.act is not None:
            self.act(progress)
        self.lab_time += 60.0
        axis = np.linspace(400.0, 700.0, 40)
        values = np.random.default_rng([key.trial, key.attempt]).random(40).astype(np.float32)
        return Measurement(
            recipe, {"x": 0.1}, {}, (Spectrum("pl", axis, values, "nm", "counts"),),
            {"clock": self.lab_time},
        )  # fmt: skip

    def analyse(self, measurement: Measurement) -> Any:
        """Not asked of a worker."""
        raise AssertionError

    def close(self) -> None:
        """Return to the safe state."""
        self.safe = True


@dataclass
class Place:
    """One lab: its folder, its bench, its clock, and a campaign with two offered trials."""

    folder: Path
    ledger: Ledger
    server: Server
    campaign: str
    bench: Bench
    said: list[str] = field(default_factory=list)
    now: float = 0.0
    file: StationFile = FILE

    def worker(self, outbox: Outbox, beats: Server | None = None) -> Worker:
        """Return a worker of this place."""
        bay = StationBay(self.file, self.folder / "dispensed.jsonl", self.bench.create)  # type: ignore[arg-type]
        return Worker(
            self.server, beats or self.server, self.file, "w1", outbox, bay,  # type: ignore[arg-type]
            self.said.append, lambda: self.now, poll=0.0,
        )  # fmt: skip

    def outbox(self) -> Outbox:
        """Open the outbox of this place."""
        return Outbox(self.folder / "outbox.db")

    def state(self, number: int = 1) -> str:
        """Return a trial's state."""
        return self.ledger.trial(self.campaign, number).state

    def types(self) -> list[str]:
        """Return the types of all events after the proposal."""
        return [e.type for e in self.ledger.events(self.campaign)][3:]


def offered(ledger: Ledger, trials: int = 2) -> str:
    """Record a served campaign and offer its trials one by one."""
    first = created().model_copy(update={"dispatch": "fleet"})
    campaign = ledger.create_with([first, ev.CampaignStarted()], actor="test")
    ledger.append(campaign, proposed(1, *range(1, trials + 1)), actor="test")
    with ledger.acquire(campaign) as owner:
        resolved = recorded_campaign(ledger.campaign(campaign))
        offers = Offers(ledger, campaign, resolved, owner.token)
        for trial in ledger.trials(campaign):
            offers.offer([trial])
    return campaign


def wait_for(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until another thread has done something, for `seconds` at most."""
    pause = threading.Event()
    for _ in range(int(100 * seconds)):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it never happened")
