"""What was wanted, what came out, and why it ended."""

from __future__ import annotations

from html import escape
from statistics import median

from agents import Continuous, Fixed, Objective, Parameter
from orchestrator.campaign import probability_met
from orchestrator.ledger import TrialRow
from orchestrator.loop import lab_hours
from orchestrator.report._record import Record
from orchestrator.report._section import Section
from orchestrator.report._words import (
    NBSP,
    definitions,
    folded,
    label,
    measured,
    moment,
    number,
    objective_text,
    paragraph,
    percent,
    plural,
    quantity,
    table,
    title,
    unit_text,
)

_STATES = {
    "draft": "Created, not started yet",
    "running": "Running",
    "paused": "Paused",
    "draining": "Ending: trials under way are finished, no new one is started",
    "finished": "Finished",
    "stopped": "Stopped",
    "failed": "Failed: the loop met an error; it can be resumed",
}
_REASONS = {
    "target_reached": "the target was reached",
    "no_improvement": "the results did not get better any more",
    "budget_spent": "the budget is spent",
    "stopped": "a person stopped it",
    "station_stopped": "the station stopped and needs a person",
}


def state_text(record: Record) -> str:
    """Say the campaign's state, why it is in it, and the detail on record."""
    text = _STATES.get(record.row.state, record.row.state)
    if record.row.stop_reason:
        text += f": {_REASONS.get(record.row.stop_reason, record.row.stop_reason)}"
    detail = ""
    for event, payload in record.events:
        if event.type.startswith("campaign."):
            fields = ("detail", "reason", "error")
            detail = next((str(v) for f in fields if (v := getattr(payload, f, ""))), "")
    return f"{text} ({detail})." if detail else f"{text}."


def header(record: Record) -> str:
    """Return the head of the page."""
    row = record.row
    kind = {"imported": "Imported records", "forked": "Forked campaign"}.get(
        row.source, "Campaign"
    )
    return (
        f'<header><p class="kind">{escape(kind)} {escape(row.id)}</p><h1>{escape(row.name)}</h1>'
        f'<p class="state {escape(row.state)}">{escape(state_text(record))}</p>'
        f"{definitions(_facts(record))}</header>"
    )


def _facts(record: Record) -> list[tuple[str, str]]:
    row, campaign = record.row, record.campaign
    imported = row.source == "imported"
    station = row.station_description
    made = "simulated" if station.get("simulated") else "real"
    lab = ""
    if campaign.lab and campaign.lab.get("hidden") is not None:
        lab = f"hidden laboratory {campaign.lab.get('hidden')}"
    elif station.get("simulated"):
        lab = f"nominal laboratory, noise seed {row.lab_seed}"
    hours = lab_hours(record.trials)
    clock = "virtual" if station.get("simulated") else "station"
    return [
        ("About", str(station.get("description") or "") if imported else ""),
        ("Trials", _trials_text(record)),
        (
            "Station",
            "none: records of another laboratory" if imported else f"{row.station} ({made})",
        ),
        ("Laboratory", lab),
        ("Agent", "" if imported else f"{campaign.agent}, seed {row.seed}"),
        ("Forked from", f"{row.parent} at event {row.forked_at}" if row.parent else ""),
        ("Time in the lab", f"{number(hours, 3)} h on the {clock} clock" if hours else ""),
        ("Created", moment(row.created_at)),
        ("Last event", moment(row.updated_at)),
    ]


def _trials_text(record: Record) -> str:
    if not record.trials:
        return "none yet"
    counts: dict[str, int] = {}
    for trial in record.trials:
        counts[trial.state] = counts.get(trial.state, 0) + 1
    shown = ", ".join(f"{n} {state.replace('_', ' ')}" for state, n in counts.items())
    budget = record.campaign.trials
    of = f" of at most {budget}" if budget and record.row.source != "imported" else ""
    if len(counts) == 1:
        return f"{len(record.trials)}{of}, all {next(iter(counts)).replace('_', ' ')}"
    return f"{len(record.trials)}{of}: {shown}"


def wanted(record: Record) -> Section:
    """Return the part on what was wanted."""
    if not record.objectives:
        names = ", ".join(label(n) for n in record.observables) or "none"
        text = f"No objectives were declared. Observables on record: {names}."
        return Section("wanted", "What was wanted", paragraph(text, "absent"))
    items = []
    for objective in record.objectives:
        about = record.description(objective.observable)
        tail = f' <span class="quiet">{escape(about)}</span>' if about else ""
        name = escape(title(objective.observable))
        said = objective_text(objective) + _declared(record, objective)
        items.append(f"<li><b>{name}</b> {escape(said)}{tail}</li>")
    after = ""
    if record.campaign.confidence is not None and record.bounded:
        after = paragraph(
            "The campaign stops once one trial meets all of this with a probability of at least "
            f"{percent(record.campaign.confidence)}."
        )
    return Section("wanted", "What was wanted", f"<ul>{''.join(items)}</ul>{after}")


def _declared(record: Record, objective: Objective) -> str:
    """Say a target as the file gave it, where that was in another unit than the station's."""
    for item in record.row.declared.get("objectives", ()):
        same = item.get("observable") == objective.observable and item.get("goal") == "target"
        unit = str(item.get("unit", ""))
        if same and objective.goal == "target" and unit not in ("", objective.unit):
            value, width = number(float(item["value"]), 6), number(float(item["tolerance"]))
            return f" (asked for as {value} ± {width}{NBSP}{unit_text(unit)})"
    return ""


def came_out(record: Record) -> Section:
    """Return the part on the best trial."""
    name = "What came out"
    if not record.objectives:
        text = "Without objectives no trial is better than another."
        return Section("best", name, paragraph(text, "absent") + _overview(record))
    if record.best is None:
        text = "No trial has given every wished-for value, so there is no best one."
        return Section("best", name, paragraph(text, "absent"))
    trial = record.trial(record.best)
    body = _verdict(record, trial) + _results(record, trial)
    body += f"<h3>Its recipe</h3>{recipe_table(record, trial)}"
    if trial.conditions:
        rows = [
            (title(n), quantity(c["value"], str(c.get("unit", ""))))
            for n, c in sorted(trial.conditions.items())
        ]
        body += folded("Conditions read back", table(("Condition", "Value"), rows))
    body += "".join(paragraph(f"Note: {w}.", "quiet") for w in trial.warnings)
    return Section("best", name, body)


def _overview(record: Record) -> str:
    """What was measured, where no trial is the best: count, range and median."""
    rows = []
    for name in record.observables:
        seen = sorted(o.observables[name].value for o in record.done if name in o.observables)
        if seen:
            ends = [quantity(v, record.unit(name)) for v in (seen[0], median(seen), seen[-1])]
            rows.append((title(name), str(len(seen)), *ends, record.description(name)))
    head = ("Observable", "Values", "Lowest", "Median", "Highest", "What it is")
    return table(head, rows, "about") if rows else ""


def _verdict(record: Record, trial: TrialRow) -> str:
    outcome = next(o for o in record.done if o.trial == trial.number)
    text = f"Trial {trial.number} is the best of {plural(len(record.done), 'completed trial')}."
    if record.bounded:
        chance = percent(probability_met(outcome, record.objectives))
        text += f" The probability that it meets every target and bound is {chance}."
    if (trial.verdict or {}).get("kind") == "accept_wide":
        reasons = "; ".join((trial.verdict or {}).get("reasons", ()))
        text += f" Its measurement was accepted with a larger error: {reasons}."
    return paragraph(text, "lead")


def _results(record: Record, trial: TrialRow) -> str:
    order = [*record.observables, *(n for n in trial.observables if n not in record.observables)]
    rows = []
    for name in order:
        seen = trial.observables.get(name)
        if seen is None:
            continue
        wish = "; ".join(objective_text(o) for o in record.wishes(name)) or "–"
        expected = trial.predicted.get(name)
        said = measured(expected["mean"], expected["sd"], seen.unit) if expected else "–"
        rows.append((title(name), measured(seen.value, seen.se, seen.unit), wish, said))
    return table(("Observable", "Measured ± standard error", "Wanted", "Predicted ± sd"), rows)


def recipe_table(record: Record, trial: TrialRow) -> str:
    """Return a trial's recipe: asked for, achieved, and where it could have been."""
    declared = {p["name"]: p for p in record.row.station_description["parameters"]}
    rows = []
    for parameter in record.campaign.space.parameters:
        if parameter.name not in trial.recipe:
            continue
        unit = record.units.get(parameter.name, "")
        reached = trial.achieved.get(parameter.name)
        rows.append(
            (
                title(parameter.name),
                quantity(trial.recipe[parameter.name], unit),
                "–" if reached is None else quantity(reached, unit),
                _range(parameter),
                str(declared.get(parameter.name, {}).get("description", "")),
            )
        )
    return table(("Parameter", "Asked for", "Read back", "Searched", "What it is"), rows, "about")


def _range(parameter: Parameter) -> str:
    if isinstance(parameter, Fixed):
        return "fixed"
    if isinstance(parameter, Continuous):
        unit = unit_text(parameter.unit)
        log = ", log" if parameter.log else ""
        return f"{number(parameter.low)} to {number(parameter.high)} {unit}".rstrip() + log
    return ", ".join(label(c) for c in parameter.choices)
