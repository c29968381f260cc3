"""A worker loses nothing and does nothing twice, whatever fails around it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from sqlalchemy import text

from instruments import (
    AttemptKey,
    BatchStation,
    RecipeRefusedError,
    StationStoppedError,
    TrialFailedError,
    create_station,
)
from orchestrator.errors import ConflictError, DotpilotError, InputRefusedError, RemoteError
from orchestrator.fleet import Fleet, Result, result_document
from orchestrator.ledger import Ledger
from orchestrator.worker import (
    Outbox,
    StationFile,
    read_station_file,
    run_lease,
    with_station_file,
)
from orchestrator.worker._bottles import Bottles
from tests.worker.doubles import Bench, Place, Server, offered, wait_for


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with Ledger.open(f"sqlite:///{tmp_path / 'server.db'}?synchronous=normal") as ledger:
        server = Server(Fleet(ledger, lease_s=30.0))
        yield Place(tmp_path, ledger, server, offered(ledger), Bench())


def _once(place: Place, beats: Server | None = None) -> None:
    with place.outbox() as outbox:
        place.worker(outbox, beats).run(once=True)


def test_a_lease_becomes_a_measurement_bit_for_bit(place: Place) -> None:
    _once(place)
    assert place.types() == ["trial.dispatched", "trial.running", "trial.measured"]
    (spectrum,) = place.ledger.spectra(place.campaign, 1, 1)
    wanted = np.random.default_rng([1, 1]).random(40).astype(np.float32)
    assert spectrum.values.dtype == np.dtype("<f4") and np.array_equal(spectrum.values, wanted)
    trial = place.ledger.trial(place.campaign, 1)
    assert (trial.lab, trial.worker, trial.lab_time) == ("north", "w1", 60.0)
    assert place.bench.built == [("bench", None, 1)] and place.bench.safe
    (line,) = (place.folder / "dispensed.jsonl").read_text().splitlines()
    entry = json.loads(line)
    assert (entry["campaign"], entry["trial"], entry["attempt"]) == (place.campaign, 1, 1)
    _once(place)
    assert place.bench.restored[1] == {"clock": 60.0}, "the second trial finds the lab as left"


def test_a_lost_answer_to_a_result_is_sent_again_and_recorded_once(place: Place) -> None:
    place.server.lose.append("result")
    with pytest.raises(RemoteError):
        _once(place)
    assert place.bench.runs == 1
    with place.outbox() as outbox:
        assert len(outbox.unsent()) == 1
        worker = place.worker(outbox)
        worker.run(once=True)  # reports, then runs the second trial
        assert [e.answer for e in outbox.entries()] == ["done", "done"]
    assert place.types().count("trial.measured") == 2 and place.bench.runs == 2


def test_what_a_dead_process_began_is_unknown_and_not_run_again(place: Place) -> None:
    with place.outbox() as outbox:
        worker = place.worker(outbox)
        worker._register()
        lease = place.server.lease("w1", wait=0.0, lease_s=None, instance=outbox.identity)
        outbox.begin(lease)  # and here the process is killed
    _once(place)
    assert place.state(1) == "in_doubt" and place.state(2) == "measured"
    assert place.bench.runs == 1


def test_a_grant_whose_answer_was_lost_is_offered_again(place: Place) -> None:
    place.server.lose.append("lease")
    with pytest.raises(RemoteError):
        _once(place)
    assert place.state(1) == "dispatched"
    _once(place)
    _once(place)
    assert [place.state(n) for n in (1, 2)] == ["measured", "measured"]
    assert place.bench.runs == 2, "what was granted to nobody must not be lost, nor run twice"


@pytest.mark.parametrize("taken_up", [False, True])
def test_a_lease_that_a_rolled_back_outbox_does_not_know_is_never_run(
    place: Place, taken_up: bool
) -> None:
    """A second worker of one name with a copy of its outbox must not dispense again."""
    with place.outbox() as outbox, Outbox(place.folder / "other.db") as old:
        old.fresh, old.identity = False, outbox.identity
        first, second = place.worker(outbox), place.worker(old)
        first._register()
        lease = place.server.lease("w1", wait=0.0, lease_s=None, instance=outbox.identity)
        outbox.begin(lease)
        if taken_up:
            assert first._take_up(lease, {})
        second._turn()
        assert place.state(2) == "measured" and place.bench.runs == 1
        assert place.state(1) == ("in_doubt" if taken_up else "approved")
        if not taken_up:
            assert not first._take_up(lease, {}), "only one of them may go on"


def _silent(place: Place) -> None:
    """Let the server have heard from nobody for long."""
    with place.ledger.engine.execution_options(write=True).begin() as connection:
        connection.execute(text("UPDATE worker SET seen = 1"))


def test_a_second_worker_of_one_name_is_refused_while_the_first_is_heard_from(
    place: Place,
) -> None:
    """Two stations under one name would give back, and doubt, each other's leases."""
    with place.outbox() as outbox, Outbox(place.folder / "other.db") as other:
        first, second = place.worker(outbox), place.worker(other)
        place.server.lose.append("lease")
        with pytest.raises(RemoteError):
            first.run(once=True)  # holds a lease that it does not know of
        with pytest.raises(ConflictError, match=r"held by another \(host .*--name"):
            second.run(once=True)
        assert place.state(1) == "dispatched" and place.bench.runs == 0
        _silent(place)
        second._register()
        assert place.server.lease("w1", wait=0.0, lease_s=None, instance=other.identity)
        with pytest.raises(ConflictError, match="held by another"):
            first.run(once=True)  # it was away for long, and has lost its name
        assert place.state(2) == "dispatched", "it may not touch the other one's lease"


def test_a_worker_takes_its_name_over_at_once_after_its_own_death(place: Place) -> None:
    identity = ""
    for runs in (1, 2):
        with place.outbox() as outbox:
            assert identity in ("", outbox.identity)
            identity = outbox.identity
            assert place.worker(outbox)._turn()
        assert place.bench.runs == runs


def test_without_its_outbox_a_worker_does_not_know_whether_a_held_lease_ran(place: Place) -> None:
    place.server.lose.append("lease")
    with pytest.raises(RemoteError):
        _once(place)
    (place.folder / "outbox.db").unlink()
    _silent(place)
    with place.outbox() as outbox:
        assert place.worker(outbox)._turn()
    assert place.state(1) == "in_doubt" and place.state(2) == "measured"
    assert place.bench.runs == 1


def _until_broken_off(progress: Callable[[str], None]) -> None:
    def tick() -> bool:
        progress("pumping")
        return False

    wait_for(tick)


def test_cancel_breaks_the_run_off_and_leaves_a_doubt(place: Place) -> None:
    def act(progress: Callable[[str], None]) -> None:
        place.server.fleet.cancel(place.campaign)
        _until_broken_off(progress)

    place.bench.act = act
    _once(place)
    assert place.state(1) == "in_doubt" and place.bench.safe
    assert any("asked to break off" in line for line in place.said)


def test_a_run_outlasts_a_short_silence_and_its_result_is_kept(place: Place) -> None:
    beats = Server(place.server.fleet, down=True)

    def act(progress: Callable[[str], None]) -> None:
        wait_for(lambda: beats.calls.count("heartbeat") > 1)
        place.now += 4.0
        progress("measuring")
        place.server.down = True

    place.bench.act = act
    with place.outbox() as outbox:
        with pytest.raises(RemoteError):
            place.worker(outbox, beats).run(once=True)
        assert place.bench.safe and place.state(1) == "running"
        (kept,) = outbox.unsent()
        assert kept.route == "result"
        place.server.down, place.bench.act = False, None
        place.worker(outbox).run(once=True)
    assert place.state(1) == "measured"


def test_a_long_silence_brings_the_station_to_its_safe_state(place: Place) -> None:
    beats = Server(place.server.fleet, down=True)

    def act(progress: Callable[[str], None]) -> None:
        wait_for(lambda: beats.calls.count("heartbeat") > 0)
        place.now += 5.1
        _until_broken_off(progress)

    place.bench.act = act
    _once(place, beats)
    assert place.bench.safe and place.state(1) == "in_doubt"
    assert any("no contact for 5 s" in line for line in place.said)


def test_the_result_of_a_lapsed_lease_is_evidence(place: Place) -> None:
    def act(progress: Callable[[str], None]) -> None:
        with place.ledger.writing() as cursor:
            cursor.execute("UPDATE lease SET expires = 0 WHERE state = 'leased'")
        assert place.server.fleet.sweep() == 1

    place.bench.act = act
    _once(place)
    assert place.state(1) == "in_doubt"
    (late,) = place.server.fleet.late_results(place.campaign, 1)
    assert (late.worker, late.attempt) == ("w1", 1)
    assert any("kept as evidence" in line for line in place.said)


@pytest.mark.parametrize(
    ("error", "state", "ends"),
    [
        (TrialFailedError("clogged", "the line clogged", {"fouling": 1.0}), "failed", False),
        (RecipeRefusedError([]), "running", False),
        (StationStoppedError("lamp out"), "in_doubt", True),
        (ValueError("a bug"), "in_doubt", True),
    ],
)
def test_what_a_station_raises_is_told_apart(
    place: Place, error: Exception, state: str, ends: bool
) -> None:
    def act(progress: Any) -> None:
        raise error

    place.bench.act = act
    if ends:
        with pytest.raises(DotpilotError, match="needs a person"):
            _once(place)
    else:
        _once(place)
    assert place.bench.safe
    if not isinstance(error, RecipeRefusedError):
        assert place.state(1) == state
    if state == "failed":
        trial = place.ledger.trial(place.campaign, 1)
        assert (trial.failure, trial.station_state) == ("clogged", {"fouling": 1.0})


def test_an_abort_is_an_unknown_outcome_on_disk_before_the_process_ends(place: Place) -> None:
    def act(progress: Any) -> None:
        place.server.down = True
        raise KeyboardInterrupt

    place.bench.act = act
    with place.outbox() as outbox:
        with pytest.raises((KeyboardInterrupt, RemoteError)):
            place.worker(outbox).run(once=True)
        assert place.bench.safe
        assert [(e.route, (e.body or {})["kind"]) for e in outbox.unsent()] == [
            ("fail", "unknown")
        ]


def test_a_lease_that_comes_while_draining_goes_back_untouched(place: Place) -> None:
    with place.outbox() as outbox:
        worker = place.worker(outbox)
        ask = place.server.lease

        def lease(name: str, **more: Any) -> Any:
            worker.drain("SIGTERM")
            return ask(name, **more)

        place.server.lease = lease  # type: ignore[method-assign]
        worker.run()
    assert place.state(1) == "approved" and place.bench.runs == 0


def test_a_station_has_one_worker_at_a_time(place: Place) -> None:
    with place.outbox(), pytest.raises(ConflictError, match="one worker at a time"):
        place.outbox()


def test_an_outbox_must_be_one(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database " * 200)
    with pytest.raises(InputRefusedError, match="outbox"):
        Outbox(tmp_path / "text")


@pytest.mark.parametrize(
    "damage",
    [
        "body = '{'",
        "body = '[]'",
        "body = NULL",
        "route = 'nowhere'",
        "route = NULL, document = '{'",
        "document = '{}'",
    ],
)
def test_a_damaged_row_holds_nothing_back(place: Place, damage: str) -> None:
    """One row that cannot be read must not keep the results after it from the server."""
    with place.outbox() as outbox:
        place.worker(outbox)._register()
        for _ in range(2):
            lease = place.server.lease("w1", wait=0.0, lease_s=None, instance=outbox.identity)
            outbox.begin(lease)
            body = {"fence": lease["fence"], "reason": "nothing moved"}
            outbox.conclude(lease["lease"], lease["fence"], "return", body)
        outbox._database.execute(f"UPDATE run SET {damage} WHERE number = 1")
        worker = place.worker(outbox)
        worker.drain("test")
        worker.run()
        assert outbox.unsent() == [] and outbox.unfinished() == []
        kept = outbox._database.execute("SELECT answer FROM run ORDER BY number").fetchall()
    assert kept[0][0].startswith("damaged") and kept[1:] == [("offered",)]
    assert sum("DAMAGED" in line for line in place.said) == 1


EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    "path", sorted((EXAMPLES / "stations").glob("*.yaml")), ids=lambda p: p.stem
)
def test_the_examples_own_their_stations(path: Path) -> None:
    if path.stem == "bench_by_hand":
        with pytest.raises(InputRefusedError, match="dotpilot ask"):
            read_station_file(path)
        return
    assert read_station_file(path).safe_within > 0


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("station: flow_synthesys\nlab: a", "did you mean"),
        ("station: flow_synthesis\nlab: a\ncolour: red", "colour"),
        ("station: flow_synthesis\nlab: a\nsafe_within: -1", "safe_within"),
        ("station: flow_synthesis\nlab: a\nsimulated: {model: fuller}", "fuller"),
        ("station: flow_synthesis", "lab"),
    ],
)
def test_a_bad_station_file_is_refused(tmp_path: Path, text: str, word: str) -> None:
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(InputRefusedError, match=word):
        read_station_file(tmp_path / "s.yaml")


def test_a_local_launch_runs_as_the_station_that_is_named() -> None:
    hidden = StationFile(station="flow_synthesis", lab="a", simulated={"hidden": 7})
    campaign: dict[str, Any] = {"station": "flow_synthesis"}
    assert with_station_file(campaign, hidden)["lab"] == {"hidden": 7}
    full = {**campaign, "lab": {"hidden": 7, "model": "full"}}
    assert with_station_file(full, hidden)["lab"] == full["lab"]
    with pytest.raises(InputRefusedError, match="hidden"):
        with_station_file({**campaign, "lab": {"hidden": 8}}, hidden)
    with pytest.raises(InputRefusedError, match="larp_plate"):
        with_station_file({"station": "larp_plate"}, hidden)


def test_a_plate_is_run_as_one_and_comes_back_bit_for_bit(tmp_path: Path) -> None:
    recipes = [
        {**{p.name: p.default for p in create_station("larp_plate").description.parameters
            if p.when is None}, "amine_acid_ratio": ratio, "characterisation": "reader"}
        for ratio in (0.2, 0.6)
    ]  # fmt: skip
    members = [{"trial": n, "attempt": 1, "recipe": r} for n, r in enumerate(recipes, start=1)]
    lease = {"members": members, "fence": 3}
    here, there = (create_station("larp_plate", {"hidden": 4}, seed=1) for _ in range(2))
    for station in (here, there):
        station.open()
        station.restore({})
    with Outbox(tmp_path / "outbox.db") as outbox:
        bottles = Bottles(StationFile(station="larp_plate", lab="a"), outbox)
        outcome = run_lease({**lease, "lease": "l1"}, there, lambda _: None, bottles)
    keys = [AttemptKey(1, 1), AttemptKey(2, 1)]
    alone = cast(BatchStation, here).run_batch(recipes, keys)
    assert outcome.route == "result" and outcome.body["fence"] == 3
    for measured, document in zip(alone, outcome.body["results"], strict=True):
        key = (document["trial"], document["attempt"], document["lab_time"])
        drawn = bottles.labelled(measured.doses)
        assert drawn, "a plate draws something"
        assert document == result_document(measured, *key, drawn), "one shape at both ends"
        travelled = Result.model_validate(json.loads(json.dumps(document)))
        arrived = travelled.measurement(measured.requested)
        assert [s.name for s in arrived.spectra] == [s.name for s in measured.spectra]
        for a, b in zip(arrived.spectra, measured.spectra, strict=True):
            assert a.values.dtype == b.values.dtype and np.array_equal(a.values, b.values)
        assert (arrived.conditions, arrived.station_state) == (
            measured.conditions, measured.station_state
        )  # fmt: skip
