"""Peers that dotpilot does not depend on: each in an environment of its own, driven by lines."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

HERE = Path(__file__).resolve().parent


def peer_python(name: str) -> Path:
    """Return the Python of `.env-NAME`, which holds what `NAME-requirements.txt` pins.

    The environment is made on the first call and again when the requirements change.
    """
    requirements = HERE / f"{name}-requirements.txt"
    folder = HERE / f".env-{name}"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    stamp = folder / "requirements.sha256"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"making {folder.name} from {requirements.name}", file=sys.stderr)
    venv.create(folder, with_pip=True, clear=True)
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, "-r", requirements], check=True, stdout=sys.stderr)
    stamp.write_text(wanted)
    return python


class Peer:
    """A script in a peer's environment that answers one JSON line with another."""

    def __init__(self, name: str, script: str) -> None:
        self._process = subprocess.Popen(
            [peer_python(name), HERE / "peers" / script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._input = cast(IO[str], self._process.stdin)
        self._output = cast(IO[str], self._process.stdout)

    def ask(self, **question: Any) -> dict[str, Any]:
        """Send one question and wait for its answer.

        Raises:
            RuntimeError: the peer ended instead of answering.
        """
        self._input.write(json.dumps(question) + "\n")
        self._input.flush()
        line = self._output.readline()
        if not line:
            raise RuntimeError(
                f"the peer must answer each question, but ended with {self._process.wait()}; "
                "its own message stands above"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._input.close()
        self._process.wait(timeout=30)
        self._output.close()
