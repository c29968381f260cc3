"""What somebody meets first: the README's commands, make, continuous integration, compose."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from _markdown import ROOT, blocks, text


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", text("Makefile"), re.M))


def test_readme_begins_with_the_two_commands() -> None:
    first = next(b for b in blocks("sh") if b.place.startswith("README.md"))
    lines = [line.split("#")[0].strip() for line in first.text.splitlines()]
    assert lines == ["make demo", "make test"]


def test_every_documented_make_command_is_a_target() -> None:
    named = {
        target
        for block in blocks("sh")
        for target in re.findall(r"^(?:[A-Z_]+=\S+ )*make ([a-z-]+)", block.text, re.M)
    }
    assert named and named <= _targets()


def test_continuous_integration_runs_the_test_command_and_the_checks() -> None:
    assert re.search(r"^make test\b", text(".ci/run"), re.M)
    assert re.search(r"^make check\b", text(".ci/run"), re.M)
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o100


def _continuous_integration(folder: Path, make: str) -> subprocess.CompletedProcess[str]:
    """Run .ci/run in a bare folder with this script in make's place."""
    shell = shutil.which("bash")
    if shell is None:
        pytest.skip("no bash on this machine")
    (folder / ".ci").mkdir()
    (folder / "bin").mkdir()
    shutil.copy(ROOT / ".ci" / "run", folder / ".ci" / "run")
    (folder / "bin" / "make").write_text(f"#!/bin/sh\n{make}\n")
    (folder / "bin" / "make").chmod(0o755)
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    command = [shell, str(folder / ".ci" / "run")]
    environment = {**os.environ, "PATH": path}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_continuous_integration_ends_with_the_closing_line_of_pytest(tmp_path: Path) -> None:
    make = 'if [ "$1" = test ]; then echo "7 passed, 1 skipped in 3.0s"; else echo checked; fi'
    done = _continuous_integration(tmp_path, make)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-2:] == ["checked", "7 passed, 1 skipped in 3.0s"]


@pytest.mark.parametrize("target", ["test", "check"])
def test_continuous_integration_fails_with_either_half(tmp_path: Path, target: str) -> None:
    make = f'echo "1 failed, 7 passed"; [ "$1" != {target} ]'
    assert _continuous_integration(tmp_path, make).returncode != 0


def _set_up_with(python: str, folder: Path) -> subprocess.CompletedProcess[str]:
    make = shutil.which("make")
    if make is None:
        pytest.skip("no make on this machine")
    for name in ("Makefile", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    command = [make, "setup", f"PYTHON={python}", "VENV=venv"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_make_refuses_an_old_python_in_words(tmp_path: Path) -> None:
    old = tmp_path / "oldpython"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\nexit 1\n')
    old.chmod(0o755)
    found = _set_up_with(str(old), tmp_path)
    assert found.returncode != 0
    assert "needs Python 3.11 or newer, but found Python 3.9.2" in found.stderr
    assert not (tmp_path / "venv").exists()


def test_compose_file_has_a_checked_service_and_no_default_password() -> None:
    document = yaml.safe_load(text("docker-compose.yml"))
    service = document["services"]["postgresql"]
    assert service["environment"]["POSTGRES_PASSWORD"].startswith("${DOTPILOT_PG_PASSWORD:?")
    assert "healthcheck" in service
    volume = service["volumes"][0].split(":")[0]
    assert volume in document["volumes"]
    assert all(port.startswith("${DOTPILOT_PG_BIND:-127.0.0.1}") for port in service["ports"])


def test_licence_is_whole() -> None:
    licence = text("LICENSE")
    assert "Apache License" in licence and "END OF TERMS AND CONDITIONS" in licence
    assert len(licence) > 11_000
