"""A photon counter that leaves its decays in a folder, measured by software of its own.

A request is a file, `dotpilot-request.json`, for whoever starts the acquisition; the reading is
the one complete file that was not there, or was another, when it was asked for. A folder cannot be
asked who writes to it. Not verified on hardware.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from instruments.drivers.driver import identity
from instruments.drivers.transcript import Transcript
from instruments.emulators.detector_files import REQUEST, FolderEnd
from instruments.errors import (
    DetectorFileError,
    DeviceFaultError,
    DeviceTimeoutError,
    IncompleteFileError,
    InstrumentError,
)
from instruments.files import SUFFIXES, read_file
from instruments.files.ptu import TAGS
from instruments.station import Spectrum
from instruments.wiring import Connection, DriverKind, Part

DRIVER, VERSION = "detector_files", "1"
TIMEOUT = 600.0  # s; assumed, because a decay takes minutes at a low count rate
POLL = 0.02  # s between two looks at the folder; a file that is whole has not grown in it
NUMBER = "{number}"
Looks = dict[Path, tuple[int, int]]


class Settings(BaseModel):
    """What a folder needs besides its path.

    Attributes:
        pattern: Names of its files, as a shell has them; `{number}` stands for the request's.
        pulse: Arrival of the pulse [ns], where the files do not tell it.
        response: Full width at half maximum of the instrument's response [ns], likewise.
        channel: The detector's input, where files hold photons of several.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: str = "*.ptu"
    pulse: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    response: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    channel: int | None = Field(default=None, ge=0)

    @field_validator("pattern")
    @classmethod
    def _known(cls, value: str) -> str:
        if Path(value).suffix.lower() not in SUFFIXES or "/" in value:
            raise ValueError(
                f"a pattern must name files of one folder that end in {', '.join(SUFFIXES)}, but "
                f"is {value!r}"
            )
        return value


class FolderCounter:
    """The counter behind one folder (`capabilities.PhotonCounter`).

    Args:
        name: Name of the instrument in the record.
        folder: Where its files come.
        settings: Which they are.
        timeout: Longest wait for a file [s].
        emulated: Whether an emulator writes them.
        transcript: Keeps requests and the names of files.

    Raises:
        InstrumentError: there is no such folder.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        settings: Settings,
        *,
        timeout: float = TIMEOUT,
        emulated: bool = False,
        transcript: Transcript | None = None,
    ) -> None:
        self.name, self._folder, self._settings = name, folder, settings
        self._timeout, self._emulated, self._transcript = timeout, emulated, transcript
        self._lock, self._closing = threading.Lock(), threading.Event()
        self._number, self._quiet = 0, 0.0
        self._check_folder()

    def identify(self) -> Mapping[str, Any]:
        """Say which folder it is; who writes to it nobody can ask."""
        self._check_folder()
        return identity(
            self.name,
            model=f"writer of {self._settings.pattern}",
            serial=str(self._folder),
            driver=DRIVER,
            version=VERSION,
            emulated=self._emulated,
        )

    def acquire(self, name: str, counts: int) -> Spectrum:
        """Ask for about `counts` photons and return the decay that comes.

        Raises:
            InstrumentError: no photons are asked for; nothing was requested.
            DeviceTimeoutError: no new file came in time; a stale one is told of, never taken.
            DeviceFaultError: two came, one stays half-written, or one cannot be read.
        """
        if counts < 1:
            raise InstrumentError(f"a decay must have a photon at least, but {counts} are wanted")
        with self._lock:
            self._await_quiet()
            pattern = self._next_pattern()
            before = self._look(pattern)
            self._request(name, counts)
            try:
                found = self._await(pattern, before)
            except DetectorFileError as error:
                self._quiet = monotonic() + self._timeout
                raise DeviceFaultError(f"{self.name} left what cannot be read: {error}") from error
            except (DeviceTimeoutError, DeviceFaultError):
                self._quiet = monotonic() + self._timeout
                raise
            finally:
                self._withdraw()
        return replace(found, name=name)

    def to_safe_state(self) -> None:
        """Withdraw the request, if one is open; a counter itself does no harm."""
        self._withdraw()

    def confirm(self) -> None:
        """Nothing: between two requests it was told nothing that it could hold."""

    def close(self) -> None:
        """Let go of the folder. May be called twice."""
        self._closing.set()

    def _await(self, pattern: str, before: Looks) -> Spectrum:
        deadline, last, incomplete = monotonic() + self._timeout, before, ""
        while monotonic() < deadline:
            if self._closing.wait(POLL):
                break
            now = self._look(pattern)
            new = sorted(path for path, look in now.items() if before.get(path) != look)
            if len(new) > 1:
                raise DeviceFaultError(
                    f"{self.name} must leave one file for one request, but left "
                    f"{', '.join(p.name for p in new)}; see which is whose, and that nobody else "
                    "measures into this folder"
                )
            if new and last.get(new[0]) == now[new[0]]:
                try:
                    found = read_file(new[0], self._told())
                except IncompleteFileError as error:
                    incomplete = str(error)
                else:
                    self._note(False, new[0].name)
                    return found
            last = now
        raise self._nothing(incomplete, before)

    def _nothing(self, incomplete: str, before: Looks) -> InstrumentError:
        if incomplete:
            return DeviceFaultError(
                f"{self.name} must leave a whole file within {self._timeout:g} s, but {incomplete}"
            )
        stale = max(before, key=lambda path: before[path], default=None)
        told = f", only {stale.name} of before" if stale is not None else ""
        return DeviceTimeoutError(
            f"{self.name} must leave a new {self._settings.pattern} in {self._folder} within "
            f"{self._timeout:g} s and while it is open, but left none{told}; whether it measures "
            "is unknown, look at it"
        )

    def _told(self) -> dict[str, Any]:
        said = {n: getattr(self._settings, n, None) for n in (*TAGS, "channel")}
        return {n: value for n, value in said.items() if value is not None}

    def _look(self, pattern: str) -> Looks:
        found: Looks = {}
        for path in self._folder.glob(pattern):
            try:
                about = path.stat()
            except FileNotFoundError:  # it was renamed meanwhile
                continue
            found[path] = about.st_mtime_ns, about.st_size
        return found

    def _next_pattern(self) -> str:
        """Return the names that answer the next request."""
        pattern = self._settings.pattern
        while True:
            self._number += 1
            named = pattern.replace(NUMBER, f"{self._number:06d}")
            if named == pattern or not self._look(named):
                return named

    def _await_quiet(self) -> None:
        """After a failure, wait for what may still come, unless the name would tell it."""
        if NUMBER not in self._settings.pattern:
            self._closing.wait(max(self._quiet - monotonic(), 0.0))
        self._quiet = 0.0
        if self._closing.is_set():
            raise DeviceTimeoutError(
                f"{self.name} must be open to be asked, but it is closed; open the station"
            )

    def _request(self, name: str, counts: int) -> None:
        text = json.dumps({"number": f"{self._number:06d}", "name": name, "counts": counts})
        draft = self._folder / f"{REQUEST}.draft"
        try:
            draft.write_text(text, encoding="utf-8")
            os.replace(draft, self._folder / REQUEST)
        except OSError as error:
            raise DeviceTimeoutError(
                f"{self.name} must have a folder to write to, but {error}; look at {self._folder}"
            ) from error
        self._note(True, text)

    def _withdraw(self) -> None:
        try:
            (self._folder / REQUEST).unlink(missing_ok=True)
        except OSError as error:
            raise DeviceTimeoutError(
                f"{self.name} must have a folder to write to, but {error}; look at {self._folder}"
            ) from error

    def _check_folder(self) -> None:
        if not self._folder.is_dir():
            raise InstrumentError(
                f"{self.name} must have a folder that is there, but {self._folder} is not; check "
                "the address in the station file, and that the share is mounted"
            )

    def _note(self, sent: bool, text: str) -> None:
        if self._transcript is not None:
            self._transcript.note(str(self._folder), sent, text.encode("utf-8"))


def _connect(connection: Connection) -> dict[str, FolderCounter]:
    (name,) = connection.names
    counter = FolderCounter(
        name,
        Path(connection.address),
        connection.settings,
        timeout=connection.said.timeout or TIMEOUT,
        emulated=connection.emulated,
        transcript=connection.transcript,
    )
    return {name: counter}


def _emulate(said: Part, settings: Settings, names: tuple[str, ...]) -> FolderEnd:
    return FolderEnd(said.wire_faults)


KIND = DriverKind(
    parts=("photon_counter",),
    describe="Photon counters whose software leaves .ptu files in a folder",
    settings=Settings,
    connect=_connect,
    emulate=_emulate,
)
