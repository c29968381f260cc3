"""A wire that ends under a driver is an error at once, and taken up where it comes back."""

import os
from time import monotonic

import pytest

from instruments.drivers.trials import TRIALS, Tried
from instruments.emulators.faults import ScriptedFaults, faults_of
from instruments.errors import DeviceTimeoutError, InstrumentError

NAMES = ("harvard_elite11", "coherent_obis", "julabo", "watlow_modbus")


@pytest.fixture
def ended(monkeypatch):
    """Makes the device of a trial whose wire ends with its first telegram."""
    made = []

    def first(self, drawn):
        return "end_of_file" if self._count == 1 else None

    def make(name, comes_back):
        monkeypatch.setattr(ScriptedFaults, "_kind", first)
        trial = TRIALS[name]
        tried = Tried(trial, {"end_of_file": 1.0, "comes_back": float(comes_back)})
        made.append(tried)
        device = next(iter(tried.devices.values()))
        within(trial, device)
        return trial, device

    yield make
    for tried in made:
        tried.close()


def within(trial, device):
    """What it is asked fails, with an unknown state, and in time."""
    began = monotonic()
    with pytest.raises(DeviceTimeoutError):
        trial.act(device, 1)
    assert monotonic() - began < trial.bound(), "it hangs"


@pytest.mark.parametrize("name", NAMES)
def test_a_device_that_is_gone_stays_an_error_and_never_hangs(ended, name):
    trial, device = ended(name, comes_back=False)
    within(trial, device)
    within(trial, device)


@pytest.mark.parametrize("name", NAMES)
def test_a_device_that_comes_back_is_taken_up_again(ended, name):
    trial, device = ended(name, comes_back=True)
    assert trial.right(trial.act(device, 2), 2)


def test_a_terminal_leaves_nothing_behind():
    tried = Tried(TRIALS["harvard_elite11"])
    address = tried._bench._ends["pumps"].address
    assert os.path.islink(address)
    tried.close()
    assert not os.path.exists(os.path.dirname(address))


@pytest.mark.parametrize(
    "said", [{"stall": 0.1}, {"lost": 0.6, "mute": 0.6}, {"lost": -0.1}, {"explode": 0.1}]
)
def test_faults_that_no_device_knows_and_odd_rates_are_refused(said):
    with pytest.raises(InstrumentError, match="faults of this part are"):
        faults_of(said)
