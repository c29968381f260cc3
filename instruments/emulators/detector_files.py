"""A folder into which an emulated photon counter measures when a request is in it.

What goes wrong with an answer goes wrong with its file: none, half of one, noise, or one that
comes with the next.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from instruments.emulators.faults import HangUpError, faults_of
from instruments.files.ptu import encode
from instruments.station import Spectrum

REQUEST = "dotpilot-request.json"
_LOOK = 0.005  # s between two looks for a request


class Counter(Protocol):
    """The simulated photon counter."""

    def acquire(self, name: str, counts: int) -> Spectrum:
        """Count about `counts` photons into a decay."""
        ...


class FolderEnd:
    """The folder (`instruments.wiring.End`).

    Args:
        faults: What goes wrong with its files, as a station file has them.

    Attributes:
        address: Path of the folder.
    """

    def __init__(self, faults: Mapping[str, float]) -> None:
        self._faults = faults_of(faults)
        self._counter: Counter | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="dotpilot-counter-"))
        self.address = str(self._folder)
        self._late: tuple[str, bytes] | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"emulator {self.address}")
        self._thread.start()

    def attach(self, device: Mapping[str, Counter], now: Callable[[], float]) -> None:
        """Let this simulated counter count from now on."""
        (self._counter,) = device.values()

    def close(self) -> None:
        """End the thread and remove the folder. May be called twice."""
        self._closing.set()
        self._thread.join()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _serve(self) -> None:
        answered = b""
        while not self._closing.wait(_LOOK):
            try:
                request = (self._folder / REQUEST).read_bytes()
            except FileNotFoundError:
                continue
            if request != answered:
                answered = request
                self._answer(request)

    def _answer(self, request: bytes) -> None:
        said = json.loads(request)
        name, whole = f"{said['name']}_{said['number']}.ptu", []

        def measured(_: bytes) -> bytes:
            whole.append(self._measured(said["name"], said["counts"]))
            return whole[-1]

        try:
            data = self._faults.spoil(request, measured)
        except HangUpError:  # the share that the folder lies on is gone for this file
            return
        own = whole[-1] if whole else b""
        if self._late is not None and data.endswith(own) and len(data) > len(own):
            self._write(*self._late)
            self._late, data = None, own
        if data:
            self._write(name, data)
        elif own:
            self._late = name, own

    def _measured(self, name: str, counts: int) -> bytes:
        counter = self._counter
        return b"" if counter is None else encode(counter.acquire(name, counts))

    def _write(self, name: str, data: bytes) -> None:
        draft = self._folder / f"{name}.draft"
        draft.write_bytes(data)
        draft.replace(self._folder / name)
