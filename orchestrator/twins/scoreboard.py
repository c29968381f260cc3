"""Every row of the table judged there and then, beside a null model, and counted.

The twins' rows are functions of the nominal lab. Rows that share runs stay in one process, where
the runs are remembered; the groups are shared out over a pool of processes of one thread each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.executor import open_executor
from orchestrator.twins.catalogue import TWINS, Twin
from orchestrator.twins.checks import STRICT, Check
from orchestrator.twins.published import PublishedRow, published_rows

APART: tuple[frozenset[str], ...] = (frozenset({"LP-18", "LP-19"}),)
"""Rows that take long and share runs among themselves only."""


@dataclass(frozen=True)
class Score:
    """What came of one row.

    Attributes:
        row: The published row.
        checks: Its checks; empty where it could not be judged.
        reason: Why it is missed, moved or not judged; notes on it otherwise.
        null: Whether the null model passes; None where nothing was judged.
    """

    row: PublishedRow
    checks: tuple[Check, ...] = ()
    reason: str = ""
    null: bool | None = None

    @property
    def gating(self) -> tuple[Check, ...]:
        """Checks that count: diagnostic ones do only where there are no others."""
        return tuple(c for c in self.checks if c.use != "D") or self.checks

    @property
    def passed(self) -> bool | None:
        """Whether every check that counts is met; None where none could be judged."""
        return all(c.passed for c in self.gating) if self.checks else None


def score(
    twins: Sequence[str] | None = None,
    rows: Iterable[str] | None = None,
    *,
    processes: int | None = 1,
    ray: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Score]:
    """Judge the rows of the table.

    Args:
        twins: Names; all where left out.
        rows: Ids; all of these twins where left out.
        processes: In how many processes; 1 stays in this one.
        ray: On this Ray cluster instead, with `processes` None.
        progress: Told of each group that is done.

    Returns:
        One score for each row, in the table's order.
    """
    only = None if rows is None else set(rows)
    asked = [
        r
        for r in published_rows()
        if (twins is None or r.twin in twins) and (only is None or r.id in only)
    ]
    groups = _groups(asked)
    judged: dict[str, tuple[tuple[Check, ...], str]] = {}
    for done in _judge_all(groups, processes, ray):
        judged |= done
        progress(f"{len(judged)} of {len(asked)} rows judged")
    return with_null([_score(r, *judged[r.id]) for r in asked])


def _groups(rows: Sequence[PublishedRow]) -> list[tuple[str, tuple[str, ...]]]:
    """Rows that share runs, as (twin, ids); the longest first."""
    found: dict[tuple[str, int], list[str]] = {}
    for row in rows:
        part = next((i + 1 for i, ids in enumerate(APART) if row.id in ids), 0)
        found.setdefault((row.twin, part), []).append(row.id)
    order = {"flow_synthesis": 0, "larp_plate": 1}
    ranked = sorted(found.items(), key=lambda entry: (order.get(entry[0][0], 2), entry[0]))
    return [(twin, tuple(ids)) for (twin, _), ids in ranked]


_Judged = dict[str, tuple[tuple[Check, ...], str]]


def _judge_all(
    groups: Sequence[tuple[str, tuple[str, ...]]], processes: int | None, ray: str | None
) -> Iterator[_Judged]:
    with open_executor(processes, ray, tasks=len(groups)) as executor:
        yield from executor.completed(_judge, *zip(*groups, strict=True))


def _judge(name: str, ids: Sequence[str]) -> _Judged:
    twin = TWINS[name]
    rows, notes = twin.rows(), twin.notes()
    lab = twin.nominal() if rows else None
    found: _Judged = {}
    for row in ids:
        if lab is None or row not in rows:
            found[row] = ((), notes.get(row, _unwritten(twin, rows)))
            continue
        try:
            checks = rows[row](lab)
        except Exception as error:
            error.add_note(f"while row {row} of {name} was judged")
            raise
        found[row] = (tuple(_plain(c) for c in checks), notes.get(row, ""))
    return found


def _plain(check: Check) -> Check:
    """The same with a plain number, whatever kind of number the row computed."""
    return replace(check, ours=float(check.ours), low=float(check.low), high=float(check.high))


def _unwritten(twin: Twin, rows: Mapping[str, Any]) -> str:
    if not rows:
        return f"the rows of {twin.name} have not been written yet"
    return "needs a whole campaign or a part that has not been built yet"


def _score(row: PublishedRow, checks: tuple[Check, ...], note: str) -> Score:
    missed = [_miss(c) for c in Score(row, checks).gating if not c.passed]
    return Score(row, checks, "; ".join([*missed, *([note] if note else [])]))


def _miss(check: Check) -> str:
    if check.low == STRICT and math.isinf(check.high):
        wanted = "must be above 0"
    elif check.high == -STRICT and math.isinf(check.low):
        wanted = "must be below 0"
    else:
        wanted = f"must be within {_number(check.low)} to {_number(check.high)}"
    return f"{check.label}: {_number(check.ours)} {check.unit}".rstrip() + f", {wanted}"


def with_null(scores: Sequence[Score]) -> list[Score]:
    """Add what the null model says: a constant, the calibration mean per kind within a twin."""
    means = {name: calibration_means(s for s in scores if s.row.twin == name) for name in TWINS}
    return [
        replace(s, null=all(c.null(means[s.row.twin]) for c in s.gating) if s.checks else None)
        for s in scores
    ]


def calibration_means(scores: Iterable[Score]) -> dict[str, float]:
    """Return the mean of the published calibration values of each kind."""
    seen: dict[str, list[float]] = {}
    for check in (c for s in scores for c in s.checks):
        if check.use == "C" and check.published is not None and check.kind != "difference":
            seen.setdefault(check.kind, []).append(check.published)
    return {kind: math.fsum(values) / len(values) for kind, values in seen.items()}


def _number(value: float) -> str:
    if math.isnan(value):
        return "none"
    if math.isinf(value):
        return "any"
    return f"{value:.4g}"


def document(scores: Sequence[Score]) -> dict[str, Any]:
    """Return the document of `twin validate`."""
    return {"rows": [_entry(s) for s in scores], "summary": summary(scores)}


def _entry(score: Score) -> dict[str, Any]:
    row = score.row
    return {
        "id": row.id,
        "twin": row.twin,
        "quantity": row.quantity,
        "published": row.published,
        "ours": ours_text(score),
        "band": row.band,
        "use": row.use,
        "tier": row.tier,
        "pass": score.passed,
        "null_pass": score.null,
        "reason": score.reason,
        "moved": {"from": row.frozen_use, "on": row.moved_on, "because": row.moved_because}
        if row.moved_on
        else None,
        "structure_informed": "structure-informed" in score.reason,
        "checks": [_check(c) for c in score.checks],
    }


def _check(check: Check) -> dict[str, Any]:
    return {
        "label": check.label,
        "ours": _finite(check.ours),
        "low": _finite(check.low),
        "high": _finite(check.high),
        "unit": check.unit,
        "use": check.use,
        "published": check.published,
        "pass": check.passed,
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def ours_text(score: Score, most: int = 5) -> str | None:
    """Return a row's numbers in its checks' order, those of one unit together."""
    if not score.checks:
        return None
    parts: list[str] = []
    for i, check in enumerate(score.checks[:most]):
        follows = score.checks[i + 1].unit if i + 1 < min(len(score.checks), most) else None
        unit = "" if follows == check.unit else f" {check.unit}"
        parts.append(_number(check.ours) + unit.rstrip())
    more = len(score.checks) - most
    return ", ".join(parts) + (f" and {more} more" if more > 0 else "")


def summary(scores: Sequence[Score]) -> dict[str, Any]:
    """Count passes: tier 1 and all, calibration and held out, per twin, beside the null model."""
    names = [name for name in TWINS if any(s.row.twin == name for s in scores)]
    return {
        **_tiers(scores),
        "twins": {
            name: {
                **_tiers([s for s in scores if s.row.twin == name]),
                "fitted_constants": len(TWINS[name].fitted()),
                "calibration_numbers": _parts(scores, name, "C")["judged"],
                "held_out_numbers": _parts(scores, name, "H"),
            }
            for name in names
        },
    }


def _parts(scores: Sequence[Score], twin: str, use: str) -> dict[str, int]:
    """Single numbers of a use, whatever row they stand in."""
    found = [c for s in scores if s.row.twin == twin for c in s.checks if c.use == use]
    return {"judged": len(found), "passed": sum(c.passed for c in found)}


def _tiers(scores: Sequence[Score]) -> dict[str, Any]:
    counted = [s for s in scores if not s.row.diagnostic]
    return {
        name: {
            "calibration": _counts([s for s in chosen if not s.row.held_out]),
            "held_out": _counts([s for s in chosen if s.row.held_out]),
        }
        for name, chosen in (
            ("tier_1", [s for s in counted if s.row.tier == 1]),
            ("all", counted),
        )
    }


def _counts(scores: Sequence[Score]) -> dict[str, Any]:
    judged = [s for s in scores if s.passed is not None]
    passed, null = sum(s.passed is True for s in judged), sum(s.null is True for s in judged)
    return {
        "rows": len(scores),
        "judged": len(judged),
        "passed": passed,
        "fraction": passed / len(judged) if judged else None,
        "null_passed": null,
        "null_fraction": null / len(judged) if judged else None,
    }
