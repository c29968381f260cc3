"""What happened when: events by type, so that an interruption is seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from orchestrator.events import (
    PAYLOADS,
    CampaignDraining,
    CampaignFailed,
    CampaignPaused,
    CampaignResumed,
    Event,
    Payload,
    TrialInDoubt,
    TrialResolved,
)
from orchestrator.report._figure import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    Illustration,
    Layout,
    new_figure,
)
from orchestrator.report._record import Record
from orchestrator.report._section import Section
from orchestrator.report._words import NBSP, moment, number, paragraph, plural

SLUG, TITLE = "timeline", "Event timeline"
_COLOURS = {
    "step.proposed": BLUE,
    "trial.completed": GREEN,
    "trial.measured": SKY,
    "trial.rejected": VERMILLION,
    "trial.failed": VERMILLION,
    "trial.in_doubt": VERMILLION,
    "trial.resolved": PURPLE,
    "trial.approved": ORANGE,
    "campaign.resumed": ORANGE,
    "campaign.paused": VERMILLION,
    "campaign.failed": VERMILLION,
}
INTERRUPTIONS = ("campaign.paused", "campaign.resumed", "campaign.failed", "campaign.draining")


def timeline(record: Record) -> Section:
    """Return the part on events."""
    illustration = Illustration(
        "timeline", lambda at: _draw(record, at), _alt(record), _caption(record)
    )
    return Section(SLUG, TITLE, figures=(illustration,), after=_story(record))


def elapsed(record: Record) -> tuple[list[float], str]:
    """Time of each event since the first, and its unit: s, min, h or d."""
    times = [datetime.fromisoformat(event.at) for event, _ in record.events]
    seconds = [(at - times[0]).total_seconds() for at in times]
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds[-1] >= 2.0 * size:
            return [s / size for s in seconds], unit
    return seconds, "s"


def _kinds(record: Record) -> list[str]:
    present = {event.type for event, _ in record.events}
    return [kind for kind in PAYLOADS if kind in present]


def _draw(record: Record, layout: Layout) -> Figure:
    kinds = _kinds(record)
    since, unit = elapsed(record)
    height = 0.23 * len(kinds) + 0.2
    if since[-1] > 0.0:
        figure = new_figure(layout.width, height + 1.8)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[height, 1.1])
        _clock(record, lower, since, unit)
    else:
        figure = new_figure(layout.width, height + 0.6)
        upper = lower = figure.subplots()
    _rows(record, upper, kinds)
    lower.set_xlabel("event number")
    lower.xaxis.set_major_locator(MaxNLocator(integer=True))
    lower.set_xlim(0.0, record.events[-1][0].seq + 1.0)
    return figure


def _rows(record: Record, axes: Axes, kinds: Sequence[str]) -> None:
    for row, kind in enumerate(kinds):
        at = [event.seq for event, _ in record.events if event.type == kind]
        axes.plot(
            at, np.full(len(at), row), linestyle="none", marker="|" if len(at) > 40 else "s",
            markersize=7 if len(at) > 40 else 4, color=_COLOURS.get(kind, GREY), zorder=3,
        )  # fmt: skip
    axes.set_yticks(range(len(kinds)), kinds)
    axes.set_ylim(len(kinds) - 0.4, -0.6)
    axes.grid(axis="y", color="#eeeeee", linewidth=0.8)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    _interruptions(record, axes)


def _clock(record: Record, axes: Axes, since: Sequence[float], unit: str) -> None:
    seqs = [event.seq for event, _ in record.events]
    axes.plot(
        seqs, since, color=BLUE, linewidth=1.3, drawstyle="steps-post", marker=".", markersize=3
    )
    axes.set_ylabel(f"elapsed [{unit}]")
    _interruptions(record, axes)


def _interruptions(record: Record, axes: Axes) -> None:
    for event, _ in record.events:
        if event.type in INTERRUPTIONS:
            axes.axvline(event.seq, color=ORANGE, linewidth=0.9, zorder=1)


def _story(record: Record) -> str:
    """The interruptions and decisions in words."""
    lines = [line for pair in record.events if (line := _line(*pair))]
    if not lines and (record.row.source == "imported" or record.row.state == "draft"):
        return ""
    if not lines:
        return paragraph(
            "The campaign ran without an interruption, a doubt or a decision by hand."
        )
    shown = "".join(paragraph(line, "story") for line in lines[:30])
    if len(lines) > 30:
        shown += paragraph(f"{len(lines) - 30} more such events are in the record.")
    return shown


def _line(event: Event, payload: Payload) -> str:
    """Say an event that a reader should know of; "" for the usual ones."""
    at = f"Event {event.seq}, {moment(event.at)}"
    if isinstance(payload, CampaignPaused | CampaignDraining):
        return f"{at}: {event.type.partition('.')[2]}, {payload.reason}."
    if isinstance(payload, CampaignResumed):
        return f"{at}: resumed."
    if isinstance(payload, CampaignFailed):
        return f"{at}: the loop failed with {payload.error}."
    if isinstance(payload, TrialInDoubt):
        return (
            f"{at}: trial {payload.trial} is in doubt (found {payload.found}), {payload.reason}."
        )
    if isinstance(payload, TrialResolved):
        return (
            f"{at}: trial {payload.trial} is settled by {payload.by}: {payload.decision}, "
            f"{payload.note}."
        )
    return ""


def _gaps(record: Record) -> tuple[int, float, float]:
    """The event before the longest silence, its length [s], and the median silence [s]."""
    times = [datetime.fromisoformat(event.at) for event, _ in record.events]
    gaps = [(b - a).total_seconds() for a, b in zip(times, times[1:], strict=False)]
    if not gaps:
        return 1, 0.0, 0.0
    at = int(np.argmax(gaps))
    return record.events[at][0].seq, gaps[at], float(np.median(gaps))


def _alt(record: Record) -> str:
    counts = [sum(e.type == kind for e, _ in record.events) for kind in _kinds(record)]
    said = ", ".join(f"{n} {kind}" for n, kind in zip(counts, _kinds(record), strict=True))
    return f"Events by type against their number: {said}; beneath, the time since the first event."


def _caption(record: Record) -> str:
    first, last = record.events[0][0], record.events[-1][0]
    seq, gap, usual = _gaps(record)
    count = plural(len(record.events), "event")
    since = (datetime.fromisoformat(last.at) - datetime.fromisoformat(first.at)).total_seconds()
    if since == 0.0:
        return f"{count}, recorded at one moment, {moment(first.at)}."
    parts = [f"{count} within {_duration(since)} from {moment(first.at)} on, in their order."]
    parts.append("A jump of the lower curve is a pause; orange lines are pauses and resumptions.")
    if gap >= max(1.0, 10.0 * usual):
        parts.append(f"The longest silence, {_duration(gap)}, follows event {seq}.")
    return " ".join(parts)


def _duration(seconds: float) -> str:
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2.0 * size:
            return f"{number(seconds / size, 3)}{NBSP}{unit}"
    return f"{number(seconds, 3)}{NBSP}s"


__all__ = ["elapsed", "timeline"]
