"""The page on bringing one's own lab does what it says, typed as it stands there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from _markdown import ROOT, blocks

PAGE = "docs/how-to/bring-your-own-lab.md"
INSTALL = "pip install -e ."
KNOWN = f"{sys.executable} -c 'from setuptools import setup; setup()' -q egg_info"
"""What an installation would make of the entry point, without touching this environment."""


def _of(language: str) -> list[str]:
    return [b.text for b in blocks(language) if b.place.startswith(PAGE)]


@pytest.mark.slow
def test_the_page_runs_as_written(tmp_path: Path) -> None:
    if shutil.which("bash") is None:
        pytest.skip("no bash to type the page into")
    driver, suite = _of("python")
    (toml,) = _of("toml")
    station, campaign = _of("yaml")
    files = {
        "attic_oven.py": driver,
        "test_attic_oven.py": suite,
        "pyproject.toml": toml,
        "lab.yaml": station,
        "first.yaml": campaign,
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    typed = "\n".join(_of("sh"))
    assert typed.count(INSTALL) == 1
    script = "set -euo pipefail\n" + typed.replace(INSTALL, KNOWN)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
    }
    environment.pop("DOTPILOT_DB", None)
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "passed" in done.stdout and "attic_oven" in done.stdout
    assert "ok   thermostat  Attic oven" in done.stdout
    assert "pump_toluene set_flow" in done.stdout and "of lot TOL-12" in done.stdout
    assert "budget_spent" in done.stdout
    assert (tmp_path / "dotpilot.db").exists()
