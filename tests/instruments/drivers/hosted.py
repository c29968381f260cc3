"""A library that misbehaves, for a host process."""

import ctypes
import time

from instruments.errors import DeviceRefusedError, InstrumentError


class Library:
    def __init__(self, name):
        self._name, self._calls = name, 0

    def echo(self, value):
        self._calls += 1
        return self._name, value

    def count(self):
        self._calls += 1
        return self._calls

    def sleep(self):
        time.sleep(60.0)

    def spin(self):
        while True:
            pass

    def freeze(self):
        """Hold the interpreter, as a C library does that does not let go of it."""
        ctypes.PyDLL(None).sleep(60)

    def refuse(self):
        self._calls += 1
        raise DeviceRefusedError("not today")

    def divide(self):
        self._calls += 1
        return 1 / 0


def broken():
    raise InstrumentError("no such thing")
