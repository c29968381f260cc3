"""Fluigent's library of C functions, as a host process serves it (`instruments.drivers.host`).

The vendor gives it away on GitHub (Fluigent/fgt-SDK, Apache-2.0); dotpilot does not bring it.
Signatures and error numbers are those of its own Python module, of 2024-12-18.
"""

from __future__ import annotations

import ctypes
from typing import Any

from instruments.errors import DeviceFaultError, DeviceRefusedError, InstrumentError

UNIT = "mbar"
MOST_CHANNELS = 256  # that the library's lists have
_TEXT = 140  # bytes of a unit's name
_MFCS_EZ, _SERIAL, _MODULES = 2, 1000, (5, 5, 0, 0)  # vendor's simulated controller, 2 channels
_ERRORS = (
    "OK", "USB error", "wrong command", "no module at index", "wrong module", "module is asleep",
    "master error", "not every instrument could be initialised", "wrong parameter",
    "overpressure", "underpressure", "no instrument found", "no modules found",
    "no pressure controller found", "calibrating", "a library that it needs is absent",
    "processing",
)  # fmt: skip
_REFUSALS = (3, 8)


class _Channel(ctypes.Structure):
    _fields_ = (
        ("controller", ctypes.c_ushort),
        ("firmware", ctypes.c_ushort),
        ("serial", ctypes.c_ushort),
        ("position", ctypes.c_uint),
        ("index", ctypes.c_uint),
        ("identifier", ctypes.c_uint),
        ("kind", ctypes.c_uint),
    )


class Library:
    """The library with its controllers.

    Args:
        path: Of the shared object.
        simulated: Whether to take the vendor's simulated controller instead of those on USB.

    Raises:
        InstrumentError: it cannot be loaded.
        DeviceFaultError: no controller answers.
    """

    def __init__(self, path: str, simulated: bool) -> None:
        try:
            self._library = ctypes.CDLL(path)
        except OSError as error:
            raise InstrumentError(
                f"`library` must be Fluigent's shared object (libfgt_SDK.so), but {error}; get it "
                "from github.com/Fluigent/fgt-SDK"
            ) from error
        if simulated:
            modules = (ctypes.c_int * len(_MODULES))(*_MODULES)
            kind, serial = ctypes.c_int(_MFCS_EZ), ctypes.c_ushort(_SERIAL)
            made = (kind, serial, ctypes.c_ushort(0), modules, ctypes.c_int(len(_MODULES)))
            self._call("create_simulated_instr", *made)
        self._call("init")
        self.channels()  # so that a process that took another's place counts in mbar, too

    def channels(self) -> list[dict[str, Any]]:
        """Return every channel's controller, serial number, firmware and range [mbar]."""
        table = (_Channel * MOST_CHANNELS)()
        self._call("get_pressureChannelsInfo", table)
        found = [c for c in table if c.identifier != 0]
        for place in range(len(found)):
            self._count_in_millibars(place)
        return [
            {
                "controller": c.controller,
                "serial": c.serial,
                "firmware": c.firmware,
                "kind": c.kind,
                "range": self._range(place),
            }
            for place, c in enumerate(found)
        ]

    def set_pressure(self, channel: int, pressure: float) -> None:
        """Set a channel's pressure [mbar]."""
        self._call("set_pressure", ctypes.c_uint(channel), ctypes.c_float(pressure))

    def read_pressure(self, channel: int) -> float:
        """Measured pressure of a channel [mbar]."""
        found = ctypes.c_float()
        self._call("get_pressure", ctypes.c_uint(channel), ctypes.byref(found))
        return float(found.value)

    def close(self) -> None:
        """Let go of the controllers."""
        self._call("close")

    def _count_in_millibars(self, channel: int) -> None:
        unit = ctypes.create_string_buffer(UNIT.encode("ascii"))
        self._call("set_pressureUnit", ctypes.c_uint(channel), unit)
        held = ctypes.create_string_buffer(_TEXT)
        self._call("get_pressureUnit", ctypes.c_uint(channel), held)
        if held.value.decode("ascii", "replace") != UNIT:
            raise DeviceFaultError(
                f"channel {channel} must count in {UNIT}, which it was set to, but says "
                f"{held.value!r}; look at the controller"
            )

    def _range(self, channel: int) -> tuple[float, float]:
        low, high = ctypes.c_float(), ctypes.c_float()
        where = ctypes.byref(low), ctypes.byref(high)
        self._call("get_pressureRange", ctypes.c_uint(channel), *where)
        return float(low.value), float(high.value)

    def _call(self, name: str, *arguments: Any) -> None:
        function = getattr(self._library, f"fgt_{name}")
        function.restype = ctypes.c_ubyte
        number = int(function(*arguments))
        if number == 0:
            return
        said = _ERRORS[number] if number < len(_ERRORS) else f"error {number}"
        kind = DeviceRefusedError if number in _REFUSALS else DeviceFaultError
        raise kind(f"Fluigent's library must do fgt_{name}, but says: {said}; look at the device")
