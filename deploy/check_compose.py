"""Checks the deployment without an engine: `make compose-check`.

The Compose file, Dockerfile and Caddyfile are read and held against rules; then the commands of
docs/how-to/deploy.md are run as they stand there, with every service as a plain process.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from compose_file import ROOT, ComposeError, read_compose
from compose_rules import violations

PASSWORD = {"DOTPILOT_PG_PASSWORD": "only-for-this-check"}
PAGE = ROOT / "docs" / "how-to" / "deploy.md"
# A campaign of seconds stands in for the page's, which takes minutes.
CAMPAIGN = """
name: flow_green
station: flow_synthesis
space: [{name: flow_velocity, low: 20, high: 60, unit: mm/s}]
objectives: [{observable: peak_emission, goal: target, value: 510, tolerance: 5, unit: nm}]
agent: {name: sobol}
budget: {trials: 2}
"""


def static() -> list[str]:
    """Return what is wrong with the files."""
    compose = read_compose(ROOT / "docker-compose.yml", PASSWORD)
    found = violations(compose)
    try:
        read_compose(ROOT / "docker-compose.yml", {})
        found.append("docker-compose.yml must be refused without a database password")
    except ComposeError:
        pass
    return found


def page_script() -> str:
    """Return the shell blocks of the page, in order, as one script that stops at an error."""
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    return "set -euo pipefail\n" + "\n".join(
        f"set -x\n{b}{{ set +x; }} 2>/dev/null" for b in blocks
    )


def run_page(folder: Path, extra: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
    """Run the page's commands in a project folder of its own, and stop every process after it.

    Args:
        folder: Empty; PostgreSQL's user must be able to reach it.
        extra: More variables.
    """
    project, tools = folder / "project", folder / "bin"
    for made in (project / "deploy", project / "examples", tools):
        made.mkdir(parents=True)
    for name in ("docker-compose.yml", "deploy/Caddyfile", "examples/stations"):
        (project / name).symlink_to(ROOT / name)
    (project / "examples" / "flow_green.yaml").write_text(CAMPAIGN)
    engine = f'exec "{sys.executable}" "{ROOT / "deploy" / "plain_engine.py"}" "$@"'
    cli = f'exec "{sys.executable}" -c "from orchestrator.cli import main; main()" "$@"'
    for name, text in (("docker", engine), ("dotpilot", cli)):
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("DOTPILOT_", "COV_"))},
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PLAIN_ENGINE_STATE": str(folder / "state"),
        **extra,
    }

    def shell(script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", script], cwd=project, env=environment, capture_output=True, text=True
        )

    ports = shell(f'{_PORT}; echo "$(port)"').stdout.strip()
    script = page_script().replace("https://localhost", f"http://127.0.0.1:{ports}")
    try:
        return shell(script)
    finally:
        environment.update(PASSWORD)
        shell("docker compose down")


_PORT = (
    "port() { DOTPILOT_PG_PASSWORD=x docker compose ps; "
    f'"{sys.executable}" -c \'import json, os; '
    'print(json.load(open(os.environ["PLAIN_ENGINE_STATE"] + "/ports.json"))["proxy"])\'; }'
)


def main() -> None:
    """Check everything and exit with 1 where something failed."""
    found = static()
    for text in found:
        print(f"FAILED {text}")
    with tempfile.TemporaryDirectory(
        prefix="dotpilot-deploy-", ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL's files lie in it, and as root it runs as another user
        done = run_page(folder)
        sys.stderr.write(done.stderr)
        print(done.stdout)
        logs = sorted((folder / "state").glob("*.log"))
        if done.returncode:
            found.append(f"the commands of {PAGE.name} ended with {done.returncode}")
            for log in logs:
                print(f"== {log.name}\n{log.read_text(errors='replace')[-2000:]}")
    print("failed" if found else "the deployment is as it must be")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    if shutil.which("bash") is None:
        sys.exit("the commands of the page need bash, and there is none")
    main()
