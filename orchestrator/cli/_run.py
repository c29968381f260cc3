"""Commands that move things: launch, resume, pause, drain, abort, approve, resolve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli._alarms import AlarmsOption
from orchestrator.cli._context import TranscriptOption, emit, say, settings
from orchestrator.cli._service import Rest, service

RequireTarget = Annotated[
    bool, typer.Option("--require-target", help="Exit 10 unless the target was reached.")
]
CampaignArgument = Annotated[
    str, typer.Argument(metavar="CAMPAIGN", help="Identifier, its beginning, or a unique name.")
]

ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept in the record.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(launch)
    app.command()(resume)
    app.command()(pause)
    app.command()(drain)
    app.command()(abort)
    app.command()(approve)
    app.command()(resolve)


def launch(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Campaign file, YAML or JSON.")],
    require_target: RequireTarget = False,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Use this seed instead of the file's.")
    ] = None,
    station: Annotated[
        Path | None,
        typer.Option("--station", metavar="STATION.yaml", help="Run it as this very station."),
    ] = None,
    transcript: TranscriptOption = None,
    alarms: AlarmsOption = None,
    override: Annotated[
        list[str] | None,
        typer.Option("--override", metavar="RULE", help="Set a rule of the place aside."),
    ] = None,
    by: Annotated[str, typer.Option("--by", help="Who overrides; kept in the record.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the record.")] = "",
) -> None:
    """Check a campaign file, record the campaign and run it until it rests."""
    from orchestrator.campaign import read_document

    _keep(transcript, alarms, station)
    document = read_document(file)
    if seed is not None:
        document["seed"] = seed
    if override or by or reason:
        document["lab"] = _overridden(document.get("lab"), override or [], by, reason)
    if settings.url is None:
        from orchestrator.cli._local import checked

        checked(document, station)  # before a database is made for it
    with service() as at:
        _end(at.launch(document, station), require_target)


def _keep(transcript: Path | None, alarms: Path | None, station: Path | None = None) -> None:
    """Take note of where transcripts and alarms go, by the options or else the station file.

    Raises:
        InputRefusedError: a server runs the campaign, so its workers keep them.
    """
    from orchestrator.errors import InputRefusedError
    from orchestrator.worker import transcript_of

    if (transcript or alarms) and settings.url is not None:
        raise InputRefusedError(
            "--transcript and --alarms are for a campaign that runs here; with a server, give "
            "them to `worker` and `serve`"
        )
    if alarms is not None:
        from orchestrator.alarms import read_alarms_file

        read_alarms_file(alarms)  # before anything is written
    settings.alarms = alarms
    settings.transcript = transcript or (transcript_of(station) if station is not None else None)


def _overridden(lab: Any, rules: list[str], by: str, reason: str) -> dict[str, Any]:
    """A laboratory with rules set aside by a named person.

    Raises:
        InputRefusedError: no rule, name or reason; no mapping; or a server would run it.
    """
    from orchestrator.errors import InputRefusedError

    if not rules or not by.strip() or not reason.strip():
        raise InputRefusedError(
            "an override needs a rule, a name and a reason; give --override RULE --by NAME "
            "--reason TEXT"
        )
    if settings.url is not None:
        raise InputRefusedError(
            "--override: with --url the places belong to the labs' workers; write `overrides` "
            "into the station file of the worker"
        )
    if lab is not None and not isinstance(lab, dict):
        raise InputRefusedError(f"lab: must be a mapping, but got {lab!r}")
    stated = dict(lab or {})
    place = dict(stated.get("place") or {})
    said = [{"rule": rule, "by": by.strip(), "reason": reason.strip()} for rule in rules]
    place["overrides"] = [*(place.get("overrides") or []), *said]
    return {**stated, "place": place}


def resume(
    campaign: CampaignArgument,
    require_target: RequireTarget = False,
    transcript: TranscriptOption = None,
    alarms: AlarmsOption = None,
    station: Annotated[
        Path | None,
        typer.Option("--station", metavar="STATION.yaml", help="Its file, with new bottles."),
    ] = None,
) -> None:
    """Take up a campaign that was interrupted, paused, stopped or killed."""
    _keep(transcript, alarms)
    with service() as at:
        _end(at.resume(campaign, station), require_target)


def _end(rest: Rest, require_target: bool) -> None:
    emit(rest.document, lambda: show_campaign(rest.document))
    if code := rest.exit_code(require_target):
        raise typer.Exit(code)


def pause(campaign: CampaignArgument, reason: ReasonOption = "") -> None:
    """Offer no further trial of a campaign; `resume` lets it go on."""
    _steer(campaign, "pause", reason)


def drain(campaign: CampaignArgument, reason: ReasonOption = "") -> None:
    """Finish the trials under way, then pause."""
    _steer(campaign, "drain", reason)


def abort(campaign: CampaignArgument, reason: ReasonOption = "") -> None:
    """Stop a campaign; workers are asked to break off and make their stations safe."""
    _steer(campaign, "abort", reason)


def _steer(campaign: str, what: str, reason: str) -> None:
    with service() as at:
        document = at.steer(campaign, what, reason or f"{what} by a person")
    emit(document, lambda: show_campaign(document))


def approve(
    campaign: CampaignArgument,
    trials: Annotated[
        list[int] | None, typer.Argument(metavar="[TRIAL]...", help="All that wait, if left out.")
    ] = None,
    note: Annotated[str, typer.Option("--note", help="Kept in the record.")] = "",
) -> None:
    """Approve proposed trials of a campaign whose file says `approval: true`."""
    with service() as at:
        document = at.approve(campaign, trials or [], note)
    done = [t["trial"] for t in document["trials"]]
    emit(document, lambda: say(f"approved: {', '.join(map(str, done)) or 'none waits'}"))


def resolve(
    campaign: CampaignArgument,
    trial: Annotated[int, typer.Argument(metavar="TRIAL", min=1, max=2**31 - 1)],
    decision: Annotated[str, typer.Option("--decision", help="adopt, repeat or abandon.")],
    note: Annotated[str, typer.Option("--note", help="Why; kept in the record.")],
    evidence: Annotated[
        Path | None,
        typer.Option("--evidence", help="YAML or JSON with the observables to adopt."),
    ] = None,
    late_result: Annotated[
        str | None,
        typer.Option("--late-result", metavar="ID", help="Adopt what came after its lease."),
    ] = None,
) -> None:
    """Record the decision that ends the doubt about a trial."""
    from orchestrator.campaign import read_document

    given = read_document(evidence) if evidence is not None else None
    with service() as at:
        document = at.resolve(campaign, trial, decision, note, given, late_result)
    emit(document, lambda: say(f"trial {trial} is {document['state']}"))


def show_campaign(document: dict[str, Any]) -> None:
    """Print a campaign for a person."""
    from orchestrator.cli._tables import campaign_text

    typer.echo(campaign_text(document))
