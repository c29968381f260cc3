"""A station served as SiLA 2, asked by the reference implementation's client."""

import math
import socket
import threading
from time import monotonic

import pytest

pytest.importorskip("sila2", reason="SiLA 2 needs the library sila2 (extra `sila`)")
from sila2.client import SilaClient
from sila2.framework import CommandExecutionStatus, DefinedExecutionError

from instruments import create_station
from instruments.errors import InstrumentError
from instruments.serving.runner import StationRunner
from instruments.serving.sila import StationServer
from instruments.station import AttemptKey

PATIENCE = 60.0
# The library's thread may offer a stream something after the client has cancelled it.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception in thread Subscription:pytest.PytestUnhandledThreadExceptionWarning"
)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


class Served:
    """A station on a server, and a client of it."""

    def __init__(self, station, safe_within=10.0, insecure=True):
        self.runner = StationRunner(station, safe_within)
        self.server = StationServer(self.runner, "lab-a")
        self.port = free_port()
        pem = self.server.start("127.0.0.1", self.port, insecure=insecure)
        more = {"insecure": True} if insecure else {"root_certs": pem.encode("ascii")}
        self.client = SilaClient("127.0.0.1", self.port, **more)
        self.feature = self.client.StationService

    def close(self):
        self.client.close()
        self.server.stop()

    def run(self, recipe, trial=1):
        """Run to the end; return the steps and a function that gives the responses or raises."""
        under_way = self.feature.RunRecipe(recipe, trial, 1)
        steps = []
        subscription = under_way.subscribe_to_intermediate_responses()
        for step in subscription:
            steps.append(step.Step)
        until(lambda: under_way.done)
        return steps, under_way


def until(true):
    deadline = monotonic() + PATIENCE
    while not true():
        assert monotonic() < deadline, "it never came true"
        threading.Event().wait(0.01)


@pytest.fixture
def served():
    made = []

    def make(*arguments, **more):
        made.append(Served(*arguments, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def _said(station, **changes):
    units = {p.name: p.unit for p in station.description.parameters}
    values = {p.name: p.default for p in station.description.parameters} | changes
    return [(n, str(v), units[n]) for n, v in values.items()], values


def test_it_lists_what_the_station_declares(served):
    station = create_station("topo_batch")
    feature = served(station).feature
    assert feature.StationName.get() == "topo_batch 1"
    found = {p.Name: p for p in feature.Parameters.get()}
    assert list(found) == [p.name for p in station.description.parameters]
    assert list(found["temperature"].Limits) == [20.0, 110.0]
    assert found["temperature"].Unit == "degC"
    assert list(found["caesium_ligand"].Choices) == ["dopa", "oleate"]
    assert list(found["caesium_ligand"].Limits) == []
    declared = [(o.name, o.unit) for o in station.description.observables]
    assert [(o.Name, o.Unit) for o in feature.Observables.get()] == declared
    assert feature.State.get() == "idle"


def test_a_conditional_parameter_says_when_it_exists(served):
    found = {p.Name: p for p in served(create_station("flow_synthesis")).feature.Parameters.get()}
    assert list(found["exchange_temperature"].Only)[0] == "halide_salt"
    assert list(found["halide_salt"].Only) == []


def test_a_check_names_every_broken_limit_and_moves_nothing(served):
    station = create_station("topo_batch")
    feature = served(station).feature
    recipe, _ = _said(station, topo_concentration=3.0)
    (broken,) = feature.CheckRecipe(recipe).Violations
    assert (broken.Name, broken.Amount, broken.Unit) == ("topo_concentration", "3.0", "mmol/L")
    assert "add TOPO" in broken.Message
    assert list(feature.CheckRecipe(_said(station)[0]).Violations) == []
    assert station.lab_time == 0.0


def test_a_run_over_an_encrypted_wire_gives_what_the_station_gives(served):
    station = create_station("topo_batch", {"hidden": 3})
    it = served(station, insecure=False)
    recipe, values = _said(station, reaction_time=20.0)
    steps, under_way = it.run(recipe)
    found = under_way.get_responses()
    assert under_way.status is CommandExecutionStatus.finishedSuccessfully
    alone = create_station("topo_batch", {"hidden": 3})
    alone.open()
    told = []
    measured = alone.run(values, AttemptKey(1, 1), told.append)
    analysis = alone.analyse(measured)
    assert steps and steps == told[-len(steps) :], "a late listener hears from the last step on"
    assert found.Verdict == analysis.verdict.kind
    assert {(q.Name, q.Amount) for q in found.Achieved} == {
        (n, str(v)) for n, v in measured.achieved.items()
    }
    ours = {o.Name: o for o in found.Observables}
    assert set(ours) == set(analysis.observables)
    for name, value in analysis.observables.items():
        assert ours[name].Amount == value.value or math.isnan(value.value)
        assert ours[name].StandardError == value.se or math.isnan(value.se)
        assert (ours[name].Unit, ours[name].Method) == (value.unit, value.method)


def _refused(under_way, name, words):
    with pytest.raises(DefinedExecutionError) as refused:
        under_way.get_responses()
    assert refused.value.identifier == name
    assert words in refused.value.message


def test_refusals_are_defined_execution_errors(served):
    station = create_station("topo_batch")
    it = served(station)
    recipe, _ = _said(station, topo_concentration=3.0)
    _refused(it.run(recipe)[1], "RecipeRefused", "add TOPO")
    recipe, _ = _said(station)
    _refused(it.run(recipe, trial=0)[1], "RecipeNotUnderstood", "counted from 1")
    _refused(it.run([*recipe, recipe[0]])[1], "RecipeNotUnderstood", "caesium_ligand twice")
    in_kelvins = [(n, v, "K" if n == "temperature" else u) for n, v, u in recipe]
    _refused(it.run(in_kelvins)[1], "RecipeNotUnderstood", "but came in 'K'")
    assert station.lab_time == 0.0


def test_dead_devices_are_named_before_anything_moves(served):
    part = {"driver": "harvard_elite11", "timeout": 0.1, "absent": ["toluene"]}
    station = create_station("flow_synthesis", {"instruments": {"pumps": part}})
    recipe = [
        (p.name, str(p.default), p.unit) for p in station.description.parameters if p.when is None
    ]
    _refused(served(station).run(recipe)[1], "StationNotReady", "toluene")


class Slow:
    """A station that waits at its first step until it is let go on."""

    def __init__(self):
        self._inner = create_station("topo_batch")
        self.description = self._inner.description
        self.at_step, self.go_on, self.closed = threading.Event(), threading.Event(), 0

    def open(self):
        self._inner.open()

    def check(self, recipe):
        return self._inner.check(recipe)

    def run(self, recipe, key, progress):
        def slowly(text):
            progress(text)
            self.at_step.set()
            assert self.go_on.wait(PATIENCE)

        return self._inner.run(recipe, key, slowly)

    def analyse(self, measurement):
        return self._inner.analyse(measurement)

    def close(self):
        self.closed += 1
        self._inner.close()


def test_a_cancelled_run_says_so_and_leaves_the_station_safe(served):
    station = Slow()
    it = served(station)
    recipe, _ = _said(station)
    assert it.feature.CancelRun().Cancelled is False
    under_way = it.feature.RunRecipe(recipe, 1, 1)
    assert station.at_step.wait(PATIENCE)
    assert it.feature.State.get() == "running"
    second = it.feature.RunRecipe(recipe, 2, 1)
    until(lambda: second.done)
    _refused(second, "StationBusy", "one recipe at a time")
    assert it.feature.CancelRun().Cancelled is True
    station.go_on.set()
    until(lambda: under_way.done)
    _refused(under_way, "RunCancelled", "cancelled before this")
    assert (station.closed, it.feature.State.get()) == (1, "idle")


def test_the_safe_state_ends_a_run_or_says_that_it_could_not(served):
    station = Slow()
    it = served(station, safe_within=0.2)
    recipe, _ = _said(station)
    under_way = it.feature.RunRecipe(recipe, 1, 1)
    assert station.at_step.wait(PATIENCE)
    with pytest.raises(DefinedExecutionError) as refused:
        it.feature.GoToSafeState()
    assert refused.value.identifier == "StationNotSafe"
    station.go_on.set()
    until(lambda: under_way.done)
    it.feature.GoToSafeState()
    assert station.closed == 1


def test_progress_is_known_from_the_second_run_on(served):
    station = create_station("topo_batch")
    it = served(station)
    recipe, _ = _said(station, reaction_time=5.0)
    it.run(recipe)
    slow = []
    inner = station.run

    def run(recipe, key, progress):
        def seen(text):
            progress(text)
            until(lambda: bool(under_way.progress))
            slow.append(under_way.progress)

        started.wait(PATIENCE)
        return inner(recipe, key, seen)

    station.run, started = run, threading.Event()
    under_way = it.feature.RunRecipe(recipe, 2, 1)
    started.set()
    until(lambda: under_way.done)
    under_way.get_responses()
    assert slow and all(0.0 < p < 1.0 for p in slow)


def test_a_port_that_is_taken_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = StationServer(StationRunner(create_station("topo_batch"), 1.0), "lab-a")
        with pytest.raises(InstrumentError, match="a free port"):
            server.start("127.0.0.1", taken.getsockname()[1], insecure=True)
        server.stop()
