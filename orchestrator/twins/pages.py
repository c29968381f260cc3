"""The reference pages of the twins, made from code, parameter files and the last scoreboard.

`python -m orchestrator.twins.pages` writes them again; with `--score` it judges every row and
draws every figure first. Tests compare the pages with what this module makes of the code.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from orchestrator.twins.catalogue import TWINS, Twin
from surrogate_sim.parameters import Constant, table

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "reference"
IMAGES = ROOT / "docs" / "images" / "twins"
REMAKE = "python -m orchestrator.twins.pages"
_NOTICE = f"<!-- Made by `{REMAKE}`; do not edit: change the code, and make it again. -->"
_DIGITS = 6
_WORDS = """\
A twin is a set of equations for one published system, behind a simulated station that reports
what the paper's instruments would have. `dotpilot twin validate` judges every row of
`orchestrator/twins/data/validation_table.csv` there and then; below is what it last said. A row
passes when all of its numbers lie within their bands. Diagnostic numbers (D), where published
values contradict each other, never count.

- **calibration**: rows marked C (the fit used them) or Z (from no or hardly any parameter), and
  nothing held out.
- **held out**: rows with an H in any part; never fitted. Where a model was changed after a look at
  a row, that row moved to C, with date and reason.
- **null**: a constant, the mean of the published calibration values of the same kind within the
  twin; to an ordering it answers that there is no difference.
""".splitlines()


def last_scoreboard() -> dict[str, Any]:
    """Return the committed document of `twin validate`."""
    place = resources.files("orchestrator.twins").joinpath("data", "scoreboard.json")
    found: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    return found


def pages(board: Mapping[str, Any]) -> dict[str, str]:
    """Return every page by its file name."""
    made = {f"twin-{name.replace('_', '-')}.md": _twin_page(t, board) for name, t in TWINS.items()}
    return {"twins.md": _overview(board), **made}


def _overview(board: Mapping[str, Any]) -> str:
    entries = [
        f"| [`{n}`](twin-{n.replace('_', '-')}.md) | {t.paper} | "
        + " | ".join(_shares(board["summary"]["twins"].get(n)))
        + f" | {_fitted(board['summary']['twins'].get(n))} |"
        for n, t in TWINS.items()
    ]
    whole = " | ".join(_shares(board["summary"]))
    return "\n".join(
        [
            _NOTICE,
            "# Twins and their scoreboard",
            "",
            *_WORDS,
            "",
            "| twin | paper | tier 1 calibration (null) | tier 1 held out (null) | "
            "all calibration (null) | all held out (null) | constants fitted on numbers |",
            "|---|---|---|---|---|---|---|",
            *entries,
            f"| all | | {whole} | |",
            "",
            "![Every number beside its band](../images/twins/scoreboard.png)",
            "",
            "Filled marks are held out. A number stands where it lies in its band, from −1 to 1;",
            "squares are bound on one side only.",
            "",
            "In the last column, constants are those that any C row fixed, and numbers are all",
            "that C rows are judged on, those of rows moved to C included. The least squares",
            "behind a twin used fewer of both; the page of its station says which.",
            "",
            'What the names of sources mean, from "seed 000" on, is on [their page](sources.md).',
            "",
            "## Ask one",
            "",
            "```sh",
            "dotpilot twin run larp_plate --set amine_acid_ratio=0.5 --set antisolvent=chloroform",
            "dotpilot twin validate anion_exchange --out plots",
            "dotpilot twin calibrate micropipette --out micropipette.toml",
            "dotpilot twin shap",
            "```",
            "",
        ]
    )


def _shares(counts: Mapping[str, Any] | None) -> list[str]:
    if counts is None:
        return ["-"] * 4
    return [
        _share(counts[tier][kind])
        for tier in ("tier_1", "all")
        for kind in ("calibration", "held_out")
    ]


def _share(count: Mapping[str, Any]) -> str:
    if not count["judged"]:
        return f"none of {count['rows']} judged"
    rest = count["rows"] - count["judged"]
    null = f"{100.0 * count['null_fraction']:.0f} %"
    more = f", {rest} not judged" if rest else ""
    return f"{count['passed']} of {count['judged']} ({null}){more}"


def _fitted(counts: Mapping[str, Any] | None) -> str:
    if counts is None or not counts["calibration_numbers"]:
        return "-"
    return f"{counts['fitted_constants']} on {counts['calibration_numbers']}"


def _twin_page(twin: Twin, board: Mapping[str, Any]) -> str:
    rows = [r for r in board["rows"] if r["twin"] == twin.name]
    lines = [
        _NOTICE,
        f"# Twin `{twin.name}`",
        "",
        f"{twin.paper} ([seed {twin.seed}](sources.md)).",
        f"What it models in words, its parameters, observables and instruments are on the page of "
        f"the [station](./{twin.name.replace('_', '-')}.md);",
        "the words of the table below are explained with [all twins](twins.md); the names of",
        'sources, such as "physics specification 3.4" and "audit A3", are on',
        "[their page](sources.md).",
        "",
        f"![What it gives beside the paper](../images/twins/{twin.name}.png)",
        "",
        "## What it reproduces, and what not",
        "",
        "| row | tier | use | quantity | published | ours | band | met | null |",
        "|---|---|---|---|---|---|---|---|---|",
        *(_row(r) for r in rows),
        "",
        *_reasons(rows),
        *_equations(twin),
        *_constants(twin),
    ]
    return "\n".join(lines) + "\n"


def _row(row: Mapping[str, Any]) -> str:
    met = {True: "yes", False: "**no**", None: "not judged"}
    cells = (
        row["id"],
        str(row["tier"]),
        row["use"] + (" (moved)" if row["moved"] else ""),
        row["quantity"],
        row["published"],
        row["ours"] or "",
        row["band"],
        met[row["pass"]],
        {True: "yes", False: "no", None: ""}[row["null_pass"]],
    )
    return "| " + " | ".join(_cell(c) for c in cells) + " |"


def _cell(text: str) -> str:
    return _outside(text.replace("|", "\\|"), "*").replace("\\*\\*no\\*\\*", "**no**")


def _outside(text: str, special: str) -> str:
    """Escape special characters of Markdown except in code spans, which show them as they are."""
    parts = re.split(r"(`[^`]*`)", text)
    for index in range(0, len(parts), 2):
        for mark in special:
            parts[index] = parts[index].replace(mark, "&lt;" if mark == "<" else f"\\{mark}")
    return "".join(parts)


def _reasons(rows: list[Mapping[str, Any]]) -> list[str]:
    found = []
    for row in rows:
        parts = []
        if row["moved"]:
            m = row["moved"]
            parts.append(f"moved from {m['from']} to {row['use']} on {m['on']}: {m['because']}.")
        if row["reason"]:
            parts.append(f"{row['reason']}.")
        if parts:
            found.append(f"- **{row['id']}**: {_cell(' '.join(parts))}")
    return [*found, ""] if found else []


def _equations(twin: Twin) -> list[str]:
    lines = ["## Equations", "", "From the code's own words, in `surrogate_sim`.", ""]
    for name in twin.physics:
        source = ROOT / "surrogate_sim" / f"{name}.py"
        tree = ast.parse(source.read_text(encoding="utf-8"))
        lines += [f"**`{name}`.** {_text(ast.get_docstring(tree))}", ""]
        public = [
            n
            for n in tree.body
            if isinstance(n, (ast.FunctionDef, ast.ClassDef)) and not n.name.startswith("_")
        ]
        lines += [f"- `{n.name}`: {_text(ast.get_docstring(n), first=True)}" for n in public]
        lines.append("")
    return lines


def _text(docstring: str | None, first: bool = False) -> str:
    paragraphs = (docstring or "").split("\n\n")
    kept = [p for p in paragraphs if not p.lstrip().startswith(("Args:", "Returns:", "Raises:"))]
    joined = " ".join(" ".join(p.split()) for p in (kept[:1] if first else kept))
    return _outside(joined.replace("``", "`"), "*_[<")


def _constants(twin: Twin) -> list[str]:
    own = table(twin.parameters)
    return [
        "## Constants",
        "",
        "`c` is calibrated, with the prior from which hidden laboratories are drawn. The shared "
        "constants are in `surrogate_sim/data/materials.toml`.",
        "",
        "| constant | value | unit | prior | source |",
        "|---|---|---|---|---|",
        *(_constant(name, c) for name, c in own.items()),
        "",
        "## Assumptions",
        "",
        *(
            f"- `{name}`: {_plain(c.source)}"
            for name, c in own.items()
            if "assumed" in c.source.lower()
        ),
    ]


def _constant(name: str, constant: Constant) -> str:
    prior = ""
    if constant.status == "calibrated":
        share = " of its logarithm" if constant.distribution == "lognormal" else ""
        prior = f"c, ± {constant.prior_sd:g}{share}"
    cells = (f"`{name}`", f"{constant.value:g}", constant.unit, prior, _plain(constant.source))
    return "| " + " | ".join(cells) + " |"


def _plain(text: str) -> str:
    return _outside(text.replace("|", "\\|"), "*_[<")


def rounded(value: Any) -> Any:
    """The same document with numbers of six digits, so that a commit shows what changed."""
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, list) else value


def main() -> None:
    """Write the pages; judge and draw first where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--score", action="store_true", help="judge all rows and draw figures")
    if parser.parse_args().score:
        _judge()
    for name, text in pages(last_scoreboard()).items():
        (DOCS / name).write_text(text, encoding="utf-8")
        sys.stderr.write(f"{name}\n")


def _judge() -> None:
    from orchestrator.twins.figures import write_figures
    from orchestrator.twins.scoreboard import document, score

    scores = score(processes=2, progress=lambda text: print(text, file=sys.stderr))
    board = json.dumps(rounded(document(scores)), indent=1, ensure_ascii=False, allow_nan=False)
    place = Path(__file__).parent / "data" / "scoreboard.json"
    place.write_text(board + "\n", encoding="utf-8")
    write_figures(IMAGES, scores)


if __name__ == "__main__":
    main()
