"""A station that keeps what goes over its wires, a file for each attempt."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from instruments.doses import Doses
from instruments.drivers.transcript import FileTranscript
from instruments.errors import InstrumentError
from instruments.station import AttemptKey, Consuming, Measurement, Recipe

BETWEEN = "between.jsonl"
"""What went over the wires outside attempts: to open, identify and let go."""


class WireRecord:
    """Takes what goes over the wires of a station, into the file of the attempt under way.

    Args:
        folder: Where the files go; made when the first telegram comes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._now = self._file(BETWEEN)

    def into(self, folder: Path) -> None:
        """Keep what follows in another folder."""
        if folder != self._folder:
            self._folder = folder
            self._now = self._file(BETWEEN)

    def note(self, link: str, sent: bool, data: bytes) -> None:
        """Keep a telegram."""
        self._now.note(link, sent, data)

    def begin(self, key: AttemptKey) -> Path:
        """Let what follows belong to an attempt; return its file, one that was not there yet."""
        stem = f"trial-{key.trial:05d}-attempt-{key.attempt}"
        names = (f"{stem}{'' if n == 1 else f'-again-{n}'}.jsonl" for n in range(1, 10_000))
        free = next(name for name in names if not (self._folder / name).exists())
        self._now = self._file(free)
        return self._folder / free

    def end(self) -> None:
        """Let what follows belong to no attempt."""
        self._now = self._file(BETWEEN)

    def _file(self, name: str) -> FileTranscript:
        return FileTranscript(self._folder / name)


class KeptStation:
    """A station with a transcript of its wires; everything else is the station's own.

    A measurement names the file of its attempt, without its folder, and the SHA-256 of its bytes
    among its identities; an attempt that failed names both in its message.

    Args:
        station: Not yet opened; its attribute `transcript` takes the record.
        record: Where telegrams go.
    """

    def __init__(self, station: Any, record: WireRecord) -> None:
        self._station, self.record = station, record
        station.transcript = record

    def __getattr__(self, name: str) -> Any:
        return getattr(self._station, name)

    def run(
        self, recipe: Recipe, key: AttemptKey, progress: Callable[[str], None] | None = None
    ) -> Measurement:
        """Make and measure one recipe; see `instruments.station.Station`."""
        with self._attempt(key) as file:
            made: Measurement = self._station.run(recipe, key, progress)
        return _named(made, file)

    def run_batch(
        self,
        recipes: Sequence[Recipe],
        keys: Sequence[AttemptKey],
        progress: Callable[[str], None] | None = None,
    ) -> Sequence[Measurement]:
        """Make and measure several; they share the file of the first one's attempt."""
        with self._attempt(keys[0]) as file:
            made = self._station.run_batch(recipes, keys, progress)
        return [_named(m, file) for m in made]

    def needs(self, recipes: Sequence[Recipe]) -> Mapping[str, float]:
        """Most that a run of these recipes may draw of each stock [µL]; {} where nobody says."""
        return self._station.needs(recipes) if isinstance(self._station, Consuming) else {}

    def supplies(self) -> Mapping[str, float]:
        """What one run can draw of a stock at most [µL]; {} unbounded."""
        return self._station.supplies() if isinstance(self._station, Consuming) else {}

    def settled(self) -> Mapping[AttemptKey, Doses]:
        """Return doses of earlier attempts that have become known since."""
        return self._station.settled() if isinstance(self._station, Consuming) else {}

    @contextmanager
    def _attempt(self, key: AttemptKey) -> Iterator[Path]:
        file = self.record.begin(key)
        try:
            yield file
        except InstrumentError as error:
            if (found := _described(file)) and len(error.args) == 1:
                told = f"{error}; its wires are in {found['file']} (SHA-256 {found['sha256']})"
                error.args = (told,)
            raise
        finally:
            self.record.end()


def kept(station: Any, folder: Path) -> Any:
    """Return a station that keeps transcripts in `folder`.

    Raises:
        InstrumentError: it has no wires.
    """
    if not hasattr(station, "transcript"):
        raise InstrumentError(
            f"a transcript is of the wires of drivers, but {station.description.name} has none; "
            "leave it out"
        )
    return KeptStation(station, WireRecord(folder))


def _described(file: Path) -> Mapping[str, str]:
    """Name and digest of a transcript; {} where nothing went over a wire."""
    if not file.exists():
        return {}
    return {"file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}


def _named(measurement: Measurement, file: Path) -> Measurement:
    found = _described(file)
    if not found:
        return measurement
    who = {"instrument": "wire_transcript", "model": "JSON lines", "serial": "", **found}
    return replace(measurement, identities=(*measurement.identities, {**who, "simulated": False}))


__all__ = ["KeptStation", "WireRecord", "kept"]
