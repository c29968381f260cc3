"""Commands of a lab where a person is the instrument: ask, tell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli._context import emit, say
from orchestrator.cli._run import CampaignArgument
from orchestrator.cli._service import service

LabOption = Annotated[str, typer.Option("--lab", metavar="LAB", help="Name of the place.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(ask)
    app.command()(tell)


def ask(
    campaign: CampaignArgument,
    lab: LabOption = "bench",
    days: Annotated[
        float, typer.Option("--days", min=0.01, max=60.0, help="How long you keep it [d].")
    ] = 14.0,
    another: Annotated[
        bool, typer.Option("--another", help="A further trial beside the ones you hold.")
    ] = False,
) -> None:
    """Take the next trial of a campaign, to make and measure it by hand."""
    with service() as at:
        document = at.ask(campaign, lab, days, another)
    emit(document, lambda: _sheet_text(document))


def _sheet_text(document: dict[str, Any]) -> None:
    from orchestrator.cli._tables import value_text

    if document["trial"] is None:
        typer.echo(f"no trial waits; campaign {document['campaign']} is {document['state']}")
        return
    days = document["expires_in"] / 86_400.0
    typer.echo(
        f"campaign {document['campaign']} trial {document['trial']} "
        f"attempt {document['attempt']}, for lab {document['lab']} during {days:.1f} days\nmake:"
    )
    for name, value in document["recipe"].items():
        typer.echo(f"  {name:24} {value_text(value)}")
    told = document["known"].get("conditions", {})
    typer.echo("report:")
    for o in document["observables"]:
        known = f"  known: {value_text(told[o['name']])}" if o["name"] in told else ""
        typer.echo(f"  {o['name']:24} [{o['unit'] or '-'}]{known}")


def tell(
    campaign: CampaignArgument,
    trial: Annotated[int, typer.Argument(metavar="TRIAL", min=1, max=2**31 - 1)],
    results: Annotated[
        Path, typer.Option("--results", metavar="FILE", help="What was found (YAML or JSON).")
    ],
    achieved: Annotated[
        Path | None,
        typer.Option("--achieved", metavar="FILE", help="What was really made, where it differs."),
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Keep this; the rest comes later.")
    ] = False,
    lab: LabOption = "bench",
) -> None:
    """Report what came of a trial that was made by hand."""
    from orchestrator.campaign import read_document

    found = read_document(results)
    made = read_document(achieved) if achieved is not None else {}
    with service() as at:
        document = at.tell(campaign, trial, lab, found, made, partial)
    emit(document, lambda: say(f"trial {trial} is {document['state']}"))
