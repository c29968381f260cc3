"""One station for callers in several threads: one run at a time, cancelled at its next step."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Literal

from instruments.errors import DeviceError, InstrumentError, StationStoppedError
from instruments.station import Analysis, AttemptKey, Measurement, Recipe, Station

State = Literal["idle", "running", "stopped"]


class BusyError(InstrumentError):
    """Another run is under way; nothing has changed."""


class CancelledError(InstrumentError):
    """The run was ended before its measurement."""


class NotReadyError(InstrumentError):
    """The station could not be opened; nothing has moved."""


class StationRunner:
    """Opens a station when it is needed and runs one recipe at a time on it.

    Args:
        station: Not open yet; nobody else uses it.
        safe_within: Longest wait for a run to end when the safe state is asked for [s].
    """

    def __init__(self, station: Station, safe_within: float) -> None:
        self.station, self._safe_within = station, safe_within
        self._free = threading.Condition()
        self._busy = self._cancelled = False  # guarded by `_free`, as a run and its end race
        self._open = self._stopped = False

    @property
    def state(self) -> State:
        """Whether it runs, rests, or waits for a person."""
        if self._busy:
            return "running"
        return "stopped" if self._stopped else "idle"

    def run(
        self, recipe: Recipe, key: AttemptKey, say: Callable[[str], None]
    ) -> tuple[Measurement, Analysis]:
        """Make, measure and analyse one recipe.

        Args:
            recipe: Complete, in the declared units.
            key: Trial and attempt.
            say: Told in words what is being done.

        Raises:
            BusyError: another run is under way.
            CancelledError: it was cancelled; the station is in its safe state.
            NotReadyError: the station could not be opened; nothing has moved.
            StationStoppedError: a person is needed, now or since an earlier run.
            InstrumentError: see `Station.run`; after a lost device it is in its safe state.
        """
        if not self._take(0.0):
            raise BusyError("a station runs one recipe at a time, and one is under way; wait")
        try:
            return self._run(recipe, key, say)
        finally:
            self._give_back()

    def cancel(self) -> bool:
        """End the run under way at its next step; tell whether there was one."""
        with self._free:
            self._cancelled = self._busy
            return self._busy

    def make_safe(self) -> None:
        """End the run under way, bring every instrument to its safe state and let go of it.

        Raises:
            StationStoppedError: the run does not end in time, or instruments do not confirm.
        """
        self.cancel()
        if not self._take(self._safe_within):
            raise StationStoppedError(
                f"the run must end within {self._safe_within:g} s of its cancellation, but is "
                "still at one step; stop the devices with `dotpilot station stop`, or by hand"
            )
        try:
            self._stopped = False
            self._close()
        finally:
            self._give_back()

    def _take(self, patience: float) -> bool:
        with self._free:
            if not self._free.wait_for(lambda: not self._busy, patience):
                return False
            self._busy, self._cancelled = True, False
            return True

    def _give_back(self) -> None:
        with self._free:
            self._busy = False
            self._free.notify_all()

    def _run(
        self, recipe: Recipe, key: AttemptKey, say: Callable[[str], None]
    ) -> tuple[Measurement, Analysis]:
        if self._stopped:
            raise StationStoppedError(
                "the station was stopped and needs a person; look at it, then ask for its safe "
                "state to begin anew"
            )

        def progress(text: str) -> None:
            if self._cancelled:
                raise CancelledError(f"the run was cancelled before this: {text}")
            say(text)

        self._be_open()
        try:
            made = self.station.run(recipe, key, progress)
        except StationStoppedError:
            self._stopped = True
            raise
        except (CancelledError, DeviceError):
            self._close()
            raise
        return made, self.station.analyse(made)

    def _be_open(self) -> None:
        if self._open:
            return
        try:
            self.station.open()
        except InstrumentError as error:
            raise NotReadyError(str(error)) from error
        self._open = True

    def _close(self) -> None:
        if not self._open:
            return
        self._open = False
        try:
            self.station.close()
        except StationStoppedError:
            self._stopped = True
            raise


def checked_recipe(
    station: Station, said: Mapping[str, tuple[str, str]]
) -> dict[str, float | int | str]:
    """Return a recipe whose amounts came as text, with their units.

    Args:
        station: Declares names, kinds and units.
        said: Amount and unit by name.

    Raises:
        ValueError: every name that is not declared, amount that is no number, or unit that is
            not the declared one.
    """
    declared = {p.name: p for p in station.description.parameters}
    recipe: dict[str, float | int | str] = {}
    problems: list[str] = []
    for name, (amount, unit) in said.items():
        parameter = declared.get(name)
        if parameter is None:
            problems.append(f"a parameter must be one of {', '.join(declared)}, but got {name!r}")
        elif unit != parameter.unit:
            problems.append(f"{name} must be in {parameter.unit!r}, but came in {unit!r}")
        elif parameter.kind == "categorical":
            recipe[name] = amount
        else:
            try:
                recipe[name] = int(amount) if parameter.kind == "integer" else float(amount)
            except ValueError:
                problems.append(f"{name} must be a number ({parameter.kind}), but got {amount!r}")
    if problems:
        raise ValueError("; ".join(problems))
    return recipe
