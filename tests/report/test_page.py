"""The page as a whole: complete, self-contained, escaped, and the same bytes each time."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest

from orchestrator.errors import InputRefusedError, NotFoundError
from orchestrator.ledger import Ledger
from orchestrator.report import FIGURES, PAGE, write_report
from tests.report import stories

VOID = {"meta", "link", "img", "source", "br"}
PARTS = ["wanted", "best", "convergence", "pareto", "prediction", "recipes", "spectra",
         "timeline", "trials", "provenance"]  # fmt: skip
WATCHED = {"frames", "samples", "series"}  # of stations that read repeatedly, or weigh and count
ALL = set(FIGURES) - WATCHED
KINDS: list[tuple[Callable[[Ledger], str], set[str]]] = [
    (stories.draft, {"timeline"}),
    (stories.one_trial, ALL - {"predicted_measured", "calibration"}),
    (stories.failed_only, {"parallel_coordinates", "timeline"}),
    (stories.full, ALL),
    (stories.imported, {"convergence", "parallel_coordinates", "timeline"}),
    (stories.forked, {"convergence", "parallel_coordinates", "spectra", "timeline"}),
]


class Reader(HTMLParser):
    """Keeps the elements of a page and checks that they nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {k: v or "" for k, v in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]


def read(page: Path) -> Reader:
    reader = Reader()
    reader.feed(page.read_text(encoding="utf-8"))
    assert reader.open == []
    return reader


@dataclass(frozen=True)
class Written:
    """A report, with the ledger that it was written from."""

    ledger: Ledger
    campaign: str
    page: Path
    figures: set[str]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Written]]:
    """One report of every kind of campaign."""
    with ExitStack() as stack:
        found = {}
        for make, figures in KINDS:
            folder = tmp_path_factory.mktemp(make.__name__)
            ledger = stack.enter_context(stories.open_ledger(folder))
            campaign = make(ledger)
            page = write_report(ledger, campaign, folder / "out")
            found[make.__name__] = Written(ledger, campaign, page, figures)
        yield found


@pytest.fixture(params=[make.__name__ for make, _ in KINDS])
def report(request: pytest.FixtureRequest, written: dict[str, Written]) -> tuple[Path, set[str]]:
    one = written[request.param]
    return one.page, one.figures


def test_every_kind_of_campaign_gives_a_whole_page(report: tuple[Path, set[str]]) -> None:
    page, expected = report
    assert page.name == PAGE
    reader = read(page)
    assert [a["id"] for a in reader.all("section")] == PARTS
    assert {p.stem for p in page.parent.glob("*.png")} == expected
    assert [a["id"].removeprefix("figure-") for a in reader.all("figure")] == [
        name for name in FIGURES if name in expected
    ]
    for png in page.parent.glob("*.png"):
        assert png.read_bytes().startswith(b"\x89PNG")


def test_nothing_is_fetched_and_nothing_runs(report: tuple[Path, set[str]]) -> None:
    reader = read(report[0])
    assert reader.all("script") == []
    assert all(not name.startswith("on") for _, a in reader.found for name in a)
    addresses = [a[k] for _, a in reader.found for k in ("src", "href", "srcset") if k in a]
    assert addresses
    assert all(address.startswith(("data:image/", "#")) for address in addresses)
    anchors = {a["href"] for a in reader.all("a")}
    assert anchors == {f"#{part}" for part in PARTS}
    sheet = report[0].read_text().partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in sheet and "@import" not in sheet
    for drawing in addresses:
        if drawing.startswith("data:image/svg"):
            text = base64.b64decode(drawing.partition(",")[2]).decode()
            assert not re.search(r'(href|src)="(?!#|data:)', text)


def test_every_figure_says_what_it_shows(report: tuple[Path, set[str]]) -> None:
    reader = read(report[0])
    assert all(len(a["alt"]) > 20 for a in reader.all("img"))
    assert len(reader.all("figcaption")) == len(reader.all("img"))


def test_same_record_same_bytes(written: dict[str, Written], tmp_path: Path) -> None:
    first = written["full"].page.parent
    second = write_report(written["full"].ledger, written["full"].campaign, tmp_path).parent
    names = sorted(p.name for p in first.iterdir())
    assert names == sorted(p.name for p in second.iterdir())
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_full_story_is_told(written: dict[str, Written]) -> None:
    campaign = written["full"].campaign
    text = " ".join(read(written["full"].page).words)
    for told in (
        "full <script>alert(1)</script>",  # as text: the parser found no such element
        "the target was reached (trial 9 meets all)",
        "510.80 ± 0.30\u00a0nm",
        "on target at 512 ± 1.5\u00a0nm (asked for as 2.4216 ± 0.0071\u00a0eV)",
        "lead concentration 4\u00a0mmol/L, halide salt ZnI2, salt concentration 3.5\u00a0mmol/L",
        "failed: clogged: no <flow> passes",
        "5 (attempt 2)",
        "rejected: stop: saturated",
        "trial 7 is in doubt (found dispatched)",
        "after a doubt, repeat by policy: repeatable",
        "torch 2.13.0",
        f"dotpilot replay verify {campaign}",
        "P<1>",
        "salt & stage",
    ):
        assert told in text, told


def test_forks_and_imports_say_what_they_are(written: dict[str, Written]) -> None:
    assert "cparent at event 9" in " ".join(read(written["forked"].page).words)
    text = " ".join(read(written["imported"].page).words)
    assert "No objectives were declared" in text
    assert "PLQY is known of 15 of 30 trials" in text
    assert "cd" * 32 in text


def test_figures_of_an_earlier_report_do_not_stay(tmp_path: Path) -> None:
    with stories.open_ledger(tmp_path) as ledger:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "spectra.png").write_bytes(b"old")
        (tmp_path / "out" / "mine.png").write_bytes(b"mine")
        write_report(ledger, stories.draft(ledger), tmp_path / "out")
    assert {p.name for p in (tmp_path / "out").glob("*.png")} == {"timeline.png", "mine.png"}


def test_refusals(tmp_path: Path) -> None:
    with stories.open_ledger(tmp_path) as ledger:
        campaign = stories.draft(ledger)
        (tmp_path / "taken").write_text("")
        with pytest.raises(InputRefusedError, match="--out must be a folder"):
            write_report(ledger, campaign, tmp_path / "taken")
        with pytest.raises(NotFoundError):
            write_report(ledger, "nobody", tmp_path / "out")
    assert not (tmp_path / "out").exists()
