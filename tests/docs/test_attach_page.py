"""The page on later measurements does what it says, typed as it stands there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from _markdown import ROOT, blocks

PAGE = "docs/how-to/attach-later-measurements.md"
FILE = ROOT / "examples" / "later" / "flow_tem.yaml"
# The console script's own words, so that the page is tried on this very tree.
DOTPILOT = """dotpilot() {{ "{python}" -c 'from orchestrator.cli import main; main()' "$@"; }}"""


def test_the_file_of_the_page_is_the_example() -> None:
    (shown,) = [yaml.safe_load(b.text) for b in blocks("yaml") if b.place.startswith(PAGE)]
    example = yaml.safe_load(FILE.read_text())
    for observable in example["observables"]:
        if observable["name"] != "lead_yield":
            observable.pop("description")
    for entry in (*shown["observables"], *example["observables"]):
        entry.pop("description", None)
    assert {k: v for k, v in example.items() if k != "stop"} == shown


def test_the_page_runs_as_written(tmp_path: Path) -> None:
    shell = shutil.which("bash")
    if shell is None:
        pytest.skip("no bash to type the page into")
    shutil.copy(FILE, tmp_path / "flow_tem.yaml")
    typed = [b.text for b in blocks("sh") if b.place.startswith(PAGE)]
    assert len(typed) == 6
    script = "\n".join(["set -euo pipefail", DOTPILOT.format(python=sys.executable), *typed])
    path = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1"}
    environment.pop("DOTPILOT_DB", None)
    done = subprocess.run(
        [shell, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    trials = json.loads((tmp_path / "trials.json").read_text())["trials"]
    first = trials[0]["observables"]
    assert first["tem_size"]["method"] == "TEM: mean@1"
    assert first["lead_yield"]["method"] == "ICP: stated@person"
    predicted = [set(t["proposal"]["predicted"]) for t in trials]
    assert predicted[4] == {"peak_emission"}, "this step was proposed before the sizes came"
    assert predicted[8] == {"peak_emission", "tem_size_spread"}, "and this one after them"
    assert "peak_emission 513" in done.stdout
