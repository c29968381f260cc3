"""The twins' pages are what the code, the parameter files and the last scoreboard make of them."""

from __future__ import annotations

import pytest
from _markdown import ROOT, links

from orchestrator.twins.pages import DOCS, REMAKE, last_scoreboard, pages
from orchestrator.twins.published import published_rows

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
