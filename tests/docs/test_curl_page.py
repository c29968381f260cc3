"""A lab without Python does everything with curl: the page is typed as it stands there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from _markdown import blocks

from tests.worker.server import running_server

PAGE = "docs/how-to/use-the-api-with-curl.md"


def test_the_curl_page_runs_as_written(tmp_path: Path) -> None:
    missing = [tool for tool in ("bash", "curl", "jq") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"the page needs {', '.join(missing)}, which this machine lacks")
    typed = [b.text for b in blocks("sh") if b.place.startswith(PAGE) and "dotp_..." not in b.text]
    assert len(typed) > 8
    script = "\n".join(["set -euo pipefail", *typed])
    with running_server(f"sqlite:///{tmp_path / 'x.db'}") as (url, token):
        environment = {**os.environ, "SERVER": url, "DOTPILOT_TOKEN": token}
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    trial = json.loads((tmp_path / "trial.json").read_text())
    peak = trial["observables"]["peak_emission"]
    assert (peak["value"], peak["unit"], peak["se"]) == (517.2, "nm", 0.4)
    assert trial["observables"]["plqy"]["se"] is None
    assert trial["achieved"] == {"temperature": {"value": 151.5, "unit": "degC"}}
    assert "event: trial.completed" in (tmp_path / "stream.txt").read_text()
    assert '"stopped"' in done.stdout and '"findings": []' in done.stdout
    assert (tmp_path / "lab.curl").stat().st_mode & 0o077 == 0
