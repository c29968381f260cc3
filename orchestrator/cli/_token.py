"""Commands on tokens, on the database itself: token create, list, revoke."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from orchestrator.cli._context import emit, say, settings

token_app = typer.Typer(help="Who may use the service, and for what.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    token_app.command()(create)
    token_app.command("list")(list_tokens)
    token_app.command()(revoke)
    app.add_typer(token_app, name="token")


def create(
    scope: Annotated[list[str], typer.Option("--scope", help="What it may do; repeatable.")],
    lab: Annotated[
        str | None, typer.Option("--lab", metavar="LAB", help="The one lab that it works for.")
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires", metavar="TIME", help="Lifetime: 90m, 12h, 30d, 4w. None: for ever."
        ),
    ] = None,
    label: Annotated[str, typer.Option("--label", help="What it is for.")] = "",
) -> None:
    """Make a token; it is shown this once."""
    from orchestrator.access import create_token, parse_lifetime, record_use

    lifetime = None if expires is None else parse_lifetime(expires)
    with settings.ledger() as ledger:
        made = create_token(ledger, scope, lab=lab, lifetime=lifetime, label=label)
        record_use(ledger, _actor(), "token create", made.row.id)
    say("keep it now: the database holds only a hash of it")
    emit(made.document(), lambda: typer.echo(made.text))


def list_tokens() -> None:
    """List the tokens, without their secrets."""
    from orchestrator.access import token_rows
    from orchestrator.cli._tables import table

    with settings.ledger() as ledger:
        document: dict[str, Any] = {"tokens": [r.document() for r in token_rows(ledger)]}

    def human() -> None:
        header = ["id", "scopes", "lab", "expires", "revoked", "used", "label"]
        cells = [
            [", ".join(t["scopes"]) if key == "scopes" else str(t[key] or "-") for key in header]
            for t in document["tokens"]
        ]
        typer.echo(table(header, cells))

    emit(document, human)


def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="As `token list` shows.")],
) -> None:
    """Make a token useless from now on."""
    from orchestrator.access import record_use, revoke_token

    with settings.ledger() as ledger:
        row = revoke_token(ledger, token)
        record_use(ledger, _actor(), "token revoke", row.id)
    emit(row.document(), lambda: say(f"token {row.id} is revoked"))


def _actor() -> str:
    return f"cli:{os.environ.get('USER', 'dotpilot')}"
