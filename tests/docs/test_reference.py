"""The reference agrees with the code: keys, options, limits, variables, states."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

import pytest
from _markdown import ROOT, first_column, sections, text

from agents import agent_names, create_agent
from instruments import create_station
from instruments.declared import StationDocument
from orchestrator import trial
from orchestrator.campaign import _file
from orchestrator.doctor import THREAD_VARIABLES
from orchestrator.importing._mapping import ColumnMapping, MappedObservable, MappedParameter
from orchestrator.replay.pool import BestShare, Goal, Within
from orchestrator.worker import ResultsFile, StationFile

PACKAGES = ("orchestrator", "agents", "instruments", "surrogate_sim")
VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")


def _sources() -> list[Path]:
    return [p for name in PACKAGES for p in (ROOT / name).rglob("*.py")]


def _variables_read(source: str) -> set[str]:
    """Names looked up in an environment, and whatever is called DOTPILOT_..."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= set(re.findall(r"\bDOTPILOT_[A-Z_]+\b", node.value))
        first: ast.expr | None = None
        if isinstance(node, ast.Subscript) and "environ" in ast.unparse(node.value):
            first = node.slice
        elif isinstance(node, ast.Call) and re.search(r"environ|getenv", ast.unparse(node.func)):
            first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            found.add(first.value)
    return found


def test_reader_of_variables_sees_them() -> None:
    source = "import os\nos.environ['A_B']\nos.environ.get('C')\nos.getenv('D')\nx = 'DOTPILOT_E'"
    assert _variables_read(source) == {"A_B", "C", "D", "DOTPILOT_E"}


def test_every_variable_that_the_code_reads_is_documented() -> None:
    page = sections(text("docs/reference/settings.md"))["Read by dotpilot"]
    documented = set(first_column(page))
    read = {v for path in _sources() for v in _variables_read(path.read_text(encoding="utf-8"))}
    assert read | set(THREAD_VARIABLES) <= documented


def test_every_documented_variable_is_read_somewhere() -> None:
    found = sections(text("docs/reference/settings.md"))
    page = found["Read by make and the tests"] + found["Read by docker-compose.yml"]
    files = [ROOT / name for name in ("Makefile", "docker-compose.yml", ".ci/run")]
    files += [*_sources(), *(p for p in (ROOT / "tests").rglob("*.py") if "docs" not in p.parts)]
    used = "".join(p.read_text(encoding="utf-8") for p in files)
    for name in [v for v in first_column(page) if VARIABLE.fullmatch(v)]:
        assert re.search(rf"\b{name}\b", used), f"{name} is documented and read nowhere"


def test_campaign_file_keys() -> None:
    found = sections(text("docs/reference/campaign-file.md"))
    keys = re.findall(r"^\| `(\w+)` \|", found["Keys"], re.M)
    assert keys == list(_file.FIELDS)


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("Entries of space", _file.SpaceItem),
        ("Entries of objectives", _file.ObjectiveItem),
    ],
)
def test_campaign_file_fields(heading: str, model: type[_file.SpaceItem]) -> None:
    body = sections(text("docs/reference/campaign-file.md"))[heading]
    assert set(first_column(body)) == set(model.model_fields)


def test_budget_and_stop_fields() -> None:
    page = sections(text("docs/reference/campaign-file.md"))["budget and stop"]
    wanted = {f"budget.{f}" for f in _file.BudgetItem.model_fields}
    wanted |= {f"stop.{f}" for f in _file.StopItem.model_fields}
    assert set(first_column(page)) == wanted


def test_defaults_of_the_campaign_file() -> None:
    keys = sections(text("docs/reference/campaign-file.md"))["Keys"]
    needed = set(re.findall(r"^\| `(\w+)` \|.*\| needed \|$", keys, re.M))
    assert needed == set(_file.REQUIRED)


def test_mapping_and_goal_files() -> None:
    found = sections(text("docs/reference/data-files.md"))
    mapping, goal = found["Mapping file"], found["Goal file"]
    assert set(first_column(mapping)) >= set(ColumnMapping.model_fields)
    for model in (MappedParameter, MappedObservable):
        assert {f for f in model.model_fields if f"`{f}`" not in mapping} == set()
    for goal_model in (Goal, Within, BestShare):
        missing = {f for f in goal_model.model_fields if not re.search(rf"\b{f}\b", goal)}
        assert missing == set()


def test_station_and_results_files() -> None:
    found = sections(text("docs/reference/station-file.md"))
    assert set(first_column(found["Keys of a station file"])) == set(StationFile.model_fields)
    assert set(first_column(found["Declared stations"])) == set(StationDocument.model_fields)
    results = sections(text("docs/reference/data-files.md"))["Results file"]
    assert set(first_column(results)) == set(ResultsFile.model_fields)


def test_every_agent_and_option_with_its_default() -> None:
    found = sections(text("docs/reference/agents.md"))
    for name in agent_names():
        assert name in found, f"agent {name} has no section"
        rows = dict(re.findall(r"^\| `(\w+)` \| (\S+) \|", found[name], re.M))
        configuration = create_agent(name).configuration
        assert rows == {k: str(v) for k, v in configuration.items()}


def test_every_parameter_and_observable_of_the_flow_station() -> None:
    page = text("docs/reference/flow-synthesis.md")
    description = create_station("flow_synthesis").description
    for p in description.parameters:
        limits = (
            ", ".join(f"`{c}`" for c in p.choices)
            if p.choices
            else f"{p.low:g} to {p.high:g} {p.unit}".rstrip()
        )
        default = f"`{p.default}`" if isinstance(p.default, str) else f"{p.default:g}"
        assert f"| `{p.name}` | {p.description} | {limits} | {default} |" in page
    for o in description.observables:
        assert f"| `{o.name}` | {o.description} | {o.unit or '-'} |" in page


def test_states_and_reasons() -> None:
    page = text("docs/reference/json.md") + text("docs/explanation/states.md")
    for kind in (trial.TrialState, trial.CampaignState, trial.StopReason):
        for word in get_args(kind):
            assert f"`{word}`" in page


def test_every_legal_move_is_in_the_explanation() -> None:
    found = sections(text("docs/explanation/states.md"))
    for name, moves in (("trial", trial.TRIAL_MOVES), ("campaign", trial.CAMPAIGN_MOVES)):
        table = found[f"The states of a {name}"]
        rows = re.findall(r"^\| `(\w+)` \|[^|]*\| ([^|]*) \|$", table, re.M)
        documented = {state: frozenset(re.findall(r"`(\w+)`", to)) for state, to in rows}
        assert documented == moves
