"""Names, units and numbers as a chemist writes them, and the small pieces of HTML."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from agents import Objective

NBSP = "\u00a0"
_UNITS = {
    "degC": "°C",
    "percent": "%",
    "degree_Celsius": "°C",
    "nanometer": "nm",
    "um": "µm",
    "microliter": "µL",
    "uL": "µL",
    "umol/L": "µmol/L",
}
_WORDS = {"cs": "Cs", "pb": "Pb", "br": "Br", "pbbr2": "PbBr2"} | {
    name: name.upper()
    for name in ("plqy", "fwhm", "pl", "saxs", "waxs", "tem", "xrd", "icp", "tmsi", "topo", "dopa")
}


def label(name: str) -> str:
    """Return a name of the record as words: `emission_fwhm` becomes `emission FWHM`."""
    return " ".join(_WORDS.get(part, part) for part in name.split("_"))


def title(name: str) -> str:
    """Return a name as words that begin a sentence."""
    words = label(name)
    return words[:1].upper() + words[1:]


def unit_text(unit: str) -> str:
    """Return a unit as it is printed; "" for a pure number."""
    return _UNITS.get(unit, unit)


def axis_label(name: str, unit: str) -> str:
    """Return an axis label with its unit in brackets."""
    shown = unit_text(unit)
    return f"{title(name)} [{shown}]" if shown else title(name)


def number(value: float, digits: int = 4) -> str:
    """Return a number to so many significant digits, with a true minus sign."""
    if not math.isfinite(value):
        return str(value)
    if value == 0.0:
        return "0"
    if 1e-3 <= abs(value) < 10.0**digits:
        text = f"{value:.{max(digits - 1 - _exponent(value), 0)}f}"
        return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")
    if 1.0 <= abs(value) < 1e7:
        return grouped(value)
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    return f"{mantissa} × 10^{int(power)}".replace("-", "−")


def grouped(value: float) -> str:
    """Return a whole number with thin spaces between groups of digits, from five digits on."""
    text = f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.0f}"
    return text.replace(",", "\u202f").replace("-", "−")


def _exponent(value: float) -> int:
    return math.floor(math.log10(abs(value)))


def measured(value: float, error: float | None, unit: str = "") -> str:
    """Return `value ± error unit`, rounded where the error's second digit stands."""
    tail = f"{NBSP}{unit_text(unit)}" if unit_text(unit) else ""
    if not error or not math.isfinite(error):
        return number(value) + tail
    places = 1 - _exponent(error)
    if 0 < places <= 8:
        return f"{value:.{places}f} ± {error:.{places}f}".replace("-", "−") + tail
    if -6 <= places <= 0:
        return f"{grouped(round(value, places))} ± {grouped(round(error, places))}{tail}"
    return f"{number(value)} ± {number(error, 2)}{tail}"


def quantity(value: Any, unit: str = "") -> str:
    """Return one value of a recipe with its unit; a choice as words."""
    if isinstance(value, str):
        return label(value)
    shown = unit_text(unit)
    return f"{number(float(value))}{NBSP}{shown}".rstrip()


def percent(probability: float) -> str:
    """Return a probability as a percentage that never rounds to a false 0 or 100."""
    share = 100.0 * probability
    if 0.0 < share < 0.1:
        return f"<{NBSP}0.1{NBSP}%"
    if 99.9 < share < 100.0:
        return f">{NBSP}99.9{NBSP}%"
    fine = 0.0 < share < 10.0 or 90.0 < share < 100.0
    text = f"{share:.1f}" if fine else f"{share:.0f}"
    return f"{text.removesuffix('.0')}{NBSP}%"


def objective_text(objective: Objective) -> str:
    """Say one objective without its observable: `512 ± 1.5 nm`, `at most 18 nm`."""
    unit = objective.unit
    if objective.goal == "target" and objective.value is not None:
        shown = f"{NBSP}{unit_text(unit)}" if unit else ""
        width = number(objective.tolerance or 0.0)
        return f"on target at {number(objective.value, 6)} ± {width}{shown}"
    goal = {"minimise": "as small as possible", "maximise": "as large as possible"}
    words = [goal[objective.goal]] if objective.goal in goal else []
    if objective.min is not None:
        words.append(f"at least {quantity(objective.min, unit)}")
    if objective.max is not None:
        words.append(f"at most {quantity(objective.max, unit)}")
    return ", ".join(words)


def duration(seconds: float) -> str:
    """Return a time span in the unit that suits it, to two digits: `0.15 s`, `20 min`, `12 h`."""
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 1.995 * size:
            return f"{number(seconds / size, 2)}{NBSP}{unit}"
    return f"{number(seconds, 2)}{NBSP}s"


def moment(iso: str) -> str:
    """Return an ISO time in UTC to the minute."""
    return f"{iso[:10]} {iso[11:16]} UTC"


def numbers(values: Iterable[int], at_most: int = 12) -> str:
    """Return trial numbers as a list in words, shortened where it is long."""
    found = [str(v) for v in values]
    if len(found) > at_most:
        return f"{', '.join(found[:at_most])} and {len(found) - at_most} more"
    return ", ".join(found[:-1]) + (" and " if len(found) > 1 else "") + (found or [""])[-1]


def plural(count: int, noun: str) -> str:
    """Return `1 trial`, `2 trials`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def paragraph(text: str, kind: str = "") -> str:
    """Return an escaped paragraph."""
    return f"<p{_class(kind)}>{escape(text)}</p>"


def definitions(rows: Iterable[tuple[str, str]]) -> str:
    """Return a definition list; the values are text."""
    items = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in rows if v)
    return f"<dl>{items}</dl>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """Return a table of text cells, the first column as row headers, in a scrolling box."""
    top = "".join(f'<th scope="col">{escape(h)}</th>' for h in head)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    inner = f"<table{_class(kind)}><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll" tabindex="0">{inner}</div>'


def folded(summary: str, inner: str) -> str:
    """Return a part that a reader can unfold."""
    return f"<details><summary>{escape(summary)}</summary>{inner}</details>"


def _class(kind: str) -> str:
    return f' class="{escape(kind)}"' if kind else ""
