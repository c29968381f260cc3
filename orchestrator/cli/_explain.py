"""The command that says why: explain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli._context import emit, say, settings
from orchestrator.cli._run import CampaignArgument


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(explain)


def explain(
    campaign: CampaignArgument,
    trial: Annotated[
        int | None, typer.Option("--trial", min=1, metavar="N", help="One trial instead.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write explain.json and figures there."),
    ] = None,
) -> None:
    """Say why a trial was made and what it taught, or what a campaign's model knows."""
    from orchestrator.explain import explain_campaign, explain_trial, write_explanation

    with settings.ledger() as ledger:
        if trial is None:
            document = explain_campaign(ledger, campaign, say)
        else:
            document = explain_trial(ledger, campaign, trial)
    if out is not None:
        files = write_explanation(document, out)
        say(f"{len(files)} files in {out}")
    emit(document, lambda: _text(document, out))


def _text(document: dict[str, Any], out: Path | None) -> None:
    from orchestrator.explain import explanation_text

    typer.echo(explanation_text(document) if out is None else str(out))
