"""What went over a station's wires, kept on request."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from time import monotonic
from typing import Protocol


class Transcript(Protocol):
    """Keeps what went over a wire."""

    def note(self, link: str, sent: bool, data: bytes) -> None:
        """Keep `data`, sent or received."""


class PartTranscript:
    """Says of which part of a station a telegram is.

    Args:
        part: Name of the part.
        transcript: Keeps the telegrams.
    """

    def __init__(self, part: str, transcript: Transcript) -> None:
        self._part, self._transcript = part, transcript

    def note(self, link: str, sent: bool, data: bytes) -> None:
        """Keep a telegram under the part's name and its link."""
        self._transcript.note(f"{self._part} {link}", sent, data)


class FileTranscript:
    """Writes one JSON line for each telegram: seconds since its start, link, direction, bytes.

    The folder is made, and the file begun, with the first telegram.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._began, self._lock = path, monotonic(), threading.Lock()

    def note(self, link: str, sent: bool, data: bytes) -> None:
        """Append a line."""
        line = {
            "time": round(monotonic() - self._began, 6),
            "link": link,
            "sent": sent,
            "data": data.decode("ascii", "backslashreplace"),
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
