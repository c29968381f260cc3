"""Every link leads somewhere, and every block of code is what it says it is."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from _markdown import ROOT, Block, anchors, blocks, links, pages

from orchestrator.campaign import check_campaign, read_station
from orchestrator.importing._mapping import read_mapping
from orchestrator.loop import check_feasible, station_of
from orchestrator.replay.pool import read_goal
from orchestrator.worker import ResultsFile, StationFile


@pytest.mark.parametrize("page", pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_internal_links_resolve(page: Path) -> None:
    for target in links(page):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{target} leads nowhere"
        assert file.is_relative_to(ROOT), f"{target} leads out of the repository"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file), f"{target}: no such heading"


@pytest.mark.parametrize(
    "page", [p for p in pages() if "docs" in p.parts], ids=lambda p: str(p.relative_to(ROOT))
)
def test_every_page_can_be_reached_from_the_index(page: Path) -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "docs" / "README.md"]
    while waiting:
        current = waiting.pop()
        if current in seen or current.suffix != ".md" or not current.exists():
            continue
        seen.add(current)
        targets = [t.partition("#")[0] for t in links(current) if "://" not in t]
        waiting += [(current.parent / t).resolve() for t in targets if t]
    assert page in seen


@pytest.mark.parametrize("block", blocks("python"), ids=lambda b: b.place)
def test_python_blocks_parse(block: Block) -> None:
    ast.parse(block.text)


@pytest.mark.parametrize("block", blocks("json"), ids=lambda b: b.place)
def test_json_blocks_parse(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", blocks("sh"), ids=lambda b: b.place)
def test_shell_blocks_parse(block: Block) -> None:
    shell = shutil.which("bash")
    if shell is None:
        pytest.skip("no bash to parse shell with")
    found = subprocess.run([shell, "-n"], input=block.text, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("block", blocks("toml"), ids=lambda b: b.place)
def test_toml_blocks_parse(block: Block) -> None:
    import tomllib

    tomllib.loads(block.text)


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda b: b.place)
def test_yaml_blocks_are_accepted_by_the_program(block: Block) -> None:
    """A campaign, mapping or goal file in the documentation must be one that is taken."""
    document: Any = yaml.safe_load(block.text)
    keys = set(document) if isinstance(document, dict) else set()
    if "declared" in keys:
        read_station(document)
    elif {"station", "lab"} <= keys and "space" not in keys:
        StationFile.model_validate(document)
    elif {"station", "space"} <= keys:
        campaign = check_campaign(document)
        check_feasible(campaign, station_of(campaign))
    elif {"parameters", "observables"} <= keys:
        read_mapping(document)
    elif keys & {"within", "best"}:
        read_goal(document)
    elif "observables" in keys:
        ResultsFile.model_validate(document)


def test_there_is_something_to_check() -> None:
    campaigns = [b for b in blocks("yaml") if "\nspace:" in b.text]
    assert len(campaigns) >= 2 and len(blocks("python")) >= 2 and len(blocks("sh")) >= 10
