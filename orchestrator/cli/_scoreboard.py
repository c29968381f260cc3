"""The scoreboard of the twins as a person reads it in a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.twins.scoreboard import Score

_WORDS = {True: ("pass", "green"), False: ("miss", "red"), None: ("-", "yellow")}


def print_scoreboard(scores: Sequence[Score], summary: dict[str, Any]) -> None:
    """Print every row, then the counts, on stdout."""
    # published words are not markup: "a:b:c" is a ratio, and no picture
    console = Console(
        file=sys.stdout,
        width=None if sys.stdout.isatty() else 160,
        emoji=False,
        markup=False,
        highlight=False,
    )
    console.print(_rows(scores))
    for score in scores:
        if score.passed is not True:
            line = Text(f"{score.row.id} ", style="bold")
            console.print(line.append(score.reason, style="not bold"))
    console.print(_counts(summary))
    console.print(
        "calibration: rows marked C or Z; held out: rows with an H in any part; null: a constant "
        "equal to the calibration mean of the same kind, which sees no difference in orderings.",
        style="dim",
    )


def _rows(scores: Sequence[Score]) -> Table:
    from orchestrator.twins.scoreboard import ours_text

    table = Table(title="Published figures and twins", padding=(0, 0), pad_edge=False)
    for name in ("row", "tier", "use", "quantity", "published", "ours", "band", "met", "null"):
        short = name in ("row", "tier", "met", "null")
        table.add_column(name, overflow="fold", no_wrap=short)
    for score in scores:
        row = score.row
        table.add_row(
            row.id,
            str(row.tier),
            row.use + (" *" if row.moved_on else ""),
            row.quantity,
            row.published,
            ours_text(score) or "",
            row.band,
            _word(score.passed),
            _word(score.null),
        )
    table.caption = "* moved from held out"
    return table


def _word(value: bool | None) -> Text:
    word, colour = _WORDS[value]
    return Text(word, style=colour)


def _counts(summary: dict[str, Any]) -> Table:
    table = Table(title="Rows passed of rows judged", padding=(0, 0), pad_edge=False)
    for name in (
        "twin",
        "tier 1 C/Z",
        "null",
        "tier 1 H",
        "null",
        "all C/Z",
        "null",
        "all H",
        "null",
    ):
        table.add_column(name, justify="left" if name == "twin" else "right")
    for name, counts in (*summary["twins"].items(), ("all twins", summary)):
        cells = []
        for tier in ("tier_1", "all"):
            for kind in ("calibration", "held_out"):
                cells += _cells(counts[tier][kind])
        table.add_row(name, *cells)
    return table


def _cells(count: dict[str, Any]) -> list[str]:
    if not count["judged"]:
        return [f"none of {count['rows']}" if count["rows"] else "-", "-"]
    passed = f"{count['passed']}/{count['judged']} {100.0 * count['fraction']:.0f} %"
    return [passed, f"{100.0 * count['null_fraction']:.0f} %"]
