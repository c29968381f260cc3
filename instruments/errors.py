"""Refusals and failures of stations.

InstrumentError
├── UnknownStationError   no station of that name is installed
├── RecipeRefusedError    a recipe outside what the station can do; nothing has moved
├── TrialFailedError      a defined, informative failure while a recipe ran (clogged, no emission)
├── StationStoppedError   the station cannot go on without a person
├── DetectorFileError     a detector's file cannot be read or written
│   └── IncompleteFileError   it ends early, and may still be written
└── DeviceError           a real device, or the emulator that stands for it
    ├── DeviceRefusedError    it refused; nothing has happened and its state is known
    ├── DeviceTimeoutError    no whole answer in time: its state is unknown
    └── DeviceFaultError      it reports a fault, or an answer that cannot be true
        └── DeviceStoppedError    it says that it no longer does what it was told
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from instruments.station import Violation


class InstrumentError(Exception):
    """Base of every refusal and failure of this package: rule, what came, remedy."""


class UnknownStationError(InstrumentError):
    """No station of that name is installed."""


class RecipeRefusedError(InstrumentError):
    """The recipe breaks a limit of the station; nothing has moved."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        self.violations = tuple(violations)
        super().__init__("; ".join(v.message for v in violations))


class TrialFailedError(InstrumentError):
    """The trial ended in a defined failure; `reason` is a stable slug, such as `clogged`.

    `station_state` is what the station carries on after the failure (None where it carries
    nothing); recorded, it lets a resumed campaign restore the station as the failure left it.
    """

    def __init__(
        self, reason: str, message: str, station_state: Mapping[str, Any] | None = None
    ) -> None:
        self.reason = reason
        self.station_state = station_state
        super().__init__(message)


class StationStoppedError(InstrumentError):
    """The station is in its safe state and needs a person before the next trial."""


class DetectorFileError(InstrumentError):
    """A detector's file cannot be read or written."""


class IncompleteFileError(DetectorFileError):
    """A detector's file ends early; it may still be written."""


class DeviceError(InstrumentError):
    """A device did not do what it was asked to."""


class DeviceRefusedError(DeviceError):
    """The device refused; nothing has happened, and its state is as it was."""


class DeviceTimeoutError(DeviceError):
    """No whole answer came in time; whether the device acted is unknown."""


class DeviceFaultError(DeviceError):
    """The device reports a fault, or answers what cannot be true; its state is unknown."""


class DeviceStoppedError(DeviceFaultError):
    """The device says that it no longer does what it was told: stalled, empty, or restarted."""
