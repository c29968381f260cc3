"""The twins' pages are what the code, the parameter files and the last scoreboard make of them."""

from __future__ import annotations

import re

import pytest
from _markdown import ROOT, links

from orchestrator.twins import _larp_fit
from orchestrator.twins.catalogue import TWINS
from orchestrator.twins.pages import DOCS, REMAKE, last_scoreboard, pages
from orchestrator.twins.published import published_rows
from orchestrator.twins.rows import _topo_fit

MADE = pages(last_scoreboard())


@pytest.mark.parametrize("name", MADE)
def test_the_page_has_not_drifted(name: str) -> None:
    written = (DOCS / name).read_text(encoding="utf-8")
    assert written == MADE[name], f"docs/reference/{name} has drifted; run: {REMAKE}"


def test_every_row_stands_in_a_page_and_in_the_scoreboard() -> None:
    whole = "".join(MADE.values())
    board = [r["id"] for r in last_scoreboard()["rows"]]
    assert board == [r.id for r in published_rows()]
    assert all(f"| {name} |" in whole for name in board)


@pytest.mark.parametrize("name", MADE)
def test_plots_are_there(name: str) -> None:
    pictures = [t for t in links(DOCS / name) if t.endswith(".png")]
    assert pictures and all((DOCS / t).resolve().is_relative_to(ROOT) for t in pictures)
    assert all((DOCS / t).is_file() for t in pictures)


def test_station_pages_count_the_fit_as_the_code_does() -> None:
    topo = (DOCS / "topo-batch.md").read_text(encoding="utf-8")
    wanted = f"{len(_topo_fit.PRIORS)} constants are fitted, with priors, on the C numbers of "
    assert f"{wanted}{len(_topo_fit.USED)} rows" in topo
    larp = (DOCS / "larp-plate.md").read_text(encoding="utf-8")
    assert f"set {len(_larp_fit.PRIORS)} of them on " in larp
    assert len(TWINS["larp_plate"].fitted()) == 9 and "Nine constants are fitted" in larp
    assert set(TWINS["topo_batch"].fitted()) == set(_topo_fit.PRIORS)


def test_every_station_and_twin_page_leads_to_its_sources() -> None:
    cited = [DOCS / f"{name.replace('_', '-')}.md" for name in TWINS]
    assert all("sources.md" in links(page) for page in cited)
    assert all("(sources.md)" in text for text in MADE.values())
    sources = (DOCS / "sources.md").read_text(encoding="utf-8")
    assert all(f"| seed {twin.seed} |" in sources for twin in TWINS.values())


def test_code_spans_show_what_they_hold() -> None:
    spans = [s for text in MADE.values() for s in re.findall(r"`[^`\n]*`", text)]
    assert not [s for s in spans if "&lt;" in s or r"\_" in s or r"\*" in s or r"\[" in s]
