"""The tutorial does what it says, typed as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from _markdown import blocks, sections, text

SETUP = ("1. Set up", "2. Say what you want")


@pytest.mark.slow
def test_tutorial_runs_as_written(tmp_path: Path) -> None:
    shell = shutil.which("bash")
    if shell is None:
        pytest.skip("no bash to type the tutorial into")
    file = next(b for b in blocks("yaml") if b.place.startswith("docs/tutorial.md"))
    (tmp_path / "first.yaml").write_text(file.text)
    found = sections(text("docs/tutorial.md"))
    later = [body for title, body in found.items() if title not in SETUP]
    commands = "\n".join(re.findall(r"^```sh\n(.*?)^```", "\n".join(later), re.M | re.S))
    script = f"set -euo pipefail\n{commands}"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
    environment.pop("DOTPILOT_DB", None)
    done = subprocess.run(
        [shell, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "target_reached" in done.stdout
    assert "the same" in done.stdout, "a killed campaign must end as one that was not"
    assert (tmp_path / "report").is_dir()
