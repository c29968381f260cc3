"""The documents that the reference shows have the fields that the program prints."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from _markdown import blocks, sections, text

from orchestrator.cli import main

CAMPAIGN = """
name: tiny
station: flow_synthesis
space:
  - {name: flow_velocity, low: 20, high: 60, unit: mm/s}
objectives:
  - {observable: peak_emission, goal: target, value: 510, tolerance: 5, unit: nm}
agent: {name: sobol}
budget: {trials: 2}
"""
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    (folder / "tiny.yaml").write_text(CAMPAIGN)
    with pytest.raises(SystemExit) as stop:
        main(["launch", str(folder / "tiny.yaml"), "--quiet", "--db", f"sqlite:///{folder}/x.db"])
    assert stop.value.code == 0
    return folder


@pytest.fixture
def ask(place: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    def run(*words: str, code: int = 0) -> dict[str, Any]:
        with pytest.raises(SystemExit) as stop:
            main([*words, "--json", "--quiet", "--db", f"sqlite:///{place}/x.db"])
        assert stop.value.code == code
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        return document

    return run


def _shown(key: str) -> dict[str, Any]:
    """Return the JSON block of the reference whose first key this is."""
    for block in blocks("json"):
        document = json.loads(block.text)
        if "reference/json" in block.place and next(iter(document)) == key:
            return dict(document)
    raise AssertionError(f"docs/reference/json.md shows no document that begins with {key!r}")


def _same_keys(shown: Any, printed: Any, where: str = "document") -> None:
    if isinstance(shown, dict) and isinstance(printed, dict):
        free = {"recipe", "achieved", "observables", "predicted", "details", "conditions"}
        if where not in free:
            assert set(shown) == set(printed), where
        for key in set(shown) & set(printed):
            _same_keys(shown[key], printed[key], key)


def test_campaign(ask: Ask) -> None:
    _same_keys(_shown("campaign"), ask("show", "tiny"))


def test_trial(ask: Ask) -> None:
    entry = ask("trials", "tiny")["trials"][0]
    _same_keys(_shown("trial"), entry)
    quantity = entry["observables"]["peak_emission"]
    assert set(quantity) == set(_shown("trial")["observables"]["peak_emission"])


def test_verification(ask: Ask) -> None:
    printed = ask("replay", "verify", "tiny")
    _same_keys(_shown("events"), printed)
    assert printed["proposals_ok"] == printed["proposals_checked"] == 2


def _listed(command: str) -> Any:
    """Return the fields that the reference lists for a command in one line of code."""
    page = text("docs/reference/json.md")
    found = re.search(rf"`{command}`[^:\n]*:\s`(\{{.*?\}})`", page) or re.search(
        rf"`{command}` prints `(\{{.*?\}})`", page
    )
    assert found, f"docs/reference/json.md does not list {command}"
    return set(re.findall(r'"(\w+)"', found[1]))


def _fields(document: Any) -> set[str]:
    if isinstance(document, list):
        return set().union(*map(_fields, document))
    if not isinstance(document, dict):
        return set()
    plain = {k for k in document if k not in ("options", "libraries", "when")}
    return set(document).union(*(_fields(document[k]) for k in plain))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("list", ["list"]),
        ("station list", ["station", "list"]),
        ("station show", ["station", "show", "flow_synthesis"]),
        ("agent list", ["agent", "list"]),
        ("agent show", ["agent", "show", "sobol"]),
        ("token create", ["token", "create", "--scope", "campaign:read"]),
        ("token list", ["token", "list"]),
        ("db current", ["db", "current"]),
        ("db rebuild", ["db", "rebuild"]),
        ("doctor", ["doctor"]),
        ("twin list", ["twin", "list"]),
        ("twin calibrate", ["twin", "calibrate", "micropipette", "--evaluations", "0"]),
    ],
)
def test_listed_documents(ask: Ask, command: str, words: list[str]) -> None:
    assert _fields(ask(*words)) == _listed(command)


def test_field_table_of_a_campaign_names_what_is_printed(ask: Ask) -> None:
    table = sections(text("docs/reference/json.md"))["Campaign"]
    rows = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (.*?) \|", table, re.M))))
    elsewhere = {"parent", "forked_at", "at", "imported", "skipped"}
    assert rows - set(ask("show", "tiny")) == elsewhere


def test_twin_run(ask: Ask) -> None:
    shown, printed = _shown("twin"), ask("twin", "run", "larp_plate", "--set", "duration=1")
    assert set(shown) == set(printed)
    for name, entry in shown["series"].items():
        assert set(entry) == set(printed["series"][name])
    assert set(shown["observables"]["peak_emission"]) == set(printed["observables"]["intensity"])
    assert set(shown["verdict"]) == set(printed["verdict"])


def test_twin_validate(ask: Ask) -> None:
    shown, printed = _shown("summary"), ask("twin", "validate", "--row", "MP-01", "--row", "MP-04")
    assert set(shown) == set(printed)
    assert set(shown["rows"][0]) == set(printed["rows"][0])
    assert set(shown["rows"][0]["checks"][0]) == set(printed["rows"][0]["checks"][0])
    assert set(shown["summary"]) == set(printed["summary"])
    assert set(shown["summary"]["tier_1"]) == set(printed["summary"]["all"])
    counts = printed["summary"]["tier_1"]["held_out"]
    assert set(shown["summary"]["tier_1"]["held_out"]) == set(counts)


@pytest.mark.slow
def test_twin_shap(ask: Ask) -> None:
    assert _fields(ask("twin", "shap")) == _listed("twin shap")
