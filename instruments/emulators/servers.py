"""Ends of wires that emulators answer on: pseudo-terminals, served by a thread each."""

from __future__ import annotations

import os
import pty
import selectors
import tempfile
import threading
import tty
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from instruments.emulators.faults import Faults, HangUpError, NoFaults, faults_of


class Emulator(Protocol):
    """Answers telegrams as a device would."""

    end: bytes
    """What a request ends with."""

    def answer(self, request: bytes) -> bytes:
        """Act on a request (without its end) and return the bytes that the device sends."""
        ...


class PtyServer:
    """A pseudo-terminal with an emulator at its far end.

    Its address is a link to it, so that a terminal that was hung up comes back where it was.

    Args:
        emulator: Answers.
        faults: What goes wrong on the wire, and when.

    Attributes:
        lock: Held while the emulator acts.
    """

    def __init__(self, emulator: Emulator, faults: Faults | None = None) -> None:
        self._emulator, self._faults = emulator, faults or NoFaults()
        self.lock = threading.Lock()
        self._folder = tempfile.TemporaryDirectory(prefix="dotpilot-wire-")
        self.address = str(Path(self._folder.name) / "wire")
        self._connect()
        self._wake_out, self._wake_in = os.pipe()
        self._thread = threading.Thread(target=self._serve, name=f"emulator {self.address}")
        self._open = True
        self._thread.start()

    def close(self) -> None:
        """End the thread and the terminal. May be called twice."""
        if not self._open:
            return
        self._open = False
        os.write(self._wake_in, b"x")
        self._thread.join()
        for end in (self._far, self._near, self._wake_out, self._wake_in):
            if end >= 0:
                os.close(end)
        self._folder.cleanup()

    def _connect(self) -> None:
        self._far, self._near = pty.openpty()
        tty.setraw(self._far)
        tty.setraw(self._near)
        fresh = f"{self.address}.new"
        os.symlink(os.ttyname(self._near), fresh)
        os.replace(fresh, self.address)

    def _hang_up(self, comes_back: bool) -> None:
        """Take the terminal away under whoever has it open, once the new one is there."""
        old = (self._far, self._near)
        if comes_back:
            self._connect()
        else:
            os.unlink(self.address)
            self._far = self._near = -1
        for end in old:
            os.close(end)

    def _serve(self) -> None:
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._wake_out, selectors.EVENT_READ)
            waiting.register(self._far, selectors.EVENT_READ)
            got = b""
            while True:
                ready = [key.fd for key, _ in waiting.select()]
                if self._wake_out in ready:
                    return
                got += os.read(self._far, 65536)
                try:
                    got = self._answer(got)
                except HangUpError as error:
                    waiting.unregister(self._far)
                    self._hang_up(error.comes_back)
                    got = b""  # what else was sent went down with it
                    if self._far >= 0:
                        waiting.register(self._far, selectors.EVENT_READ)

    def _answer(self, got: bytes) -> bytes:
        """Answer every whole request of what came; return what is left."""
        while (found := self._split(got)) is not None:
            request, got = found
            with self.lock:
                reply = self._faults.spoil(request, self._emulator.answer)
            self._send(reply)
        return got

    def _split(self, got: bytes) -> tuple[bytes, bytes] | None:
        """First whole request and what follows it; an emulator may frame its own."""
        split = getattr(self._emulator, "split", None)
        if split is not None:
            own: tuple[bytes, bytes] | None = split(got)
            return own
        if self._emulator.end not in got:
            return None
        request, _, rest = got.partition(self._emulator.end)
        return request, rest

    def _send(self, reply: bytes) -> None:
        while reply:
            reply = reply[os.write(self._far, reply) :]


class Attachable(Emulator, Protocol):
    """An emulator whose device may be given to it later."""

    def attach(self, device: Any, now: Callable[[], float]) -> None:
        """Move this simulated instrument from now on."""
        ...


class SerialEnd:
    """The emulated far end of a serial wire (`instruments.wiring.End`).

    Attributes:
        emulator: Answers on it.
    """

    def __init__(self, emulator: Attachable, faults: Mapping[str, float]) -> None:
        self.emulator = emulator
        self._server = PtyServer(emulator, faults_of(faults, emulator))

    @property
    def address(self) -> str:
        """Path of the terminal."""
        return self._server.address

    def attach(self, device: Any, now: Callable[[], float]) -> None:
        """Move this simulated instrument from now on."""
        with self._server.lock:
            self.emulator.attach(device, now)

    def close(self) -> None:
        """Take the terminal away."""
        self._server.close()
