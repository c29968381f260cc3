"""A line whose pumps, streams and lamp fail makes no wrong observable that anybody accepts."""

import math

import numpy as np
import pytest

from instruments import create_station
from instruments.errors import (
    DeviceError,
    DeviceStoppedError,
    InstrumentError,
    StationStoppedError,
    TrialFailedError,
)
from instruments.flow_synthesis import FlowSynthesisStation
from instruments.station import AttemptKey
from surrogate_sim.plants.flow import Troubles


def station(pumps=None, spectrometer=None):
    parts = {"pumps": {"driver": "harvard_elite11", "timeout": 0.2, "faults": pumps or {}}}
    if spectrometer:
        parts["spectrometer"] = {"driver": "ocean_hdx", "faults": spectrometer}
    return create_station("flow_synthesis", {"hidden": 11, "instruments": parts})


def recipe(of):
    return {p.name: p.default for p in of.description.parameters if p.when is None}


def attempts(of, count):
    """What came of each attempt: its analysis, or the error that ended it."""
    found = []
    of.open()
    try:
        for number in range(1, count + 1):
            try:
                found.append(of.analyse(of.run(recipe(of), AttemptKey(number, 1))))
            except InstrumentError as error:
                found.append(error)
    finally:
        of.close()
    return found


@pytest.fixture(scope="module")
def sound():
    (analysis,) = attempts(station(), 1)
    return analysis.observables


def agrees(analysis, sound):
    for name in ("peak_emission", "emission_fwhm", "plqy"):
        ours, theirs = analysis.observables[name], sound[name]
        if abs(ours.value - theirs.value) > 4.0 * math.hypot(ours.se, theirs.se):
            return False
    return not analysis.verdict.failure


def test_air_in_a_line_is_repeated_and_never_accepted_as_a_wrong_observable(sound):
    """At 20 bubbles per hour two of three attempts meet one."""
    found = attempts(station({"seed": 1, "bubble": 20.0}), 30)
    analyses = [f for f in found if not isinstance(f, Exception)]
    accepted = [a for a in analyses if a.verdict.kind.startswith("accept")]
    assert all(agrees(a, sound) for a in accepted)
    assert 5 <= len(accepted) <= 20
    repeated = [a for a in analyses if a.verdict.kind == "repeat"]
    assert len(repeated) >= 10
    assert all("air in the lines" in " ".join(a.verdict.reasons) for a in repeated)
    stopped = [f for f in found if isinstance(f, Exception)]
    assert all(isinstance(e, StationStoppedError) for e in stopped)


def test_a_line_that_clogs_fails_the_trial_by_name():
    for error in attempts(station({"seed": 2, "clog": 60.0}), 3):
        assert isinstance(error, TrialFailedError)
        assert error.reason == "clogged"


def test_a_lamp_that_fades_is_corrected_by_the_reference_dye(sound):
    """At half of its light per hour, ten trials lose a third; the yield stays what it was."""
    found = attempts(station(spectrometer={"lamp_drift": 0.5}), 6)
    assert all(agrees(analysis, sound) for analysis in found)
    rates = [a.observables["intensity"].value for a in found]
    assert rates[-1] < 0.9 * rates[0], "the lamp has not faded"


@pytest.mark.parametrize(
    "kind", ["stall", "empty", pytest.param("power_cycle", marks=pytest.mark.slow)]
)
def test_a_pump_that_stands_still_ends_the_attempt_by_its_name(kind, sound):
    found = attempts(station({"seed": 4, "spare": 300, kind: 0.012}), 12)
    ended = [f for f in found if isinstance(f, Exception)]
    assert ended and all(isinstance(e, DeviceError) for e in ended)
    assert any(isinstance(e, DeviceStoppedError) for e in ended)
    assert all("pump_" in str(e) for e in ended)
    accepted = [f for f in found if not isinstance(f, Exception)]
    assert accepted and all(agrees(a, sound) for a in accepted)


class Dry(FlowSynthesisStation):
    """A line with a stock whose syringe holds air alone, which its pump does not know."""

    def _build_rig(self, plant, key):
        rig = super()._build_rig(plant, key)
        troubles = Troubles()
        troubles._air = {"caesium_c18": 1e6}
        plant.suffer(troubles)
        return rig


def test_a_pump_that_brings_nothing_although_it_runs_stops_the_station_by_its_name():
    of = Dry()
    of.open()
    with pytest.raises(StationStoppedError, match="pump_caesium_c18.*fill the syringe"):
        of.run(recipe(of), AttemptKey(1, 1))


def test_troubles_come_at_their_rate_and_alike_for_a_seed():
    def times(seed):
        made = Troubles(np.random.default_rng(seed), bubble=2.0)
        made.begin(0.0)
        found, clock = [], 0.0
        for _ in range(4000):
            step = made.until_change(clock, {"a": 1.0})
            clock += step
            before = made.has_air("a")
            made.pass_time(clock, step, {"a": 1.0}, clock)
            if made.has_air("a") and not before:
                found.append(clock)
        return found, clock

    found, clock = times(3)
    assert times(3) == (found, clock)
    assert len(found) / (clock / 3600.0) == pytest.approx(2.0, rel=0.1)
    assert times(4) != (found, clock)
