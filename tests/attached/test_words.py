"""What people read of later measurements: the command's refusals, and the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.cli import main
from orchestrator.decisions import attach_measurement
from orchestrator.ledger import Ledger
from orchestrator.report import write_report
from tests.attached.campaigns import created_with_later, seen, sizes, stated
from tests.records import proposed, run_trial


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Ledger]:
    (tmp_path / "tem.csv").write_bytes(sizes())
    with Ledger.open(f"sqlite:///{tmp_path}/x.db") as ledger:
        campaign = ledger.create_campaign(created_with_later(), actor="test")
        ledger.append(campaign, proposed(1, 1), actor="test")
        run_trial(ledger, campaign, 1)
        yield ledger


def typed(folder: Path, *words: str, file: str = "tem.csv") -> int | str | None:
    line = ["attach", "record", "1", str(folder / file), "--note", "x", *words]
    with pytest.raises(SystemExit) as stop:
        main([*line, "--db", f"sqlite:///{folder}/x.db"])
    return stop.value.code


def test_a_value_is_said_with_its_error_and_method(
    record: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(tmp_path, "--observable", "tem_size") == 0
    said = capsys.readouterr().out
    assert "trial 1  tem_size 8.956 ± 0.1 nm  (TEM: mean@1)" in said


def test_refusals_have_their_exit_codes(
    record: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(tmp_path, "--observable", "tem_size", file="nothing.csv") == 3
    assert typed(tmp_path, "--observable", "tem_size", "--se", "1") == 2
    assert typed(tmp_path, "--observable", "peak", "--value", "1") == 2
    assert typed(tmp_path, "--observable", "tem_size", file=".") == 2
    said = capsys.readouterr().err
    assert "--unit and --se belong to --value" in said and "say --correct" in said


def test_a_file_beyond_the_limit_is_not_read_into_the_record(
    record: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / "large.bin").open("wb") as file:
        file.truncate(64 * 2**20 + 1)
    assert typed(tmp_path, "--observable", "tem_size", "--value", "9", file="large.bin") == 2
    assert "at most 64 MiB" in capsys.readouterr().err


def test_the_page_shows_which_value_holds(record: Ledger, tmp_path: Path) -> None:
    (campaign,) = record.campaigns()
    attach_measurement(record, campaign.id, 1, seen(note="<first> look"))
    attach_measurement(record, campaign.id, 1, stated("tem_size", 8.25, se=0.05))
    attach_measurement(record, campaign.id, 1, stated("peak", 521.5, correct=True))
    page = write_report(record, campaign.id, tmp_path / "page").read_text()
    part = page[page.rindex("Later measurements") : page.rindex("Provenance")]
    assert "8.250 ± 0.050" in part and "TEM: mean@1" in part
    assert "&lt;first&gt; look" in part, "notes are text, not HTML"
    assert "peak in place of the station" in part
    assert part.count("<td>yes</td>") == 2 and part.count("<td>no</td>") == 1
