"""Documents as a person reads them in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def value_text(entry: Any) -> str:
    """Return a quantity with unit and standard error, or a categorical as it is."""
    if not isinstance(entry, dict):
        return str(entry)
    text = f"{entry['value']:.5g}"
    if entry.get("se"):
        text += f" ± {entry['se']:.2g}"
    unit = "" if entry.get("unit") == "dimensionless" else entry.get("unit", "")
    return f"{text} {unit}".rstrip()


def campaign_text(document: dict[str, Any]) -> str:
    """Return a campaign with its best trial, some lines of text."""
    reason = f", {document['stop_reason']}" if document["stop_reason"] else ""
    lines = [
        f"{document['campaign']}  {document['name']}: {document['state']}{reason}",
        f"  {document['trials']} trials, {document['completed']} completed, "
        f"agent {document['agent']}, station {document['station']}, seed {document['seed']}",
    ]
    if document.get("parent"):
        lines.append(f"  forked from {document['parent']} at event {document['forked_at']}")
    best = document["best"]
    if best is None:
        why = "no completed trial yet"
        if document["completed"] and document["source"] == "imported":
            why = "no objectives, so none is best"
        elif document["completed"]:
            why = "no trial has a value of every objective yet"
        return "\n".join([*lines, f"  {why}"])
    lines.append(f"  best is trial {best['trial']}:")
    lines += [f"    {name:24} {value_text(v)}" for name, v in best["observables"].items()]
    lines.append("  made with:")
    lines += [f"    {name:24} {value_text(v)}" for name, v in best["recipe"].items()]
    if len(document["pareto"]) > 1:
        numbers = ", ".join(str(p["trial"]) for p in document["pareto"])
        lines.append(f"  Pareto set: trials {numbers}")
    return "\n".join(lines)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an aligned text table."""
    widths = [max(len(str(r[i])) for r in [header, *rows]) for i in range(len(header))]
    lines = ["  ".join(str(c).ljust(w) for c, w in zip(r, widths, strict=True)) for r in rows]
    head = "  ".join(h.ljust(w) for h, w in zip(header, widths, strict=True))
    return "\n".join(line.rstrip() for line in [head, *lines])


def trials_text(document: dict[str, Any]) -> str:
    """Return the trials of a campaign, one line each."""
    rows = []
    for trial in document["trials"]:
        seen = "; ".join(f"{n} {value_text(v)}" for n, v in trial["observables"].items())
        policy = trial["proposal"]["policy"] if trial["proposal"] else ""
        verdict = trial["verdict"]["kind"] if trial["verdict"] else trial["failure"] or ""
        cells = [str(trial["trial"]), str(trial["attempt"]), trial["state"], verdict, policy, seen]
        rows.append(cells)
    return table(["trial", "attempt", "state", "verdict", "policy", "observables"], rows)


def trials_csv(document: dict[str, Any]) -> str:
    """Return the trials as CSV; units stand in the header as `name [unit]`."""
    import csv
    import io

    parts = {"recipe": "", "achieved": "achieved ", "observables": ""}
    columns: dict[str, None] = {}
    rows: list[dict[str, Any]] = []
    for trial in document["trials"]:
        row: dict[str, Any] = {k: trial[k] for k in ("trial", "attempt", "state", "failure")}
        row["verdict"] = trial["verdict"]["kind"] if trial["verdict"] else ""
        for part, prefix in parts.items():
            for name, entry in trial[part].items():
                row |= _cells(prefix + name, entry)
        columns |= dict.fromkeys(row)
        rows.append(row)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _cells(name: str, entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict):
        return {name: entry}
    head = f"{name} [{entry['unit']}]" if entry["unit"] else name
    cells = {head: repr(entry["value"])}
    if "se" in entry:
        cells[f"{head} se"] = "" if entry["se"] is None else repr(entry["se"])
    return cells
