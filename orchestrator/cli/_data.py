"""Commands that bring records in and reports out: import, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli._context import emit, say, settings
from orchestrator.cli._run import CampaignArgument, show_campaign


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("import")(import_records)
    app.command()(report)


def import_records(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Delimited text with a header.")],
    mapping: Annotated[Path, typer.Option("--mapping", help="What the columns are (YAML).")],
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave bad rows out instead of refusing all.")
    ] = False,
) -> None:
    """Turn laboratory records into a finished campaign, all rows or none."""
    from orchestrator.documents import campaign_document
    from orchestrator.importing import prepare_import

    prepared = prepare_import(file, mapping, skip_bad=skip_bad)  # before a database is made for it
    count, skipped = prepared.count, prepared.skipped
    with settings.ledger() as ledger:
        made = prepared.record(ledger)
        document = campaign_document(ledger.campaign(made), ledger.trials(made))
    document |= {"imported": count, "skipped": skipped}

    def human() -> None:
        show_campaign(document)
        typer.echo(f"  {count} rows imported, {len(skipped)} left out")
        for entry in skipped:
            typer.echo(f"    row {entry['row']}: {entry['reason']}")

    emit(document, human)


def report(
    campaign: CampaignArgument,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="[default: report-CAMPAIGN]")
    ] = None,
) -> None:
    """Write a self-contained HTML page with every figure, also as PNG."""
    from orchestrator.report import write_report

    with settings.ledger() as ledger:
        row = ledger.campaign(campaign)
        page = write_report(ledger, row.id, out or Path(f"report-{row.id}"))
    figures = sorted(str(p) for p in page.parent.glob("*.png"))
    document = {"campaign": row.id, "page": str(page), "figures": figures}
    emit(document, lambda: typer.echo(str(page)))
    say(f"{len(figures)} figures beside it")
