"""Conformance suite of drivers: inherit `DriverConformance` and name how the driver is tried.

    class TestMine(DriverConformance):
        trial = Trial(driver="mine", part="thermostat", ...)

Every promise of `instruments.drivers.driver.Driver` has a test here. Run as a module it prints the
table of drivers by faults that docs/reference/drivers/README.md holds, or writes it there:
`python -m instruments.drivers.testing docs/reference/drivers/README.md`.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import ClassVar

import pytest

from instruments.drivers.driver import Driver
from instruments.drivers.trials import TRIALS, Trial, Tried, outcomes
from instruments.emulators.faults import DEVICE, KINDS, Kind
from instruments.errors import DeviceError, DeviceTimeoutError, InstrumentError
from instruments.stopping import make_safe

KEYS = {
    "instrument",
    "model",
    "serial",
    "firmware",
    "driver",
    "driver_version",
    "simulated",
    "verified_on_hardware",
}
ERRORS = {
    "DeviceTimeoutError": "timeout",
    "DeviceStoppedError": "stopped",
    "DeviceFaultError": "fault",
    "DeviceRefusedError": "refusal",
}
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"


class DriverConformance:
    """Tests that every driver passes on its emulated wire."""

    trial: ClassVar[Trial]

    @pytest.fixture
    def tried(self) -> Iterator[Tried]:
        made = Tried(self.trial)
        for device in made.devices.values():
            device.identify()
            self.trial.setup(device)
        yield made
        made.close()

    def test_it_may_be_opened_and_let_go_twice(self) -> None:
        for _ in range(2):
            made = Tried(self.trial)
            for device in made.devices.values():
                device.identify()
            for device in (*made.devices.values(), *made.devices.values()):
                device.close()
            made.close()
            made.close()

    def test_it_says_what_it_is(self, tried: Tried) -> None:
        for device in tried.devices.values():
            assert isinstance(device, Driver)
            said = device.identify()
            assert set(said) >= KEYS
            assert said["instrument"] == device.name
            assert said["driver"] == self.trial.driver
            assert said["model"] and said["simulated"] is True
            assert said["verified_on_hardware"] is False

    def test_what_is_set_is_what_the_instrument_behind_it_does(self, tried: Tried) -> None:
        """The unit is right, too: the stand-in counts in the capability's."""
        for turn in range(1, 7):
            for name, device in tried.devices.items():
                said = self.trial.act(device, turn)
                assert self.trial.right(said, turn)
                assert self.trial.right(self.trial.truth(tried.stand_ins[name]), turn)

    def test_a_verb_may_be_repeated(self, tried: Tried) -> None:
        (name, device), *_ = tried.devices.items()
        assert self.trial.act(device, 3) == self.trial.act(device, 3)
        assert self.trial.right(self.trial.truth(tried.stand_ins[name]), 3)

    def test_it_is_safe_and_may_be_made_so_twice(self, tried: Tried) -> None:
        for name, device in tried.devices.items():
            device.to_safe_state()
            self.trial.act(device, 2)
            device.to_safe_state()
            device.to_safe_state()
            assert self.trial.safe(tried.stand_ins[name])

    def test_what_the_limits_forbid_is_refused_and_changes_nothing(self, tried: Tried) -> None:
        (name, device), *_ = tried.devices.items()
        self.trial.act(device, 2)
        with pytest.raises(InstrumentError) as refused:
            self.trial.forbid(device)
        assert not isinstance(refused.value, DeviceTimeoutError)
        assert self.trial.right(self.trial.truth(tried.stand_ins[name]), 2)

    def test_a_stop_in_the_middle_of_an_action_leaves_it_safe(self, tried: Tried) -> None:
        name, device = next(iter(tried.devices.items()))
        failures: list[BaseException] = []

        def work() -> None:
            try:
                self.trial.act(device, 4)
            except DeviceError:
                return
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        make_safe({name: device})
        thread.join()
        assert not failures
        assert make_safe({name: device}) == {}
        assert self.trial.safe(tried.stand_ins[name])

    def test_a_device_that_is_closed_is_not_reached(self, tried: Tried) -> None:
        device = next(iter(tried.devices.values()))
        device.close()
        with pytest.raises(InstrumentError):
            self.trial.act(device, 1)

    def test_a_silent_device_is_unknown_within_its_timeout(self) -> None:
        made = Tried(self.trial, {"lost": 1.0})
        try:
            for device in made.devices.values():
                began = monotonic()
                with pytest.raises(DeviceTimeoutError):
                    self.trial.act(device, 1)
                assert monotonic() - began < self.trial.bound()
        finally:
            made.close()

    @pytest.mark.parametrize("kind", DEVICE)
    def test_its_emulator_knows_the_faults_that_it_is_tried_under(self, kind: Kind) -> None:
        """A station file must not ask for a fault that would then never come."""
        if kind in self.trial.suffers:
            Tried(self.trial, {kind: 0.0}).close()
        else:
            with pytest.raises(InstrumentError, match="faults of this part are"):
                Tried(self.trial, {kind: 0.0})

    def test_what_it_holds_can_be_confirmed_and_that_changes_nothing(self, tried: Tried) -> None:
        name, device = next(iter(tried.devices.items()))
        for turn in (2, 5):
            said = self.trial.act(device, turn)
            device.confirm()
            assert self.trial.right(said, turn)
            assert self.trial.right(self.trial.truth(tried.stand_ins[name]), turn)
        device.to_safe_state()
        device.confirm()
        assert self.trial.safe(tried.stand_ins[name])

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_fault_is_an_error_and_never_a_wrong_value(self, kind: Kind) -> None:
        if kind not in self.trial.kinds:
            pytest.skip(f"{self.trial.driver} does not know {kind}")
        found = outcomes(self.trial, kind)
        assert set(found) <= {"right", *ERRORS}
        assert found.get("right", 0) > 0, "it never recovers"
        if kind != "wrong_unit":  # an answer that states its unit may be converted
            assert set(found) & set(ERRORS), "no fault has struck"


def row(trial: Trial) -> str:
    """Return a driver's line of the table."""
    cells = []
    for kind in KINDS:
        if kind not in trial.kinds:
            cells.append(trial.blind.get(kind, "—"))
            continue
        found = outcomes(trial, kind)
        bad = sorted(set(found) - {"right", *ERRORS})
        told = bad or [text for name, text in ERRORS.items() if name in found] or ["right"]
        cells.append(" or ".join(told))
    return f"| `{trial.driver}` | {' | '.join(cells)} |"


def table() -> str:
    """Return the table of drivers by faults, in Markdown."""
    head = f"| driver | {' | '.join(KINDS)} |\n|---|{'---|' * len(KINDS)}"
    return "\n".join([head, *(row(TRIALS[name]) for name in sorted(TRIALS))])


def within(page: str) -> str:
    """Return the table that a page holds.

    Raises:
        InstrumentError: the page has no place for one.
    """
    found = re.search(f"{BEGIN}\n(.*)\n{END}", page, re.DOTALL)
    if found is None:
        raise InstrumentError(f"the page must have {BEGIN} and {END} around its table")
    return found[1]


def main(arguments: list[str]) -> None:
    """Print the table, or write it into a page."""
    made = table()
    if not arguments:
        print(made)
        return
    page = Path(arguments[0])
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace(within(text), made), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
