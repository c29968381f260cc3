"""What every driver is: a name, an identity that says what is known of it, a safe state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Driver(Protocol):
    """A real device behind a capability.

    Public verbs may be repeated without harm: setting what is set changes nothing. Whatever was
    set is read back, and an answer that differs is a `DeviceFaultError`, never a silent clamp.
    """

    name: str

    def identify(self) -> Mapping[str, Any]:
        """Ask the device who it is; see `identity`."""
        ...

    def to_safe_state(self) -> None:
        """Bring the device where a person may walk away; may be called twice."""
        ...

    def confirm(self) -> None:
        """See that the device still does what it was last told; moves nothing.

        Raises:
            DeviceStoppedError: it says that it does not: stalled, empty, restarted, ...
            DeviceFaultError: it holds something else than it was told.
            DeviceTimeoutError: it does not answer.
        """
        ...

    def close(self) -> None:
        """Let go of the device. May be called twice."""
        ...


def identity(
    name: str,
    *,
    model: str,
    serial: str,
    driver: str,
    version: str,
    emulated: bool,
    firmware: str = "",
) -> dict[str, Any]:
    """Return what the record keeps of a device.

    `verified_on_hardware` is false until somebody has run the conformance suite on the device
    itself and says so in the driver's page.
    """
    return {
        "instrument": name,
        "model": model,
        "serial": serial,
        "firmware": firmware,
        "driver": driver,
        "driver_version": version,
        "simulated": emulated,
        "verified_on_hardware": False,
    }
