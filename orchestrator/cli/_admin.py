"""Commands for whoever looks after the installation: db, doctor."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli._context import emit, settings

db_app = typer.Typer(help="The database and its schema.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    db_app.command()(current)
    db_app.command()(upgrade)
    db_app.command()(rebuild)
    db_app.command("backup")(db_backup)
    db_app.command("restore")(db_restore)
    app.add_typer(db_app, name="db")
    app.command()(doctor)


def current() -> None:
    """Show the schema revision of the database and the one that this program wants."""
    from orchestrator.ledger import schema_state

    document: dict[str, Any] = {"db": settings.shown, **schema_state(settings.db)}
    emit(document, lambda: typer.echo(f"{document['revision']} (head is {document['head']})"))


def upgrade() -> None:
    """Bring an older database to this program's schema."""
    from orchestrator.ledger import schema_state
    from orchestrator.ledger import upgrade as upgrade_database

    upgrade_database(settings.db)
    document: dict[str, Any] = {"db": settings.shown, **schema_state(settings.db)}
    emit(document, lambda: typer.echo(f"{settings.shown} is at {document['revision']}"))


def rebuild() -> None:
    """Drop the read tables and fold them again from the events."""
    with settings.ledger() as ledger:
        count = ledger.rebuild()
    emit({"campaigns": count}, lambda: typer.echo(f"{count} campaigns rebuilt from their events"))


def db_backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Written; must not exist.")],
) -> None:
    """Write a consistent copy of the whole database to one file, also while campaigns run."""
    from orchestrator.ledger import backup

    document = {"db": settings.shown, **backup(settings.db, file)}
    emit(document, lambda: typer.echo(f"{document['bytes']} bytes written to {file}"))


def db_restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="From `dotpilot db backup`.")],
) -> None:
    """Fill an empty database from a backup; one with tables is refused."""
    from orchestrator.ledger import restore

    document = {"db": settings.shown, **restore(file, settings.db)}
    emit(document, lambda: typer.echo(f"{settings.shown} is at {document['revision']}"))


def doctor() -> None:
    """Look for what commonly goes wrong: shadowed names, versions, database, threads, disk."""
    from orchestrator.cli._tables import table
    from orchestrator.doctor import diagnose

    checks = diagnose(settings.db)
    document = {"checks": [asdict(c) for c in checks]}

    def human() -> None:
        cells = [[c.status, c.name, c.detail, c.remedy] for c in checks]
        typer.echo(table(["status", "check", "detail", "remedy"], cells))

    emit(document, human)
    if any(c.status == "failed" for c in checks):
        raise typer.Exit(1)
