"""The reference shows explanations with the fields that the program prints."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from _markdown import sections, text

from orchestrator.cli import main

CAMPAIGN = """
name: tiny
station: flow_synthesis
space:
  - {name: flow_velocity, low: 20, high: 60, unit: mm/s}
  - {name: probe_position, low: 400, high: 3000, unit: mm}
objectives:
  - {observable: peak_emission, goal: target, value: 510, tolerance: 5, unit: nm}
agent: {name: sobol}
budget: {trials: 4}
"""


def _run(folder: Path, *words: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*words, "--quiet", "--db", f"sqlite:///{folder}/x.db"])
    assert stop.value.code == 0


def _shown() -> list[dict[str, Any]]:
    section = sections(text("docs/reference/json.md"))["Explanations"]
    return [json.loads(b) for b in re.findall(r"^```json\n(.*?)^```", section, re.M | re.S)]


def _same(shown: Any, printed: Any, where: str) -> None:
    free = ("recipe", "parameters", "observables", "details", "alike", "variance_removed")
    if isinstance(shown, dict) and isinstance(printed, dict):
        if where not in free:
            assert set(shown) == set(printed), where
        for key in set(shown) & set(printed):
            _same(shown[key], printed[key], key)
    elif isinstance(shown, list) and isinstance(printed, list) and shown and printed:
        _same(shown[0], printed[0], where)


def test_shown_documents_are_those_that_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "shap.explainers", None)
    (tmp_path / "tiny.yaml").write_text(CAMPAIGN)
    _run(tmp_path, "launch", str(tmp_path / "tiny.yaml"))
    capsys.readouterr()
    trial, campaign = _shown()
    _run(tmp_path, "explain", "tiny", "--trial", "4", "--json")
    _same(trial, json.loads(capsys.readouterr().out), "document")
    _run(tmp_path, "explain", "tiny", "--json")
    printed = json.loads(capsys.readouterr().out)
    (part,) = printed["observables"].values()
    shown = campaign["observables"]["peak_emission"]
    assert set(part["shap"]) == {"missing"}
    part["shap"] = shown["shap"]
    _same(campaign, printed, "document")
    assert part["validation"] and part["sensitivity"] and part["slices"] and part["contour"]
